"""Finds out what listens at an address, with the standard library: librdkafka has one message for many causes."""

import re
import socket
import ssl
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tickwire.config.security import SecuritySettings

_NAME = b"tickwire"
_SASL_HANDSHAKE = 17  # https://kafka.apache.org/protocol#The_Messages_SaslHandshake, version 1
_NO_SASL_HERE = 34  # ILLEGAL_SASL_STATE
_NO_MECHANISM = "NONE"  # no broker has one of this name
_LONGEST = 10_000
# Two consecutive times, as in RFC 5280, section 4.1: the begin and end of a certificate's validity.
_VALIDITY = re.compile(rb"\x30[\x1e\x20\x22](?:\x17\x0d\d{12}|\x18\x0f\d{14})Z(?:\x17\x0d(\d{12})|\x18\x0f(\d{14}))Z")


@dataclass(frozen=True, slots=True)
class Door:
    """What listens at an address: whether it speaks TLS, and its SASL mechanisms.

    ``mechanisms`` is empty if there is no log-in, None if unknown, as behind TLS that requires a client certificate.
    """

    tls: bool
    mechanisms: tuple[str, ...] | None


def look(address: str, seconds: float, *, tls: bool, mechanism: str | None) -> Door | None:
    """Connect to ``host:port`` with or without *tls* and ask for *mechanism*; None if no sensible answer comes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # we send nothing but a mechanism's name
    host = host_of(address)
    try:
        with _connected(address, seconds) as plain:
            if not tls:
                found = _mechanisms(plain, mechanism)
                return None if found is None else Door(False, found)
            with context.wrap_socket(plain, server_hostname=host) as wrapped:
                return Door(True, _said(lambda: _mechanisms(wrapped, mechanism)))
    except ssl.SSLError as e:
        return Door(True, None) if "ALERT" in (e.reason or "") else None
    except OSError:
        return None


@dataclass(frozen=True, slots=True)
class Trust:
    """The verdict on a broker's certificate: ``trouble`` is OpenSSL's message, ``code`` its number, 0 if valid."""

    code: int
    trouble: str
    ends: datetime | None


def trust(address: str, config: SecuritySettings, seconds: float) -> Trust | None:
    """Verify the certificate at ``host:port`` as *config* says; None if there is no TLS or no answer."""
    try:
        context = context_of(config.ssl_ca_location, config.ssl_ca_pem)
        with _connected(address, seconds) as plain, context.wrap_socket(plain, server_hostname=host_of(address)) as s:
            return Trust(0, "", ending(s.getpeercert(binary_form=True) or b""))
    except ssl.SSLCertVerificationError as e:
        return Trust(e.verify_code, e.verify_message, None)
    except OSError:
        return None


def context_of(location: Path | None, text: str | None = None) -> ssl.SSLContext:
    """A TLS context that trusts the certificates in a file or folder, or in a text, or else the system's."""
    folder = location is not None and location.is_dir()
    given = None if location is None else str(location)
    context = ssl.create_default_context(
        cafile=None if folder else given, capath=given if folder else None, cadata=text
    )
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # the default since Python 3.13, but not checked by librdkafka
    return context


def system_certificates() -> str | None:
    """Where this system keeps its trusted certificates, according to Python."""
    paths = ssl.get_default_verify_paths()
    return paths.cafile or paths.capath


def ending(certificate: bytes) -> datetime | None:
    """When a certificate (DER) expires; None if that cannot be read."""
    found = _VALIDITY.search(certificate)
    if found is None:
        return None
    short, long = found.groups()
    text = long or (b"20" if short[:2] < b"50" else b"19") + short
    return datetime.strptime(text.decode(), "%Y%m%d%H%M%S").replace(tzinfo=UTC)


def client_ending(config: SecuritySettings) -> datetime | None:
    """When our own certificate expires."""
    text = config.ssl_certificate_pem
    try:
        if config.ssl_certificate_location is not None:
            text = config.ssl_certificate_location.read_text(encoding="ascii", errors="replace")
        begin = (text or "").index("-----BEGIN CERTIFICATE-----")
        end = (text or "").index("-----END CERTIFICATE-----", begin)
        return ending(ssl.PEM_cert_to_DER_cert((text or "")[begin : end + 25]))
    except (OSError, ValueError):
        return None


def host_of(address: str) -> str:
    """The host of ``host:port``, without brackets."""
    return address.rpartition(":")[0].strip("[]")


def _connected(address: str, seconds: float) -> socket.socket:
    return socket.create_connection((host_of(address), int(address.rpartition(":")[2])), timeout=seconds)


def _said(question: Callable[[], tuple[str, ...] | None]) -> tuple[str, ...] | None:
    try:
        return question()
    except OSError:  # TLS 1.3 reports a missing client certificate on the first read
        return None


def _mechanisms(connection: socket.socket, mechanism: str | None) -> tuple[str, ...] | None:
    """Ask for the SASL mechanisms; None if no Kafka answers."""
    wanted = (mechanism or _NO_MECHANISM).encode()
    request = struct.pack(">hhih", _SASL_HANDSHAKE, 1, 1, len(_NAME)) + _NAME + struct.pack(">h", len(wanted)) + wanted
    connection.sendall(struct.pack(">i", len(request)) + request)
    (size,) = struct.unpack(">i", _exactly(connection, 4))
    if not 10 <= size <= _LONGEST:
        return None
    answer = _exactly(connection, size)
    correlation, error, count = struct.unpack_from(">ihi", answer)
    if correlation != 1:
        return None
    found, at = [], 10
    for _ in range(max(0, 0 if error == _NO_SASL_HERE else count)):
        (length,) = struct.unpack_from(">h", answer, at)
        found.append(answer[at + 2 : at + 2 + length].decode("ascii", "replace"))
        at += 2 + length
    # Tansu 0.6, which has no log-in, refuses a name and says that it offers it.
    return () if found == [_NO_MECHANISM] else tuple(found)


def _exactly(connection: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        part = connection.recv(size - len(found))
        if not part:
            raise ConnectionError("closed")
        found += part
    return found
