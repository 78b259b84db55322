"""The schema ids that a publisher writes: asked for once, kept on disk, and checked while it runs.

The files ``schema-*.json`` below ``KAFKA_SPILL_DIR``, one for each registry, subject and schema, let a publisher start
while the registry is down. A registry that lost its data assigns its ids anew, perhaps to other schemas; so the schema
behind each id is compared with ours at the start, and every 30 s afterwards.
"""

import asyncio
import logging
from collections.abc import Callable, Collection
from hashlib import blake2b
from pathlib import Path

import msgspec
from msgspec import Struct

from tickwire.config.kafka_config import KafkaConfig
from tickwire.config.paths import spill_root
from tickwire.kafka.spill.folder import replace
from tickwire.records.formats import ValueFormat, value_format
from tickwire.registry.client import Registry
from tickwire.registry.shapes import written_otherwise
from tickwire.registry.subjects import Subject, our_subjects
from tickwire.registry_errors import RegistryAway, RegistryFailed, SchemaMissing, SchemaRefused

logger = logging.getLogger(__name__)

_LOOK_S = 30.0


class _Kept(Struct):
    registry: str
    subject: str
    id: int


class SchemaIds:
    """The ids for topics that are not JSON; without such topics the registry is not asked."""

    def __init__(self, config: KafkaConfig) -> None:
        """Raises :exc:`~tickwire.errors.UsageError` for unusable settings of the registry."""
        self._subjects = our_subjects(config)
        self._root = spill_root(config.spill_dir)
        self._registry = Registry(config) if self._subjects else None
        self._ids: dict[Subject, int] = {}
        self._lost: set[str] = set()  # subjects whose id the registry no longer knows

    def formats(self, topics: Collection[str]) -> dict[str, ValueFormat]:
        """The formats of the kinds of *topics* that are not JSON; blocks.

        Raises :exc:`~tickwire.registry_errors.RegistryFailed`: ``SchemaMissing`` if our schema is not registered,
        ``RegistryAway`` if the registry does not answer and no id is kept on disk.
        """
        if self._registry is not None:
            self._ids = {s: self._find(self._registry, s) for s in self._subjects if s.topic in topics}
        return {s.kind: value_format(s.schema.format, s.kind, number) for s, number in self._ids.items()}

    async def watch(self, failed: Callable[[RegistryFailed], None]) -> None:
        """Check until cancelled; call *failed* if an id stands for another schema than ours."""
        while self._ids:
            await asyncio.sleep(_LOOK_S)
            try:
                await asyncio.to_thread(self.look)
            except RegistryFailed as e:
                failed(e)
                return

    def look(self) -> None:
        """Compare the schemas of our ids with ours; blocks. Raises :exc:`~tickwire.registry_errors.SchemaRefused`."""
        if self._registry is None:
            return
        for subject, number in self._ids.items():
            try:
                self._compare(self._registry, subject, number)
            except SchemaRefused:
                raise
            except SchemaMissing:
                if subject.name not in self._lost:
                    self._lost.add(subject.name)
                    logger.error(  # noqa: TRY400 - the sentence is all there is to say
                        "publisher.schema_lost subject=%s id=%d (the registry does not know it any more, so readers "
                        "wait: restore its data)", subject.name, number,
                    )  # fmt: skip
            except RegistryFailed as e:
                logger.debug("publisher.registry_away error=%r", str(e))
            else:
                self._lost.discard(subject.name)

    def _find(self, registry: Registry, subject: Subject) -> int:
        file = self._file(registry, subject)
        try:
            number = registry.id_of(subject.name, subject.schema)
            self._compare(registry, subject, number)
        except RegistryAway as e:
            kept = _load(file)
            if kept is None:
                raise
            logger.warning("publisher.registry_away subject=%s id=%d error=%r", subject.name, kept.id, str(e))
            return kept.id
        except SchemaMissing as e:
            raise SchemaMissing(registry.url, f"subject {subject.name}: {e.cause}") from e
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace(file, msgspec.json.encode(_Kept(registry.url, subject.name, number)))
        except OSError as e:  # the file is only needed by the next start
            logger.warning("publisher.schema_not_kept file=%s error=%r", file, e.strerror or str(e))
        return number

    def _file(self, registry: Registry, subject: Subject) -> Path:
        what = "\n".join((registry.url, subject.name, *subject.schema))
        return self._root / f"schema-{blake2b(what.encode(), digest_size=12).hexdigest()}.json"

    @staticmethod
    def _compare(registry: Registry, subject: Subject, number: int) -> None:
        try:
            found = written_otherwise(registry.schema(number), subject.schema)
        except ValueError as e:
            found = str(e)
        if found is not None:
            raise SchemaRefused(
                registry.url,
                f"its id {number} of subject {subject.name} stands for another schema than ours: {found}",
                "restore its data, or run `tickwire schemas register` and start again",
            )


def _load(file: Path) -> _Kept | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=_Kept)
    except (OSError, msgspec.DecodeError):
        return None
