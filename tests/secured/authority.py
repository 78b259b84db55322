"""Certificates of an authority of our own: those of brokers and clients, right and wrong ones, as PEM files."""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY = timedelta(days=1)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _begun(subject: str, issuer: str, key: ec.EllipticCurvePrivateKey, days: int) -> x509.CertificateBuilder:
    """A certificate that ends in so many days; below 0 it has ended."""
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 40 * _DAY)
        .not_valid_after(now + days * _DAY)
    )


class Authority:
    """One that signs; *folder* takes ``NAME.crt``, ``NAME.key`` and ``NAME.pem`` with both, and its own ``ca.crt``."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir()
        self._folder, self._name = folder, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.KeyUsage(
            digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
            key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
            decipher_only=False,
        )  # fmt: skip
        own = (
            _begun(name, name, self._key, 365)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.file = folder / "ca.crt"
        self.file.write_bytes(own.public_bytes(Encoding.PEM))

    def broker(self, file: str, *, host: str = "localhost", address: bool = True, days: int = 365) -> Path:
        """One for a broker, with *address* for 127.0.0.1 as well."""
        names: list[x509.GeneralName] = [x509.DNSName(host)]
        if address:
            names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
        return self._sign(file, host, ExtendedKeyUsageOID.SERVER_AUTH, days, x509.SubjectAlternativeName(names))

    def client(self, file: str, user: str, *, days: int = 365, password: bytes | None = None) -> Path:
        """One for a client, which the broker takes for *user*."""
        return self._sign(file, user, ExtendedKeyUsageOID.CLIENT_AUTH, days, None, password)

    def _sign(
        self,
        file: str,
        subject: str,
        use: x509.ObjectIdentifier,
        days: int,
        names: x509.SubjectAlternativeName | None,
        password: bytes | None = None,
    ) -> Path:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _begun(subject, self._name, key, days).add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        if names is not None:
            builder = builder.add_extension(names, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)
        secrecy: KeySerializationEncryption = BestAvailableEncryption(password) if password else NoEncryption()
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, secrecy)
        (self._folder / f"{file}.crt").write_bytes(certificate)
        (self._folder / f"{file}.key").write_bytes(private)
        both = self._folder / f"{file}.pem"
        both.write_bytes(private + certificate)
        return both
