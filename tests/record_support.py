"""Events of every kind, for tests of writing and reading."""

import base64
import tempfile
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, get_args

from grpc_tools import protoc
from hypothesis import strategies as st

from tickwire.events.types import Action, MarketEvent, OrderBook, TakerSide, Ticker, Trade
from tickwire.records.formats import ValueReader
from tickwire.records.formats.framing import WriterSchema
from tickwire.records.kinds import KINDS
from tickwire.schemas import schema_text

FORMATS = ("avro", "protobuf")
TICKER = Ticker(
    exchange="binance",
    symbol="BTC-USDT",
    exchange_symbol="BTCUSDT",
    bid="65000.10",
    bid_size="1.2",
    ask="65000.20",
    ask_size="0.5",
    sequence=400900217,
    received_us=1700000000000999,
)
BOOK = OrderBook(
    action="snapshot",
    exchange="kraken",
    symbol="BTC-USD",
    exchange_symbol="BTC/USD",
    depth=25,
    bids=[("65000.1", "1.20000000"), ("65000.0", "3")],
    asks=[("65000.2", "0.50000000")],
    epoch=1700000000000,
    reason="resync",
    exchange_us=1700000000000000,
    received_us=1700000000000001,
)
TRADE = Trade(
    exchange="binance",
    symbol="BTC-USDT",
    exchange_symbol="BTCUSDT",
    trade_id="3482119",
    price="65000.20",
    size="0.01500000",
    side="buy",
    exchange_us=1700000000000000,
    received_us=1700000000000120,
)
EVENTS: dict[str, MarketEvent] = {"ticker": TICKER, "orderbook": BOOK, "trade": TRADE}

_texts = st.text(st.characters(codec="utf-8"), max_size=40)
_prices = st.from_regex(r"[0-9]{1,12}(\.[0-9]{1,12})?", fullmatch=True)
_longs = st.integers(-(2**63), 2**63 - 1)
_levels = st.lists(st.tuples(_prices, _prices), max_size=12)
_names = {"exchange": _texts, "symbol": _texts, "exchange_symbol": _texts}
_maybe = {"sequence": st.none() | _longs, "exchange_us": st.none() | _longs, "received_us": _longs}
_sides = dict.fromkeys(("bid", "bid_size", "ask", "ask_size", "last"), st.none() | _prices)
events: dict[str, st.SearchStrategy[MarketEvent]] = {
    "ticker": st.builds(Ticker, **_names, **_sides, **_maybe),
    "orderbook": st.builds(
        OrderBook,
        **_names,
        **_maybe,
        action=st.sampled_from(get_args(Action)),
        depth=st.none() | _longs,
        bids=_levels,
        asks=_levels,
        epoch=_longs,
        book_seq=_longs,
        reason=st.none() | _texts,
    ),
    "trade": st.builds(
        Trade,
        **_names,
        trade_id=_texts,
        price=_prices,
        size=_prices,
        side=st.sampled_from(get_args(TakerSide)),
        exchange_us=_maybe["exchange_us"],
        received_us=_longs,
    ),
}


@cache
def reader_of(kind: str, form: str) -> ValueReader:
    """A reader whose registry gives the schema of this kind for every id."""
    schema = descriptor(kind) if form == "descriptor" else WriterSchema(form, schema_text(kind, form))
    return ValueReader(lambda _: schema)


@cache
def descriptor(kind: str) -> WriterSchema:
    """Our Protobuf schema as confluent-kafka for Python registers one: its file descriptor in base64."""
    with tempfile.TemporaryDirectory() as folder:
        file = stock_classes(Path(folder))[kind].DESCRIPTOR.file
    return WriterSchema("protobuf", base64.b64encode(file.serialized_pb).decode())


def stock_classes(folder: Path) -> dict[str, Any]:
    """The classes that protoc makes of our files, by kind."""
    classes = {}
    for kind in KINDS:
        (folder / f"{kind.name}.proto").write_text(schema_text(kind.name, "protobuf"))
        assert protoc.main(["protoc", f"-I{folder}", f"--python_out={folder}", f"{kind.name}.proto"]) == 0
        spec = spec_from_file_location(f"{kind.name}_pb2", folder / f"{kind.name}_pb2.py")
        assert spec is not None
        assert spec.loader is not None
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        classes[kind.name] = getattr(module, kind.event.__name__)
    return classes
