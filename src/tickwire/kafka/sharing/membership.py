"""Which parts of the symbols are this member's, how sure that is, and which epochs of their books may begin. Pure.

Each part has a promise in Kafka: no epoch above it begins before Kafka has taken a higher one, from this member. So
whoever gets the part next begins above every epoch of this one, whatever the clocks say and however it ended.

A member is sure of its parts for a while after Kafka took a commit of it, because that long it keeps its place in the
group without another word. Times are seconds of a clock that runs on while a process is stopped.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from math import inf

from tickwire.events.sequencer import epoch_ahead

SESSION_S = 6.0
"""How long a member may be silent before Kafka gives its parts to others: the least that brokers take by default."""

_SURE_S = SESSION_S - 1.0  # after a commit was sent: what is published then is on its way a moment longer


@dataclass(slots=True)
class _Part:
    last: int  # no epoch above it has begun
    promised: int = -1  # none above it may begin; -1: none at all
    asked: int = -1  # what Kafka was asked to keep last
    lost: bool = False  # in an outage, in which nobody can have it
    ending: bool = False  # it is served no longer, and not gone yet


class Membership:
    """One member's view, fed by whoever talks to Kafka; feeds ask it from another thread."""

    def __init__(self) -> None:
        self._parts: dict[int, _Part] = {}  # replaced where others may look at it
        self._sure_until = -inf
        self._back_since: float | None = None

    @property
    def parts(self) -> frozenset[int]:
        """All that are to be served, those that were lost in an outage, too."""
        return frozenset(number for number, part in self._parts.items() if not part.ending)

    @property
    def lost(self) -> frozenset[int]:
        """Those that were lost in an outage and are not given up."""
        return frozenset(number for number, part in self._parts.items() if part.lost and not part.ending)

    # What Kafka says

    def give(self, number: int, kept: int) -> None:
        """Serve a part, of which no epoch above *kept* has begun."""
        self._parts = self._parts | {number: _Part(last=kept)}

    def end(self, numbers: Iterable[int]) -> dict[int, int]:
        """Serve these no longer, and begin no epoch in them; return the last one of each."""
        found = {number: part for number in numbers if (part := self._parts.get(number)) is not None}
        for part in found.values():
            part.promised, part.ending = -1, True
        return {number: part.last for number, part in found.items()}

    def take(self, numbers: Iterable[int]) -> None:
        """Forget these."""
        gone = frozenset(numbers)
        self._parts = {number: part for number, part in self._parts.items() if number not in gone}

    def lose(self, numbers: Collection[int]) -> None:
        """Keep these for now, although Kafka says that they are ours no longer: it is away, and so nobody has them."""
        self.doubt()
        self._back_since = None
        for number in numbers:
            if (part := self._parts.get(number)) is not None:
                part.lost = True

    def find(self, number: int) -> bool:
        """Serve a part on that was lost and came back with the promise of this member; False where it is new."""
        part = self._parts.get(number)
        if part is None or not part.lost:
            return False
        part.lost = False
        return True

    def doubt(self) -> None:
        """Be sure of nothing until Kafka takes the next commit."""
        self._sure_until = -inf

    def overdue(self, now: float, *, outage: bool) -> frozenset[int]:
        """Those lost parts that have to be given up: Kafka has been back for so long that others may have them."""
        if outage or not self.lost:
            self._back_since = None
            return frozenset()
        if self._back_since is None:
            self._back_since = now
        return self.lost if now - self._back_since >= SESSION_S else frozenset()

    def due(self, now_ms: int) -> dict[int, int]:
        """What to promise next, a part each."""
        ours = {number: part for number, part in self._parts.items() if not part.lost and not part.ending}
        for part in ours.values():
            part.asked = max(epoch_ahead(part.last, now_ms), part.promised)
        return {number: part.asked for number, part in ours.items()}

    def kept(self, promises: Mapping[int, int], sent_at: float) -> None:
        """Kafka has taken these promises, which were sent at that time."""
        for number, promise in promises.items():
            if (part := self._parts.get(number)) is not None and part.asked == promise and not part.ending:
                part.promised = promise
        self._sure_until = max(self._sure_until, sent_at + _SURE_S)

    # What feeds ask

    def sure(self, now: float) -> bool:
        """Whether what is ours is nobody else's now."""
        return now < self._sure_until

    def most(self, number: int) -> int:
        """The highest epoch that may begin in a part."""
        part = self._parts.get(number)
        return -1 if part is None else part.promised

    def may_begin(self, number: int, epoch: int, now: float) -> bool:
        """Whether this epoch may begin now."""
        return now < self._sure_until and epoch <= self.most(number)

    def last(self, number: int) -> int:
        """An epoch that none of any member is above."""
        part = self._parts.get(number)
        return 0 if part is None else part.last

    def begun(self, number: int, epoch: int) -> None:
        """Note an epoch that begins now."""
        if (part := self._parts.get(number)) is not None:
            part.last = max(part.last, epoch)
