"""What part of a feed's work one process does, when several of them share it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

from tickwire.config.kafka_config import KafkaConfig

T = TypeVar("T")

_WRITTEN = re.compile(r"([1-9]\d{0,3})-of-([1-9]\d{0,3})")
_LIMITS = ("queue_max_messages", "queue_max_bytes", "spill_max_bytes")


@dataclass(frozen=True, slots=True)
class Share:
    """The *index*-th of *of* processes, counted from 0. Limits that hold for the whole are divided by *of*."""

    index: int = 0
    of: int = 1

    @classmethod
    def read(cls, text: str) -> Self:
        """Read what :meth:`__str__` writes, such as ``2-of-4``. Raises :exc:`ValueError`."""
        found = _WRITTEN.fullmatch(text)
        if found is None or int(found[1]) > int(found[2]):
            raise ValueError(f"not a share: {text!r}")
        return cls(int(found[1]) - 1, int(found[2]))

    def __str__(self) -> str:
        return f"{self.index + 1}-of-{self.of}"

    def source(self, exchange: str) -> str:
        """The name under which this share keeps its records on disk."""
        return exchange if self.of == 1 else f"{exchange}.{self}"

    def take(self, items: Sequence[T]) -> list[T]:
        """This share's items: every *of*-th. All processes must be given the same ones in the same order."""
        return list(items[self.index :: self.of])

    def kafka(self, config: KafkaConfig) -> KafkaConfig:
        """The settings with this share's part of every limit on memory and disk."""
        if self.of == 1:
            return config
        parts = {name: max(1, getattr(config, name) // self.of) for name in _LIMITS}
        return config.model_copy(update=parts)


WHOLE = Share()
