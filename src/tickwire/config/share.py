"""What part of a feed's work one process does, when several of them share it."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Self, TypeVar

from tickwire.config.kafka_config import LEAST_QUEUE_BYTES, KafkaConfig
from tickwire.errors import SettingsError

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

    def take(self, items: Iterable[T], name: Callable[[T], str]) -> list[T]:
        """This share's items, by a hash of their *name* alone: what else is in the list moves none of them.

        Each goes to the share that draws the highest number for it, so that another number of shares moves few
        (https://en.wikipedia.org/wiki/Rendezvous_hashing).
        """
        return [item for item in items if _owner(name(item), self.of) == self.index]

    def kafka(self, config: KafkaConfig) -> KafkaConfig:
        """The settings with this share's part of every limit on memory and disk.

        Raises :exc:`~tickwire.errors.SettingsError` when a part is too small to work with.
        """
        if self.of == 1:
            return config
        if config.queue_max_bytes // self.of < LEAST_QUEUE_BYTES:
            raise SettingsError(
                f"KAFKA_QUEUE_MAX_BYTES should be at least {LEAST_QUEUE_BYTES} for each of {self.of} workers, so that "
                f"a large message fits, but is {config.queue_max_bytes}: raise it, or start fewer workers."
            )
        parts = {name: max(1, getattr(config, name) // self.of) for name in _LIMITS}
        return config.model_copy(update=parts)


WHOLE = Share()


@dataclass(frozen=True, slots=True)
class GroupShare(Share):
    """Those symbols of an *exchange* that fall into some *parts*, of *count* in all, which members of a group divide.

    Each process has the limits to itself: it may be alone on its machine.
    """

    exchange: str = ""
    parts: frozenset[int] = frozenset()
    count: int = 1

    def take(self, items: Iterable[T], name: Callable[[T], str]) -> list[T]:
        """The items of these parts, by a hash of the exchange's name and their own alone."""
        parts, count = self.parts, self.count
        return [item for item in items if part_of(f"{self.exchange}|{name(item)}".encode(), count) in parts]


def part_of(key: bytes, count: int) -> int:
    """The part, of *count*, of the symbol whose records have this *key*: the same on every machine, for good."""
    return int.from_bytes(blake2b(key, digest_size=8).digest()) % count


def _owner(name: str, shares: int) -> int:
    return max(range(shares), key=lambda index: blake2b(f"{index} {name}".encode(), digest_size=8).digest())
