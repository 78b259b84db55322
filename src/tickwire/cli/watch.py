"""Show in a terminal what is in Kafka now: tickers, a book, groups, and problems."""

import asyncio
import time
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated

import typer
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tickwire.cli.common import Brokers, is_terminal, kafka_settings, printable, split_some_names
from tickwire.cli.consume_output import columns, short_number
from tickwire.cli.ui import MetricsPages, metrics_pages
from tickwire.signals import Stop, run_alone

if TYPE_CHECKING:  # the command line works without the Kafka library
    from tickwire.config.kafka_config import KafkaConfig
    from tickwire.ui.state import Row
    from tickwire.ui.view import View

_FRAME_S = 0.5
_LINE_S = 5.0
_LEVELS = 10
_IN_LINE = 5
_BOOK_WIDTH = 62
_S = 1_000_000


def watch(
    symbols: Annotated[
        str, typer.Option(metavar="NAMES", help="Only these: BTC-USDT, kraken:BTC-USD, *-USDT; comma-separated.")
    ] = "*",
    metrics: MetricsPages = None,
    brokers: Brokers = None,
) -> None:
    """Watch symbols, the first one's book and groups until Ctrl-C; plain lines without a terminal.

    It reads our topics from a minute ago on, without a group, and changes nothing. `tickwire ui` shows more.

    \b
    Examples:
      tickwire watch
      tickwire watch --symbols BTC-USDT,ETH-USDT
      tickwire watch --symbols 'kraken:*' --brokers kafka-1:9092
    """
    config = kafka_settings(brokers)
    wanted = split_some_names("--symbols", symbols.upper())
    run_alone(_watch(config, metrics_pages(config, metrics), wanted))


async def _watch(config: "KafkaConfig", urls: Sequence[str], wanted: Sequence[str]) -> None:
    from tickwire.ui.view import View  # noqa: PLC0415 - the Kafka library may be missing

    view = View(config, urls)
    with Stop() as stop:
        reading = asyncio.create_task(view.run())
        stopping = asyncio.create_task(stop.arrives())
        show = asyncio.create_task(_live(view, wanted) if is_terminal() else _lines(view, wanted))
        ended, _ = await asyncio.wait({reading, stopping, show}, return_when=asyncio.FIRST_COMPLETED)
        for task in (show, stopping, reading):
            task.cancel()
        await asyncio.wait({reading, stopping, show})
        for task in ended:
            task.result()


async def _lines(view: "View", wanted: Sequence[str]) -> None:
    while True:
        await asyncio.sleep(_LINE_S)
        for line in lines(view, wanted):
            print(line, flush=True)


async def _live(view: "View", wanted: Sequence[str]) -> None:
    console = Console()
    with Live(console=console, auto_refresh=False, screen=True) as live:
        while True:
            live.update(picture(view, wanted, console, time.time_ns() // 1000), refresh=True)
            await asyncio.sleep(_FRAME_S)


def chosen(view: "View", wanted: Sequence[str]) -> "list[tuple[str, Row]]":
    """The wanted symbols, in the order of *wanted*, then by name."""
    found: dict[str, Row] = {}
    for wish in wanted:
        for key, row in sorted(view.screen.rows.items(), key=lambda item: (item[1].symbol, item[0])):
            name = row.symbol.upper()
            if fnmatchcase(name, wish) or fnmatchcase(f"{row.exchange.upper()}:{name}", wish):
                found.setdefault(key, row)
    return list(found.items())


def lines(view: "View", wanted: Sequence[str]) -> list[str]:
    """The output without a terminal: one line, and one for each problem."""
    rows = chosen(view, wanted)
    prices = []
    for key, row in rows[:_IN_LINE]:
        bid, ask = view.screen.best(key)
        if bid and ask:
            prices.append(f"{row.exchange}:{row.symbol} {short_number(bid[0])}/{short_number(ask[0])}")
    first = ", ".join([_summary(view), *prices])
    return [printable(line) for line in (first, *(f"wrong: {words}" for words in view.words()))]


def _summary(view: "View") -> str:
    books = [book.valid for book in list(view.screen.market.books.values())]
    groups = [f"{group.name} {sum(group.lag.values())} behind" for group in view.figures.groups]
    parts = [f"{view.rate} messages/s", f"books {sum(books)} of {len(books)} valid", *groups]
    return ", ".join(parts)


def picture(view: "View", wanted: Sequence[str], console: Console, now_us: int) -> RenderableType:
    """The screen's content."""
    wrong = [Text(f"! {printable(words)}", style="red") for words in view.words()]
    rows = chosen(view, wanted)
    if not rows:
        return Group(*wrong, Text("Waits for records" if not view.screen.rows else "No symbol is one of --symbols"))
    book = next((key for key, _ in rows if key in view.screen.market.books), None)
    beside = book is not None and console.width >= 2 * _BOOK_WIDTH
    room = max(1, console.height - len(wrong) - 3 - (0 if beside or book is None else _LEVELS + 2))
    left = columns(
        console.width - _BOOK_WIDTH if beside else console.width,
        _HEADING,
        [_cells(view, *row, now_us) for row in rows[:room]],
    )
    if len(rows) > room:
        left.add_row(f"… and {len(rows) - room} more")
    parts: list[RenderableType] = [left] if book is None else [left, _ladder(view, book)]
    whole = Columns(parts, padding=(0, 4)) if beside else Group(*parts)
    return Group(*wrong, whole, Text(printable(_summary(view))))


_HEADING = ("exchange", "symbol", "bid", "ask", "book", "spread", "bp", "age", "msgs/s", "bid size", "ask size")


def _cells(view: "View", key: str, row: "Row", now_us: int) -> tuple[str, ...]:
    _, exchange, symbol, bid, bid_size, ask, ask_size, spread, points, _, last_us, state, _ = view.screen.cells(
        key, row
    )
    age = f"{max(0, now_us - last_us) / _S:.1f} s"
    numbers = [short_number(text or "") for text in (bid, ask, bid_size, ask_size)]
    said = (exchange, symbol, *numbers[:2], state or "", spread or "", points or "", age, str(row.rates[-1]))
    return tuple(map(printable, (*said, *numbers[2:])))


def _ladder(view: "View", key: str) -> Table:
    state = view.screen.market.books[key]
    bids, asks = (side.top(_LEVELS) for side in (state.book.bids, state.book.asks)) if state.book else ([], [])
    table = Table(box=None, title=Text(printable(key.replace("|", ":", 1))), title_justify="left", padding=(0, 2, 0, 0))
    for name, style in (("size", "dim"), ("bid", "green"), ("ask", "red"), ("size", "dim")):
        table.add_column(name, style=style, justify="left" if name == "ask" else "right", no_wrap=True)
    for at in range(max(len(bids), len(asks))):
        bid, bid_size = bids[at] if at < len(bids) else ("", "")
        ask, ask_size = asks[at] if at < len(asks) else ("", "")
        table.add_row(*(Text(short_number(text)) for text in (bid_size, bid, ask, ask_size)))
    return table
