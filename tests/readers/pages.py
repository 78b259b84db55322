"""What the documentation tells readers to type, and records to read with it."""

from pathlib import Path

import msgspec
from bench import frames, stages

from tickwire.events.sequencer import Sequencer
from tickwire.events.types import OrderBook
from tickwire.exchanges import binance, kraken
from tickwire.exchanges.contract import AdapterContract, Fetch, Symbol
from tickwire.records.codec import Record, RecordWriter

DOCS = Path(__file__).parents[2] / "docs"
TOPIC = "orderbook.v1.raw"


def block(heading: str, language: str, page: str = "readers.md", number: int = 0) -> str:
    """A block of this language under this heading of the page, the first one unless *number* says otherwise."""
    _, there, rest = (DOCS / page).read_text().partition(f"\n## {heading}\n")
    _, *blocks = rest.partition("\n## ")[0].split(f"\n```{language}\n")
    assert there, f"docs/{page} has no {heading}"
    assert len(blocks) > number, f"docs/{page} has too few blocks of {language} under {heading}"
    return blocks[number].partition("\n```")[0]


class _Book:
    """One symbol's messages, numbered and written as a feed does."""

    def __init__(self) -> None:
        self._sequencer = Sequencer()
        self._writer = RecordWriter({"ticker": "ticks.v1.raw", "orderbook": TOPIC})
        self.records: list[Record] = []

    def take(self, outputs: list[object]) -> None:
        for output in outputs:
            if isinstance(output, OrderBook):
                self._keep(self._sequencer.stamp(output))

    def keyframe(self, adapter: AdapterContract, symbol: Symbol, us: int) -> None:
        book = adapter.book(symbol)
        assert book is not None
        self._keep(self._sequencer.keyframe(book, us))

    def invalidate(self, us: int) -> None:
        self._keep(self._sequencer.invalidate("disconnect", us))

    def _keep(self, message: OrderBook | None) -> None:
        assert message is not None
        self.records.append(self._writer.write(message))


def binance_history() -> list[Record]:
    """Two epochs, the second with a keyframe, and records that Kafka has twice."""
    feed = frames.binance_deltas(150, frames.names(1))
    (native,) = feed.symbols
    symbol = Symbol("BTC-USDT", native)
    adapter, book = binance.Adapter([symbol], ["orderbook"], 25), _Book()
    payloads = stages.payloads(feed.first + feed.frames)
    body = feed.bodies[f"/api/v3/depth?symbol={native}"]
    for first, count in ((1_000_000, 60), (2_000_000, 140)):
        book.take([*adapter.restart(symbol, "stale", first)])
        for i, payload in enumerate(payloads[:count]):
            book.take([*adapter.receive(payload, first + i)])
            if not i:
                book.take([*adapter.fetched(Fetch(symbol, "", 0), body, first)])
            if i == 100:
                book.keyframe(adapter, symbol, first + i)
    return [*book.records, *book.records[-30:-20]]


def kraken_history() -> list[Record]:
    """One epoch of a book that is cut to its depth; it is not valid at the end."""
    feed = frames.kraken_deltas(120, 1)
    (native,) = feed.symbols
    symbol = Symbol("BTC-USD", native)
    adapter, book = kraken.Adapter([symbol], ["orderbook"], 25), _Book()
    for i, payload in enumerate(stages.payloads(feed.first + feed.frames)):
        book.take([*adapter.receive(payload, 1_500_000 + i)])
    book.invalidate(1_600_000)
    return book.records


def history() -> list[Record]:
    """Snapshots, deltas, keyframes and ``invalid`` of two exchanges' books."""
    records = binance_history() + kraken_history()
    actions = {msgspec.json.decode(record.value)["action"] for record in records}
    assert actions == {"snapshot", "delta", "invalid"}
    return records


def write_values(records: list[Record], path: Path) -> None:
    """Write one value a line, as Kafka's console tools print them."""
    path.write_bytes(b"".join(record.value + b"\n" for record in records))
