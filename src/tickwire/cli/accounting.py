"""Whether the sums of a run agree: what the exchange sent, what became of it, what the consumer got. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class Check(NamedTuple):
    """One comparison: what must equal what."""

    what: str
    left: object
    right: object

    @property
    def ok(self) -> bool:
        """Tell whether both sides are the same."""
        return self.left == self.right


def judge(
    produced: Mapping[str, Any],
    consumed: Mapping[str, Any],
    sent: int | None,
    books: Mapping[str, Mapping[str, Any]] | None,
) -> Iterator[Check]:
    """Give every comparison of a run; *sent* and *books* are the exchange's own and None where nobody can know them."""
    if sent is not None:
        yield Check("frames the exchange sent = frames received", sent, produced["frames_received"])
    events = sum(produced["events"].values())
    ended = produced["acknowledged"] + produced["failed"] + produced["dropped"] + produced["in_flight"]
    yield Check("events = acknowledged + failed + dropped + in flight", events, ended)
    yield Check("events = acknowledged", events, produced["acknowledged"])
    yield Check("frames rejected = 0", sum(produced["frames_rejected"].values()), 0)
    total = sum(consumed["consumed"].values())
    yield Check("acknowledged = consumed", produced["acknowledged"], total)
    yield Check("dead letters = 0", sum(consumed["dead_lettered"].values()), 0)
    yield Check("breaks in book_seq = 0", consumed["jumps"], 0)
    if books is not None:
        rebuilt = {key.partition("|")[2]: book for key, book in consumed["books"].items()}
        equal = [symbol for symbol in books if _same(books[symbol], rebuilt.get(symbol))]
        yield Check("books rebuilt from Kafka = books of the exchange", len(equal), len(books))


def _same(own: Mapping[str, Any], rebuilt: Mapping[str, Any] | None) -> bool:
    return rebuilt is not None and bool(own["bids"]) and all(own[side] == rebuilt[side] for side in ("bids", "asks"))
