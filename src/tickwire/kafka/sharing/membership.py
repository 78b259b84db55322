"""Which parts of the symbols this member has, whether that is certain, and which epochs may begin. Pure.

Each part has a promise in Kafka: this member begins no epoch above it before Kafka has accepted a higher promise. So
the next owner of the part begins above every epoch of this one, whatever the clocks say and however this one ended.

A member is certain of its parts for a while after Kafka has accepted a commit, because its session lasts that long.
Times are seconds of a clock that runs on while the process is stopped.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from math import inf

from tickwire.events.sequencer import epoch_ahead

SESSION_S = 6.0
"""Silence after which Kafka gives a member's parts to others: the minimum that brokers accept by default."""

_SURE_S = SESSION_S - 1.0  # after a commit was sent, with a margin for records in flight


@dataclass(slots=True)
class _Part:
    last: int  # the highest epoch begun
    promised: int = -1  # the highest epoch that may begin; -1: none
    asked: int = -1  # the last promise sent to Kafka
    lost: bool = False  # lost in an outage, in which nobody else can have it
    ending: bool = False  # no longer served, but not released yet


class Membership:
    """One member's state, updated by the thread that talks to Kafka and read by feeds in another thread."""

    def __init__(self) -> None:
        self._parts: dict[int, _Part] = {}  # replaced, not changed, because another thread reads it
        self._sure_until = -inf
        self._back_since: float | None = None

    @property
    def parts(self) -> frozenset[int]:
        """The parts to serve, including those lost in an outage."""
        return frozenset(number for number, part in self._parts.items() if not part.ending)

    @property
    def lost(self) -> frozenset[int]:
        """The parts that were lost in an outage and are not given up."""
        return frozenset(number for number, part in self._parts.items() if part.lost and not part.ending)

    # Called by the member

    def give(self, number: int, kept: int) -> None:
        """Serve a part, in which no epoch above *kept* has begun."""
        self._parts = self._parts | {number: _Part(last=kept)}

    def end(self, numbers: Iterable[int]) -> dict[int, int]:
        """Stop serving these and begin no epoch in them; return the last epoch of each."""
        found = {number: part for number in numbers if (part := self._parts.get(number)) is not None}
        for part in found.values():
            part.promised, part.ending = -1, True
        return {number: part.last for number, part in found.items()}

    def take(self, numbers: Iterable[int]) -> None:
        """Forget these."""
        gone = frozenset(numbers)
        self._parts = {number: part for number, part in self._parts.items() if number not in gone}

    def lose(self, numbers: Collection[int]) -> None:
        """Keep these for now, although they were lost: Kafka is away, so nobody else has them."""
        self.doubt()
        self._back_since = None
        for number in numbers:
            if (part := self._parts.get(number)) is not None:
                part.lost = True

    def find(self, number: int) -> bool:
        """Keep serving a lost part that came back with this member's own promise; False if it is not a lost one."""
        part = self._parts.get(number)
        if part is None or not part.lost:
            return False
        part.lost = False
        return True

    def doubt(self) -> None:
        """Be certain of nothing until Kafka accepts the next commit."""
        self._sure_until = -inf

    def overdue(self, now: float, *, outage: bool) -> frozenset[int]:
        """The lost parts to give up: Kafka has been back for so long that others may have them."""
        if outage or not self.lost:
            self._back_since = None
            return frozenset()
        if self._back_since is None:
            self._back_since = now
        return self.lost if now - self._back_since >= SESSION_S else frozenset()

    def due(self, now_ms: int) -> dict[int, int]:
        """The next promise for each part."""
        ours = {number: part for number, part in self._parts.items() if not part.lost and not part.ending}
        for part in ours.values():
            part.asked = max(epoch_ahead(part.last, now_ms), part.promised)
        return {number: part.asked for number, part in ours.items()}

    def kept(self, promises: Mapping[int, int], sent_at: float) -> None:
        """Note that Kafka has accepted these promises, which were sent at *sent_at*."""
        for number, promise in promises.items():
            if (part := self._parts.get(number)) is not None and part.asked == promise and not part.ending:
                part.promised = promise
        self._sure_until = max(self._sure_until, sent_at + _SURE_S)

    # Called by feeds

    def sure(self, now: float) -> bool:
        """Whether nobody else can have our parts now."""
        return now < self._sure_until

    def most(self, number: int) -> int:
        """The highest epoch that may begin in a part."""
        part = self._parts.get(number)
        return -1 if part is None else part.promised

    def may_begin(self, number: int, epoch: int, now: float) -> bool:
        """Whether this epoch may begin now."""
        return now < self._sure_until and epoch <= self.most(number)

    def last(self, number: int) -> int:
        """An upper bound of all members' epochs in a part."""
        part = self._parts.get(number)
        return 0 if part is None else part.last

    def begun(self, number: int, epoch: int) -> None:
        """Note an epoch that begins now."""
        if (part := self._parts.get(number)) is not None:
            part.last = max(part.last, epoch)
