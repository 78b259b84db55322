"""The counts of a feed, for its own accounting and for the process's metrics."""

from collections.abc import Callable, Iterable

from prometheus_client import Counter

from tickwire import metrics
from tickwire.events.numbers import Number
from tickwire.records.kinds import KINDS


class Count(Number):
    """A count of this feed and the metrics that it adds to.

    Counts of every message are added to ``value`` only; :meth:`Tally.export` adds them to the metrics.
    """

    __slots__ = ("_counters", "_exported")

    def __init__(self, *counters: Counter) -> None:
        super().__init__()
        self._exported = 0
        self._counters = counters

    def add(self) -> None:
        """Add one, in both."""
        self.value += 1
        self.export()

    def export(self) -> None:
        """Add the counts since the last call to the metrics."""
        if self.value != self._exported:
            for counter in self._counters:
                counter.inc(self.value - self._exported)
            self._exported = self.value


_ages: dict[str, list[Callable[[], float]]] = {}  # functions of the running feeds, by exchange


class Tally:
    """Every counter of a feed of *exchange*. Making it creates all series, so that their zeros are exported."""

    def __init__(self, exchange: str) -> None:
        self.exchange = exchange
        received = metrics.FRAMES_RECEIVED.labels(exchange)
        self.frames = Count(received)  # frames that reached the session
        self.short_way = Count(received, metrics.SHORT_WAY_FRAMES.labels(exchange))  # the others
        self.rejected = _bind(metrics.FRAMES_REJECTED, exchange, metrics.REJECT_REASONS)
        self.by_type = _bind(metrics.EVENTS, exchange, (kind.name for kind in KINDS))
        self.events = {kind.event: self.by_type[kind.name] for kind in KINDS}
        self.gaps = Count(metrics.GAPS.labels(exchange))
        self.trade_gaps = Count(metrics.TRADE_GAPS.labels(exchange))
        self.resyncs = _bind(metrics.RESYNCS, exchange, metrics.INVALID_REASONS)
        self.reconnects = _bind(metrics.RECONNECTS, exchange, metrics.RECONNECT_REASONS)
        self.callback_errors = Count(metrics.CALLBACK_ERRORS.labels(exchange))
        self.valid_books = metrics.BOOKS.labels(exchange, "valid")
        self.resyncing_books = metrics.BOOKS.labels(exchange, "resyncing")
        self.silences = _bind(metrics.SILENCES, exchange, (kind.name for kind in KINDS))
        self.silent_books = metrics.SILENT_BOOKS.labels(exchange)
        self.running = metrics.FEEDS.labels(exchange)

    def export(self) -> None:
        """Update the metrics of the counts of every message."""
        for count in (self.frames, self.short_way, *self.by_type.values()):
            count.export()

    @property
    def received(self) -> int:
        """All frames, on both ways."""
        return self.frames.value + self.short_way.value

    def reject(self, reason: str) -> None:
        """Count a frame or body that was skipped; a reason that has no label counts as malformed."""
        self.rejected.get(reason, self.rejected["malformed"]).add()

    def show_age(self, age_s: Callable[[], float]) -> Callable[[], None]:
        """Show the age of this feed's last frame until the returned function is called.

        The metric of an exchange is the maximum over its feeds; without a feed there is none. *age_s* is called by the
        thread that serves metrics.
        """
        exchange, ages = self.exchange, _ages.setdefault(self.exchange, [])
        ages.append(age_s)
        metrics.LAST_FRAME_AGE.labels(exchange).set_function(lambda: max((age() for age in tuple(ages)), default=0.0))

        def end() -> None:
            ages.remove(age_s)
            if not ages:
                metrics.LAST_FRAME_AGE.remove(exchange)

        return end


def _bind(counter: Counter, exchange: str, labels: Iterable[str]) -> dict[str, Count]:
    return {label: Count(counter.labels(exchange, label)) for label in labels}
