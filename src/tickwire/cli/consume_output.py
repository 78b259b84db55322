"""What ``tickwire consume`` shows: JSON lines, plain lines, or a live table."""

import base64
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Self

import msgspec
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tickwire.cli.common import is_terminal, printable
from tickwire.cli.logs import follow_stderr
from tickwire.events.book import Side
from tickwire.kafka.consuming.market_state import BookState, MarketState
from tickwire.kafka.consuming.report import ConsumerReport
from tickwire.kafka.received import ReceivedRecord

_LINE_SECONDS = 5.0
_BOOKS_IN_LINE = 5
_ALWAYS = 4  # columns that are always shown
_GAP = 2
_STYLES = {"valid": "green", "waits": "yellow", "closed": "dim"}
# Control and direction characters that JSON allows unescaped; they are written as escapes.
_UNSAFE = re.compile("[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")

_encode = msgspec.json.Encoder().encode


class Watch:
    """Shows nothing; base of the other outputs."""

    beat: Callable[[], object] = staticmethod(lambda: None)  # called at each turn, for the health check

    def __init__(self) -> None:
        self.report: ConsumerReport | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def tick(self, report: ConsumerReport) -> None:
        """Show the counts."""
        self.report = report
        self.beat()


def open_watch(output: str, state: MarketState | None) -> Watch:
    """The output of this name: ``json``, ``none``, or a table on a terminal and plain lines elsewhere."""
    if output == "json":
        return JsonLines()
    if output == "none":
        return Watch()
    return LiveTable(state) if is_terminal() else PlainLines(state)


class JsonLines(Watch):
    """One JSON object for each record."""

    def record(self, record: ReceivedRecord) -> None:
        """Print the record."""
        sys.stdout.write(json_line(record) + "\n")
        sys.stdout.flush()


def json_line(record: ReceivedRecord) -> str:
    """One record as one line: ``value`` is the record's JSON, unchanged; other bytes are ``value_base64``."""
    line: dict[str, Any] = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
    line["timestamp_ms"] = record.timestamp_ms
    line |= text_or_base64("key", record.key)
    text = record.json_text()
    if record.value is None:
        line["value"] = None
    elif text is None:
        line["value_base64"] = base64.b64encode(record.value).decode()
    else:
        line["value"] = msgspec.Raw(msgspec.json.format(text, indent=-1))  # no line breaks between tokens
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", _encode(line).decode())


def text_or_base64(name: str, data: bytes | None) -> dict[str, str | None]:
    """*data* under ``name`` if it is text or None, else under ``name_base64``."""
    try:
        return {name: None if data is None else data.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(data or b"").decode()}


class PlainLines(Watch):
    """One line every few seconds, for logs and pipes."""

    def __init__(self, state: MarketState | None) -> None:
        super().__init__()
        self._state = state
        self._at = time.monotonic()
        self._seen = 0

    def tick(self, report: ConsumerReport) -> None:
        """Print a line when due."""
        super().tick(report)
        now = time.monotonic()
        if now - self._at >= _LINE_SECONDS:
            seen = report.consumed.total()
            rate = (seen - self._seen) / (now - self._at)
            best = "" if self._state is None else best_prices(self._state)
            print(f"{summary(report, self._state)}, {rate:.0f} records/s{best}", flush=True)
            self._at, self._seen = now, seen


def summary(report: ConsumerReport, state: MarketState | None) -> str:
    """The counts in one line."""
    words = [f"{report.consumed.total()} records", f"lag {sum(report.lag.values())}"]
    if state is not None:
        words += [*_of_books(state), f"{state.jumps} jumps"]
    if dead := report.dead_letters.total():
        words.append(f"{dead} dead letters")
    return ", ".join(words)


def _of_books(state: MarketState) -> list[str]:
    """How many books are valid, and the reasons of the others."""
    books = list(state.books.copy().values())
    states = Counter(_word(book) for book in books)
    words = []
    if states["valid"] or states["waits"] or not books:
        words.append(f"books {states['valid']} of {states['valid'] + states['waits']} valid")
    if states["waits"]:
        reasons = Counter(book.why or "none came yet" for book in books if _word(book) == "waits")
        shown = ", ".join(f"{reason} {count}" for reason, count in reasons.most_common())
        words.append(f"{states['waits']} wait for a snapshot ({printable(shown)})")
    if states["closed"]:
        words.append(f"{states['closed']} books closed by their feed")
    return words


def _word(book: BookState) -> str:
    """``valid``; ``closed``: its feed has ended or lost its connection; ``waits``: for a snapshot."""
    if book.valid:
        return "valid"
    return "closed" if book.reason == "disconnect" else "waits"


def best_prices(state: MarketState) -> str:
    """Best bid and ask of the first few valid books, for the end of a line."""
    shown = []
    for key, book in sorted(state.books.items()):
        bid, ask = (side.best() if side else None for side in _sides(book))
        if book.valid and bid and ask:
            shown.append(f"{key.rpartition('|')[2]} {bid[0]}/{ask[0]}")
        if len(shown) == _BOOKS_IN_LINE:
            break
    return f", {printable(' '.join(shown))}" if shown else ""


def _sides(state: BookState) -> tuple[Side | None, Side | None]:
    return (state.book.bids, state.book.asks) if state.book else (None, None)


class LiveTable(Watch):
    """A table that follows the books, twice a second."""

    def __init__(self, state: MarketState | None, console: Console | None = None) -> None:
        super().__init__()
        self._state = state
        self._console = console or Console()
        self._live = Live(console=self._console, auto_refresh=False)
        self._at = time.monotonic()
        self._seen = 0
        self._numbers: dict[str, tuple[int, int]] = {}

    def __enter__(self) -> Self:
        self._live.start()
        follow_stderr()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()
        follow_stderr()

    def tick(self, report: ConsumerReport) -> None:
        """Redraw the table."""
        super().tick(report)
        now = time.monotonic()
        self._live.update(self.view(report, max(now - self._at, 1e-3)), refresh=True)
        self._at, self._seen = now, report.consumed.total()

    def view(self, report: ConsumerReport, seconds: float) -> RenderableType:
        """The screen's content, *seconds* after the last one."""
        seen = report.consumed.total()
        if not seen:
            return Text(
                f"{report.assigned} partitions, waits for records" if report.assigned else "Waits for partitions"
            )
        table = self._topics(report) if self._state is None else self._books(self._state, report, seconds)
        rate = (seen - self._seen) / seconds
        return Group(table, Text(f"{summary(report, self._state)}, {rate:.0f} records/s, {report.assigned} partitions"))

    def _topics(self, report: ConsumerReport) -> Table:
        rows = []
        for topic in sorted(report.consumed):
            counts = (report.processed[topic], report.dead_letters[topic], report.commits[topic])
            rows.append((topic, *map(str, counts)))
        return columns(self._console.width, ("topic", "processed", "dead letters", "commits"), rows)

    def _books(self, state: MarketState, report: ConsumerReport, seconds: float) -> Table:
        trades = state.trades.copy()  # handlers change it concurrently
        keys = sorted({*state.books.copy(), *state.tickers.copy(), *trades})
        room = max(1, self._console.height - 8)
        rows = []
        for key in keys[:room]:
            book = state.books.get(key)
            cells = _book_cells(book, self._rate(key, book, seconds), report) if book else ("", "", "", "", "", "")
            if not cells[1] and (ticker := state.tickers.get(key)) is not None:
                cells = (cells[0], short_number(ticker.bid or ""), short_number(ticker.ask or ""), *cells[3:])
            traded = [short_number(trades[key].price) if key in trades else ""] if trades else []
            rows.append((key, *cells, *traded))
        heading = ("key", "book", "bid", "ask", "book_seq", "book/s", "lag", *(["trade"] if trades else []))
        table = columns(self._console.width, heading, rows)
        if len(keys) > room:
            table.add_row(f"… and {len(keys) - room} more")
        return table

    def _rate(self, key: str, book: BookState, seconds: float) -> float:
        epoch, last = self._numbers.get(key, (book.epoch, book.last_seq))
        self._numbers[key] = book.epoch, book.last_seq
        return (book.last_seq - last if epoch == book.epoch else book.last_seq) / seconds


def _book_cells(state: BookState, rate: float, report: ConsumerReport) -> tuple[str, ...]:
    bid, ask = (side.best() if side else None for side in _sides(state))
    return (
        _word(state),
        short_number(bid[0]) if bid else "",
        short_number(ask[0]) if ask else "",
        str(state.last_seq),
        f"{rate:.0f}",
        str(report.lag.get(state.partition, "")),
    )


def columns(width: int, heading: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A table without the last columns if the window is too narrow, instead of cutting cells."""
    widths = [max(map(len, column)) for column in zip(heading, *rows, strict=True)]
    shown = len(heading)
    while shown > _ALWAYS and sum(widths[:shown]) + _GAP * (shown - 1) > width:
        shown -= 1
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0))
    for name in heading[:shown]:
        table.add_column(name, no_wrap=True)
    for row in rows:
        table.add_row(*(Text(printable(cell), style=_STYLES.get(cell, "")) for cell in row[:shown]))
    return table


def short_number(text: str) -> str:
    """A number without zeros at its end."""
    return text.rstrip("0").rstrip(".") if "." in text else text
