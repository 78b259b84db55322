"""Which Kafka a broker is. No request says it outright; the newest metadata version that it supports tells the release.

One ApiVersions request over a socket of our own, since librdkafka keeps the answer to itself. A broker answers it
before any login: https://kafka.apache.org/protocol#The_Messages_ApiVersions
"""

import socket
import ssl
import struct

from tickwire.config.kafka_config import KafkaConfig

_API_VERSIONS, _VERSION = 18, 3
_LARGEST_ANSWER = 1 << 20
_SUPPORTED_FEATURES = 0  # tag
# Lowest metadata.version level of each release, newest first.
# https://github.com/apache/kafka/blob/trunk/server-common/src/main/java/org/apache/kafka/server/common/MetadataVersion.java
_RELEASES = (
    (31, "newer than 4.3"),
    (30, "4.3"),
    (28, "4.2"),
    (26, "4.1"),
    (22, "4.0"),
    (21, "3.9"),
    (20, "3.8"),
    (15, "3.7"),
    (12, "3.6"),
    (9, "3.5"),
    (8, "3.4"),
    (7, "3.3"),
)


def broker_version(host: str, port: int, config: KafkaConfig, seconds: float) -> str | None:
    """Name the release, such as ``4.3``; None where the broker does not tell, as brokers other than Apache Kafka do."""
    try:
        with (
            socket.create_connection((host, port), timeout=seconds) as plain,
            _secured(plain, host, config) as connection,
        ):
            connection.sendall(_request(config.client_id))
            (size,) = struct.unpack(">i", _read(connection, 4))
            if not 0 < size <= _LARGEST_ANSWER:
                return None
            return _release(_Reader(_read(connection, size)))
    except (OSError, struct.error, IndexError, ValueError):  # no TLS, cut off, or not the answer that is documented
        return None


def _secured(plain: socket.socket, host: str, config: KafkaConfig) -> socket.socket:
    if config.security_protocol not in {"SSL", "SASL_SSL"}:
        return plain
    context = ssl.create_default_context()
    if config.ssl_ca_location is not None:
        place = str(config.ssl_ca_location)
        context.load_verify_locations(**({"capath": place} if config.ssl_ca_location.is_dir() else {"cafile": place}))
    if config.ssl_certificate_location is not None:
        secret = config.ssl_key_password
        password = None if secret is None else secret.get_secret_value()
        context.load_cert_chain(config.ssl_certificate_location, config.ssl_key_location, password)
    return context.wrap_socket(plain, server_hostname=host)


def _request(client_id: str) -> bytes:
    name = client_id.encode()
    software = b"\x09tickwire\x020\x00"  # compact strings, their length + 1 in front; no tagged fields
    body = struct.pack(">hhih", _API_VERSIONS, _VERSION, 1, len(name)) + name + b"\x00" + software
    return struct.pack(">i", len(body)) + body


def _read(connection: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise ConnectionResetError
        data += part
    return bytes(data)


class _Reader:
    """The few types of Kafka's protocol that the answer is made of."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def fixed(self, format_: str) -> int:
        (value,) = struct.unpack_from(format_, self._data, self._at)
        self._at += struct.calcsize(format_)
        return int(value)

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._data[self._at]
            self._at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def text(self) -> str:
        size = self.varint() - 1
        self._at += size
        return self._data[self._at - size : self._at].decode()

    def skip(self, size: int) -> None:
        self._at += size


def _release(answer: _Reader) -> str | None:
    answer.fixed(">i")  # correlation id; the header of this answer is version 0, without tagged fields
    if answer.fixed(">h"):  # an error: version 3 is not known
        return None
    for _ in range(answer.varint() - 1):
        answer.skip(6)  # api, lowest, highest version
        if answer.varint():
            return None
    answer.fixed(">i")  # throttle time
    for _ in range(answer.varint()):
        tag, size = answer.varint(), answer.varint()
        if tag == _SUPPORTED_FEATURES:
            return _newest(answer)
        answer.skip(size)
    return None


def _newest(answer: _Reader) -> str | None:
    for _ in range(answer.varint() - 1):
        name = answer.text()
        answer.fixed(">h")
        level = answer.fixed(">h")
        if answer.varint():
            return None
        if name == "metadata.version":
            return next((release for lowest, release in _RELEASES if level >= lowest), None)
    return None
