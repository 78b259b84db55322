"""Faults: decides when they happen, and counts them."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

from tickwire.errors import UsageError
from tickwire.simulator.dialect import Kind

CONNECTION = ("drop", "silence", "deaf", "slow")
# A muted book, ticker or trades are no longer sent to a client until it subscribes again.
MUTE: dict[str, Kind] = {"mute": "book", "mute-ticker": "ticker", "mute-trade": "trade"}
LOSSES = ("skip", "corrupt")  # for book messages whose loss a client notices
EXTRA = ("unknown", "binary", "oversize")  # additional messages
FRAME = (*CONNECTION, *LOSSES, *MUTE, "duplicate", "checksum", *EXTRA)
REST = {"rest429": 429, "rest418": 418, "rest503": 503}
SPECIAL = frozenset({"checksum", "stale"})  # of some exchanges only

_SECONDS = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)s")
_CHANCE = re.compile(r"0?\.\d{1,9}|0|1|1\.0")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: at an interval, or with a chance for every frame or answer; or a refused symbol."""

    name: str
    every_s: float = 0.0
    chance: float = 0.0
    symbol: str = ""


def parse_fault(spec: str, special: frozenset[str]) -> Fault:
    """Parse ``drop=30s``, ``skip=0.001`` or ``refuse=BTC-USDT``. *special*: faults of this exchange only.

    Raises :exc:`~tickwire.errors.UsageError`.
    """
    name, _, value = spec.partition("=")
    known = sorted({*FRAME, *REST, "refuse"} - SPECIAL | special)
    if name not in known:
        raise UsageError(f"The fault {spec!r} is unknown: expected NAME=VALUE with one of {', '.join(known)}.")
    if name == "refuse":
        if not value:
            raise UsageError("The fault 'refuse' needs a symbol: write it as refuse=BTC-USDT.")
        return Fault(name, symbol=value)
    seconds = _SECONDS.fullmatch(value)
    if seconds and float(seconds[1]) > 0:
        return Fault(name, every_s=float(seconds[1]))
    if _CHANCE.fullmatch(value):
        return Fault(name, chance=float(value))
    raise UsageError(
        f"The fault {spec!r} has no such value: expected seconds such as {name}=30s, "
        f"or a chance from 0 to 1 such as {name}=0.001."
    )


class Faults:
    """Decides for every frame and answer whether a fault happens, and counts faults."""

    def __init__(self, faults: Iterable[Fault], special: frozenset[str], rng: Random) -> None:
        faults = tuple(faults)
        self.counts: Counter[str] = Counter()
        self.periods = [(f.name, f.every_s) for f in faults if f.every_s]
        self.names = frozenset({*FRAME, *REST}) - SPECIAL | special
        self._armed: Counter[str] = Counter()
        self._chances = [(f.name, f.chance) for f in faults if f.chance]
        self._rng = rng

    def arm(self, name: str) -> None:
        """Let *name* happen at the next suitable frame or answer. Raises :exc:`~tickwire.errors.UsageError`."""
        if name not in self.names:
            raise UsageError(f"The fault {name!r} cannot be injected: expected one of {', '.join(sorted(self.names))}.")
        self._armed[name] += 1

    @property
    def watching(self) -> bool:
        """Whether any fault may happen now; if not, :meth:`frame` need not be called."""
        return bool(self._armed or self._chances)

    def frame(self, kind: Kind, *, losable: bool) -> str | None:
        """The fault of a frame that is about to be sent to one client."""
        for name in self._armed:
            if _fits(name, kind, losable=losable):
                return self._take(name)
        for name, chance in self._chances:
            if _fits(name, kind, losable=losable) and self._rng.random() < chance:
                return self._happened(name)
        return None

    def answer(self, *, snapshot: bool) -> str | None:
        """The fault of a REST answer; *snapshot*: it is a snapshot, which may be stale."""
        for name in (*REST, "stale"):
            if name == "stale" and not snapshot:
                continue
            if name in self._armed:
                return self._take(name)
            if any(name == other and self._rng.random() < chance for other, chance in self._chances):
                return self._happened(name)
        return None

    def _take(self, name: str) -> str:
        self._armed[name] -= 1
        if not self._armed[name]:
            del self._armed[name]
        return self._happened(name)

    def _happened(self, name: str) -> str:
        self.counts[name] += 1
        return name


def _fits(name: str, kind: Kind, *, losable: bool) -> bool:
    if name not in FRAME:
        return False
    if name in LOSSES:
        return losable
    return kind == MUTE.get(name, kind) and (kind == "book" or name not in {"duplicate", "checksum"})
