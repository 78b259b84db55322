"""What ``tickwire produce`` shows while it runs: its settings, then a live table or a line at intervals."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tickwire import compiled
from tickwire.cli.common import is_terminal, printable
from tickwire.cli.logs import follow_stderr
from tickwire.config.feed_config import FeedConfig
from tickwire.config.kafka_config import KafkaConfig
from tickwire.metrics_page import Page, by_label, total

logger = logging.getLogger(__name__)

_LINE_S = 30.0
_TABLE_S = 1.0
_NAMED = 5
_TROUBLE = {
    "feed_frames_rejected_total": "frames rejected",
    "feed_resyncs_total": "books started again",
    "feed_reconnects_total": "reconnects",
    "feed_callback_errors_total": "callback errors",
    "kafka_producer_recreated_total": "producers replaced",
    "kafka_spill_lost_total": "records damaged on disk",
    "feed_worker_restarts_total": "workers started again",
}
_LOST = {"dropped", "failed"}


def say_start(feeds: Sequence[FeedConfig], kafka: KafkaConfig, asked: Mapping[str, str], workers: int) -> None:
    """Log the settings of this run, a line for each exchange; *asked* are the topics by channel."""
    for feed in feeds:
        more = f",… ({len(feed.symbols)})" if len(feed.symbols) > _NAMED else ""
        logger.info(
            "produce.start exchange=%s symbols=%s%s channels=%s topics=%s brokers=%s metrics=%s workers=%d compiled=%s",
            feed.exchange, ",".join(feed.symbols[:_NAMED]), more, ",".join(feed.channels),
            ",".join(topic for channel, topic in asked.items() if channel in feed.channels),
            kafka.brokers, metrics_address(kafka), workers, "no" if compiled.missing else "yes",
        )  # fmt: skip
    if compiled.missing:
        logger.warning("produce.not_compiled (%s)", compiled.missing)


def metrics_address(kafka: KafkaConfig) -> str:
    """The address of the metrics."""
    return f"http://{kafka.metrics_host}:{kafka.metrics_port}/metrics" if kafka.metrics_enabled else "off"


class Progress:
    """Shows nothing, for workers, whose progress the first process shows; base of the other outputs."""

    beat: Callable[[], object] = staticmethod(lambda: None)  # called at each turn, for the health check

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        pass

    def turn(self) -> None:
        """Show the progress when due; call it at least once a second."""
        self.beat()
        self.tick()

    def tick(self) -> None:
        """Show the progress when due."""


class _Rates:
    """Event rates of each exchange, if there are several."""

    def __init__(self) -> None:
        self._events: dict[str, int] = {}

    def rows(self, page: Page, seconds: float) -> list[tuple[str, float, str, str]]:
        """For each exchange: name, events a second, valid and all books, and errors."""
        events, before = by_label(page, "feed_events_total", "exchange"), self._events
        self._events = events
        return [
            (exchange, (count - before.get(exchange, 0)) / seconds, _books(page, exchange), _state(page, exchange))
            for exchange, count in events.items()
            if len(events) > 1
        ]


def _books(page: Page, exchange: str) -> str:
    return (
        f"{total(page, 'feed_books', exchange=exchange, state='valid')}/{total(page, 'feed_books', exchange=exchange)}"
    )


def _state(page: Page, exchange: str) -> str:
    return trouble(page, exchange=exchange) if total(page, "feed_running", exchange=exchange) else "ended"


class Lines(Progress):
    """A log line every half a minute, and with several exchanges one for each."""

    def __init__(self, page: Callable[[], Page]) -> None:
        self._page = page
        self._at = time.monotonic()
        self._events = 0
        self._rates = _Rates()

    def tick(self) -> None:
        """Write the lines when due."""
        now = time.monotonic()
        seconds = now - self._at
        if seconds < _LINE_S:
            return
        page = self._page()
        events, before = total(page, "feed_events_total"), self._events
        logger.info(
            "produce.progress events_s=%.0f acknowledged=%d in_flight=%d on_disk=%d books_valid=%d books=%d trouble=%r",
            (events - before) / seconds,
            total(page, "kafka_records_total", outcome="acknowledged"),
            total(page, "kafka_records_in_flight"), total(page, "kafka_spill_records"),
            total(page, "feed_books", state="valid"), total(page, "feed_books"), trouble(page),
        )  # fmt: skip
        for row in self._rates.rows(page, seconds):
            logger.info("produce.exchange exchange=%s events_s=%.0f books_valid=%s trouble=%r", *row)
        self._at, self._events = now, events


class ProducerTable(Progress):
    """A table of the records of each topic, and of the exchanges if there are several, updated once a second.

    It is removed if an error ends the run before it began.
    """

    def __init__(
        self, page: Callable[[], Page], topics: Mapping[str, str], metrics: str, every_s: float = _TABLE_S
    ) -> None:
        self._page, self._topics, self._metrics, self._every_s = page, topics, metrics, every_s
        self._console = Console()
        self._live = Live(console=self._console, auto_refresh=False)
        self._at = time.monotonic()
        self._events = dict.fromkeys(topics.values(), 0)
        self._rates = _Rates()

    def __enter__(self) -> Self:
        self._live.start()
        follow_stderr()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._live.transient = error is not None and not total(self._page(), "feed_frames_received_total")
        self._live.stop()
        follow_stderr()

    def tick(self) -> None:
        """Redraw the table when due."""
        now = time.monotonic()
        seconds = now - self._at
        if seconds >= self._every_s:
            self._live.update(self._draw(self._page(), seconds), refresh=True)
            self._at = now

    def _draw(self, page: Page, seconds: float) -> Group:
        table = Table("topic", "events/s", "acknowledged", "in flight", "conflated", "lost", box=None, pad_edge=False)
        for topic in self._topics.values():
            ended = by_label(page, "kafka_records_total", "outcome", topic=topic)
            in_flight = total(page, "kafka_records_in_flight", topic=topic)
            events = sum(ended.values()) + in_flight
            rate, self._events[topic] = (events - self._events[topic]) / seconds, events
            lost = sum(ended.get(outcome, 0) for outcome in _LOST)
            counts = (ended.get("acknowledged", 0), in_flight, ended.get("conflated", 0))
            style = "red" if lost else ""
            table.add_row(printable(topic), f"{rate:.0f}", *map(str, counts), Text(str(lost), style=style))
        exchanges = Table("exchange", "events/s", "books valid", "trouble", box=None, pad_edge=False)
        for name, rate, books, words in self._rates.rows(page, seconds):
            exchanges.add_row(name, f"{rate:.0f}", books, Text(words, style="yellow"))
        return Group(table, *[exchanges] * bool(exchanges.row_count), self._below(page))

    def _below(self, page: Page) -> Text:
        books, valid = total(page, "feed_books"), total(page, "feed_books", state="valid")
        text = Text()
        if books:
            text.append(f"books {valid} of {books} valid, ", style="green" if valid == books else "yellow")
        text.append(f"{total(page, 'kafka_spill_records')} records on disk, metrics {self._metrics}")
        if troubles := trouble(page):
            text.append(f"\n{troubles}", style="yellow")
        return text


def progress(page: Callable[[], Page], topics: Mapping[str, str], kafka: KafkaConfig) -> Progress:
    """A table if standard output is a terminal, else lines."""
    return ProducerTable(page, topics, metrics_address(kafka)) if is_terminal() else Lines(page)


def trouble(page: Page, **labels: str) -> str:
    """The counts of everything that went wrong so far, of all or with these *labels*; empty if nothing did."""
    counts = {words: total(page, name, **labels) for name, words in _TROUBLE.items()}
    counts["reconnects"] -= total(page, "feed_reconnects_total", reason="planned", **labels)
    lost = by_label(page, "kafka_records_total", "outcome", **labels)
    counts |= {f"records {outcome}": lost.get(outcome, 0) for outcome in sorted(_LOST)}
    return ", ".join(f"{count} {words}" for words, count in counts.items() if count)
