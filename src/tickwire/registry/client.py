"""A small client of Confluent's schema registry API, for the calls that we make.

https://docs.confluent.io/platform/current/schema-registry/develop/api.html

Nothing is retried here; that is up to the caller. Every call has a time-out, and answers have a maximum size. Redirects
are not followed, because our login must only reach the configured host.
"""

import asyncio
import base64
import io
import ssl
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import RecordRejected, UsageError
from tickwire.metrics import SCHEMA_REGISTRY_UP
from tickwire.records.formats.framing import WriterSchema
from tickwire.registry_errors import (
    NoRegistry,
    RegistryAway,
    RegistryFailed,
    RegistryRefused,
    SchemaMissing,
    SchemaRefused,
    SchemaUnknown,
)

SECONDS = 5.0
MAX_SCHEMA = 1 << 20  # bytes
_MAX_ANSWER = 4 * MAX_SCHEMA  # a schema in an answer is JSON text with escaped quotation marks
_SHOWN = 500  # characters of an answer that are shown
_TYPE = "application/vnd.schemaregistry.v1+json"
_MISSING = frozenset({40401, 40402, 40403, 40408})  # subject, version, schema, compatibility level of the subject
_LATER = frozenset({408, 425, 429})
_NAMES = {"AVRO": "avro", "PROTOBUF": "protobuf", "JSON": "json"}  # a missing type means Avro
_TYPES = {name: kind for kind, name in _NAMES.items()}

T = TypeVar("T")


class _Error(msgspec.Struct):
    error_code: int = 0
    message: str = ""


class _Version(msgspec.Struct):
    subject: str
    id: int
    version: int
    schema: str
    schemaType: str = "AVRO"  # noqa: N815 - theirs


class _Schema(msgspec.Struct):
    schema: str
    schemaType: str = "AVRO"  # noqa: N815 - theirs


class _Id(msgspec.Struct):
    id: int


class _Level(msgspec.Struct):
    compatibilityLevel: str  # noqa: N815 - theirs


class _Verdict(msgspec.Struct):
    is_compatible: bool
    messages: list[str] | None = None
    reason: str | None = None  # Apicurio's name for it


class Version(NamedTuple):
    """One version of a subject."""

    subject: str
    version: int
    id: int
    schema: WriterSchema


class _Answer(NamedTuple):
    status: int
    kind: str
    location: str
    body: bytes


class Registry:
    """The registry of *config*, which must name one. Threads may share it.

    Every method blocks for at most *seconds* and raises :exc:`~tickwire.registry_errors.RegistryFailed`:
    ``RegistryAway`` if a retry may help, ``RegistryRefused``, ``NoRegistry``, ``SchemaMissing`` and ``SchemaRefused``.
    """

    def __init__(self, config: KafkaConfig, seconds: float = SECONDS) -> None:
        """Raises :exc:`~tickwire.errors.UsageError` for unusable certificates."""
        if config.schema_registry_url is None:
            raise UsageError("No schema registry is configured: set its address with KAFKA_SCHEMA_REGISTRY_URL.")
        self.url = config.schema_registry_url.rstrip("/")
        self._seconds = seconds
        self._tls = _tls(config)
        self._login = _login(config)

    def subjects(self) -> list[str]:
        """The names of all subjects."""
        return sorted(self._get("/subjects", list[str]))

    def versions(self, subject: str) -> list[int]:
        """The numbers of a subject's versions."""
        return sorted(self._get(f"/subjects/{_part(subject)}/versions", list[int]))

    def version(self, subject: str, number: int | str = "latest") -> Version:
        """One version of a subject."""
        found = self._get(f"/subjects/{_part(subject)}/versions/{number}", _Version)
        return Version(found.subject, found.version, found.id, self._read(found))

    def schema(self, schema_id: int) -> WriterSchema:
        """The schema with this id."""
        return self._read(self._get(f"/schemas/ids/{schema_id}", _Schema))

    def writer_schema(self, schema_id: int) -> WriterSchema:
        """The schema of a record that names this id.

        Raises :exc:`~tickwire.registry_errors.SchemaUnknown`, which may pass, and
        :exc:`~tickwire.errors.RecordRejected` for a schema that is too large.
        """
        try:
            return self.schema(schema_id)
        except SchemaMissing as e:
            raise SchemaUnknown(self.url, schema_id) from e
        except SchemaRefused as e:
            raise RecordRejected("deserialize", f"the value's schema {schema_id} cannot be used ({e.cause})") from e

    def id_of(self, subject: str, schema: WriterSchema) -> int:
        """The id of a schema that a subject has."""
        return self._ask("POST", f"/subjects/{_part(subject)}", _Id, self._body(schema)).id

    def register(self, subject: str, schema: WriterSchema) -> int:
        """Register a schema as the newest version of a subject unless it is one already; return its id."""
        return self._ask("POST", f"/subjects/{_part(subject)}/versions", _Id, self._body(schema)).id

    def incompatible(self, subject: str, schema: WriterSchema) -> str | None:
        """Why the registry would refuse a schema for a subject; None: it would not.

        The answer depends on the subject's compatibility level. The text may be empty.
        """
        path = f"/compatibility/subjects/{_part(subject)}/versions?verbose=true"
        verdict = self._ask("POST", path, _Verdict, self._body(schema))
        return None if verdict.is_compatible else (verdict.reason or "; ".join(verdict.messages or ()))[:_SHOWN]

    def compatibility(self, subject: str) -> str | None:
        """The subject's own level; None if it has none, so that the registry's applies."""
        try:
            return self._get(f"/config/{_part(subject)}", _Level).compatibilityLevel
        except SchemaMissing:
            return None

    def set_compatibility(self, subject: str, level: str) -> None:
        """Set the subject's own level."""
        self._ask("PUT", f"/config/{_part(subject)}", dict[str, Any], {"compatibility": level})

    def _read(self, found: _Version | _Schema) -> WriterSchema:
        self._check_size(found.schema)
        return WriterSchema(_NAMES.get(found.schemaType, found.schemaType), found.schema)

    def _body(self, schema: WriterSchema) -> dict[str, object]:
        self._check_size(schema.text)
        return {"schema": schema.text, "schemaType": _TYPES[schema.format]}

    def _check_size(self, text: str) -> None:
        if len(text.encode(errors="surrogatepass")) > MAX_SCHEMA:
            raise SchemaRefused(self.url, f"a schema has more than {MAX_SCHEMA} bytes", "keep schemas small")

    def _get(self, path: str, kind: type[T]) -> T:
        return self._ask("GET", path, kind)

    def _ask(self, method: str, path: str, kind: type[T], body: Mapping[str, object] | None = None) -> T:
        import aiohttp  # noqa: PLC0415 - most commands ask no registry, and it is a lot

        data, up = None if body is None else msgspec.json.encode(body), SCHEMA_REGISTRY_UP.labels(self.url)
        try:
            # A name look-up has no time-out, so a thread that waits for one is abandoned.
            answer = _in_thread(self._send, method, path, data).result(self._seconds + 1)
            found = self._read_answer(answer, kind)
        except RegistryAway:
            up.set(0)
            raise
        except aiohttp.ClientConnectorCertificateError as e:
            why = f"its certificate is not trusted ({e.certificate_error})"
            raise NoRegistry(self.url, why, "name the file of its authority with KAFKA_SCHEMA_REGISTRY_CA") from e
        except (aiohttp.ClientError, TimeoutError, OSError) as e:
            up.set(0)
            cause = f"no answer within {self._seconds:g} s" if isinstance(e, TimeoutError) else _cause(e)
            raise RegistryAway(self.url, cause) from e
        up.set(1)
        return found

    async def _send(self, method: str, path: str, data: bytes | None) -> _Answer:
        import aiohttp  # noqa: PLC0415 - as above

        headers = {"Accept": f"{_TYPE}, application/json", "Accept-Encoding": "identity", **self._login}
        body = None
        if data is not None:
            headers["Content-Type"] = _TYPE
            body = io.BytesIO(data)  # aiohttp warns about large bytes
        async with (
            aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._seconds),
                cookie_jar=aiohttp.DummyCookieJar(),
                connector=aiohttp.TCPConnector(ssl=self._tls),
                auto_decompress=False,
            ) as client,
            client.request(method, self.url + path, data=body, headers=headers, allow_redirects=False) as answer,
        ):
            found = bytearray()
            async for chunk in answer.content.iter_chunked(1 << 16):
                found += chunk
                if len(found) > _MAX_ANSWER:
                    raise RegistryAway(self.url, f"its answer has more than {_MAX_ANSWER} bytes")
            return _Answer(answer.status, answer.content_type, answer.headers.get("Location", ""), bytes(found))

    def _read_answer(self, answer: _Answer, kind: type[T]) -> T:
        if 200 <= answer.status < 300:
            try:
                return msgspec.json.decode(answer.body, type=kind)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
                raise RegistryAway(self.url, f"it answers with {answer.kind} that is not its API's") from e
        raise self._refusal(answer)

    def _refusal(self, answer: _Answer) -> RegistryFailed:
        status = answer.status
        try:
            error = msgspec.json.decode(answer.body, type=_Error)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            error = _Error()
        if 300 <= status < 400:
            return NoRegistry(self.url, f"it sends us on to {_origin(answer.location)!r}", "name the address itself")
        if status in {401, 403}:
            return RegistryRefused(self.url, status)
        if status >= 500 or status in _LATER:
            return RegistryAway(self.url, f"status {status}: {error.message[:_SHOWN]!r}")
        if error.error_code in _MISSING:
            return SchemaMissing(self.url, error.message[:_SHOWN])
        if status in {404, 405}:
            return NoRegistry(self.url, f"status {status}", "its path belongs to it, such as /apis/ccompat/v7")
        return SchemaRefused(self.url, f"status {status}: {error.message[:_SHOWN]!r}")


def _in_thread(call: Any, *arguments: Any) -> "Future[_Answer]":
    """Run a coroutine function in a thread with its own event loop: the caller may be on one or have none."""
    done: Future[_Answer] = Future()

    def run() -> None:
        try:
            done.set_result(asyncio.run(call(*arguments)))
        except BaseException as error:  # noqa: BLE001 - who waits for it raises it
            done.set_exception(error)

    threading.Thread(target=run, name="tickwire-registry", daemon=True).start()
    return done


def _part(subject: str) -> str:
    return quote(subject, safe="")


def _origin(location: str) -> str:
    """Where a redirect leads, without parts that may be secret."""
    parts = urlsplit(location)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.netloc else parts.path[:_SHOWN]


def _cause(error: Exception) -> str:
    inner = getattr(error, "os_error", error)  # the cause of aiohttp's ClientConnectorError
    return (inner.strerror if isinstance(inner, OSError) and inner.strerror else str(inner)) or type(error).__name__


def _login(config: KafkaConfig) -> dict[str, str]:
    if config.schema_registry_token is not None:
        return {"Authorization": f"Bearer {config.schema_registry_token.get_secret_value()}"}
    if config.schema_registry_username is not None and config.schema_registry_password is not None:
        secret = config.schema_registry_password.get_secret_value()
        pair = f"{config.schema_registry_username}:{secret}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
    return {}


def _tls(config: KafkaConfig) -> ssl.SSLContext | bool:
    if not (config.schema_registry_url or "").startswith("https:"):
        return True
    try:
        context = ssl.create_default_context(cafile=config.schema_registry_ca)
        if config.schema_registry_certificate is not None:
            context.load_cert_chain(config.schema_registry_certificate, config.schema_registry_key)
    except (ssl.SSLError, OSError) as e:
        raise UsageError(
            f"The certificates for the schema registry cannot be used ({e.strerror or e}): expected PEM files in "
            "KAFKA_SCHEMA_REGISTRY_CA, KAFKA_SCHEMA_REGISTRY_CERTIFICATE and KAFKA_SCHEMA_REGISTRY_KEY."
        ) from e
    return context
