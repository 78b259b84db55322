"""What a feed has seen, counted twice: for its own accounting, and for the process's metrics."""

from collections.abc import Iterable

from prometheus_client import Counter

from tickwire import metrics
from tickwire.events.types import OrderBook, Ticker


class Count:
    """One number of this feed and the metric it adds to."""

    __slots__ = ("_inc", "value")

    def __init__(self, counter: Counter) -> None:
        self.value = 0
        self._inc = counter.inc

    def add(self) -> None:
        """One more."""
        self.value += 1
        self._inc()


class Tally:
    """Every counter of a feed. Making it binds all labels, so that their zeros are visible."""

    def __init__(self) -> None:
        self.frames = Count(metrics.FRAMES_RECEIVED)
        self.rejected = _bind(metrics.FRAMES_REJECTED, metrics.REJECT_REASONS)
        self.by_type = _bind(metrics.EVENTS, metrics.EVENT_TYPES)
        self.events = {Ticker: self.by_type["ticker"], OrderBook: self.by_type["orderbook"]}
        self.gaps = Count(metrics.GAPS)
        self.resyncs = _bind(metrics.RESYNCS, metrics.INVALID_REASONS)
        self.reconnects = _bind(metrics.RECONNECTS, metrics.RECONNECT_REASONS)
        self.callback_errors = Count(metrics.CALLBACK_ERRORS)
        self.valid_books = metrics.BOOKS.labels("valid")
        self.resyncing_books = metrics.BOOKS.labels("resyncing")

    def reject(self, reason: str) -> None:
        """Count a frame or body that was skipped; a reason that has no label counts as malformed."""
        self.rejected.get(reason, self.rejected["malformed"]).add()


def _bind(counter: Counter, labels: Iterable[str]) -> dict[str, Count]:
    return {label: Count(counter.labels(label)) for label in labels}
