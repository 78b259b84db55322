"""The part of a feed's work that one of several processes does."""

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
    """Process *index*, counted from 0, of *of* processes. Limits for the whole are divided by *of*."""

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
        """This share's items, by a hash of only their *name*: other items in the list move none of them.

        Each belongs to the share with the highest hash for it, so that changing the number of shares moves few
        (https://en.wikipedia.org/wiki/Rendezvous_hashing).
        """
        return [item for item in items if _owner(name(item), self.of) == self.index]

    def warm(self, items: Iterable[T], name: Callable[[T], str]) -> list[T]:  # noqa: ARG002 - as a member of a group
        """The items on standby, served by another process but read by this one: none."""
        return []

    def kafka(self, config: KafkaConfig) -> KafkaConfig:
        """The settings with this share's part of every limit on memory and disk.

        Raises :exc:`~tickwire.errors.SettingsError` if a part is too small.
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
    """The symbols of an *exchange* in some *parts* of *count*, which the members of a group divide.

    Limits are not divided: a process may be alone on its machine. Besides, *member* reads at most *standby* symbols
    that others serve.
    """

    exchange: str = ""
    parts: frozenset[int] = frozenset()
    count: int = 1
    standby: int = 0
    member: str = ""

    def take(self, items: Iterable[T], name: Callable[[T], str]) -> list[T]:
        """The items of these parts, by a hash of only the exchange's name and their own, and those on standby."""
        everything = list(items)
        return [item for item in everything if self._owns(name(item))] + self.warm(everything, name)

    def warm(self, items: Iterable[T], name: Callable[[T], str]) -> list[T]:
        """The items on standby: other members choose others, and a changed list moves few."""
        others = [item for item in items if self.standby and not self._owns(name(item))]
        return sorted(others, key=lambda item: _draw(f"{self.member} {name(item)}"))[: self.standby]

    def _owns(self, name: str) -> bool:
        return part_of(f"{self.exchange}|{name}".encode(), self.count) in self.parts


def part_of(key: bytes, count: int) -> int:
    """The part, of *count*, of the symbol whose records have this *key*; the same on every machine, for ever."""
    return int.from_bytes(blake2b(key, digest_size=8).digest()) % count


def _draw(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=8).digest()


def _owner(name: str, shares: int) -> int:
    return max(range(shares), key=lambda index: _draw(f"{index} {name}"))
