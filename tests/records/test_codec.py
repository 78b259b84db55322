"""Records: exact bytes out, every byte read back, and poison told apart."""

from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from record_support import TICKER, TRADE
from tickwire.errors import RecordRejected
from tickwire.events.types import Action, MarketEvent, OrderBook, Ticker
from tickwire.records.codec import RecordWriter, read_event, record_key

SNAPSHOT = OrderBook(
    action="snapshot",
    exchange="kraken",
    symbol="BTC-USD",
    exchange_symbol="BTC/USD",
    depth=25,
    bids=[("65000.1", "1.20000000")],
    asks=[("65000.2", "0.50000000")],
    epoch=3,
    reason="resync",
    exchange_us=1700000000000000,
    received_us=1700000000000001,
)
KEY = b"binance|BTC-USDT"
GOOD = msgspec.json.encode(TICKER)


def writer() -> RecordWriter:
    return RecordWriter({"ticker": "ticks.v1.raw", "orderbook": "orderbook.v1.raw", "trade": "trades.v1.raw"})


def test_a_ticker_has_exactly_these_bytes() -> None:
    record = writer().write(TICKER)
    assert record.value == (
        b'{"type":"ticker","exchange":"binance","symbol":"BTC-USDT","exchange_symbol":"BTCUSDT","bid":"65000.10",'
        b'"bid_size":"1.2","ask":"65000.20","ask_size":"0.5","last":null,"sequence":400900217,"exchange_us":null,'
        b'"received_us":1700000000000999}'
    )
    assert (record.topic, record.key, record.timestamp_ms) == ("ticks.v1.raw", KEY, 1700000000000)
    assert record.headers == [("content-type", b"application/json"), ("schema", b"ticker/1")]
    assert (record.kind, record.exchange) == ("ticker", "binance")


def test_an_order_book_has_exactly_these_bytes() -> None:
    record = writer().write(SNAPSHOT)
    assert record.value == (
        b'{"type":"orderbook","action":"snapshot","exchange":"kraken","symbol":"BTC-USD","exchange_symbol":"BTC/USD",'
        b'"depth":25,"bids":[["65000.1","1.20000000"]],"asks":[["65000.2","0.50000000"]],"epoch":3,"book_seq":0,'
        b'"reason":"resync","sequence":null,"exchange_us":1700000000000000,"received_us":1700000000000001}'
    )
    assert (record.topic, record.key) == ("orderbook.v1.raw", b"kraken|BTC-USD")
    assert record.headers[1] == ("schema", b"orderbook/2")


def test_a_trade_has_exactly_these_bytes_and_is_read_from_them() -> None:
    record = writer().write(TRADE)
    assert record.value == (
        b'{"type":"trade","exchange":"binance","symbol":"BTC-USDT","exchange_symbol":"BTCUSDT","trade_id":"3482119",'
        b'"price":"65000.20","size":"0.01500000","side":"buy","exchange_us":1700000000000000,'
        b'"received_us":1700000000000120}'
    )
    assert (record.topic, record.key, record.kind) == ("trades.v1.raw", KEY, "trade")
    assert record.headers == [("content-type", b"application/json"), ("schema", b"trade/1")]
    assert (record.action, record.may_follow_hole) == (None, False)
    assert read_event(record.key, record.value, record.headers) == TRADE


@pytest.mark.parametrize("action", get_args(Action))
def test_a_record_says_what_others_need_to_know_of_its_value(action: Action) -> None:
    record = writer().write(msgspec.structs.replace(SNAPSHOT, action=action))
    assert (record.action, record.exchange_symbol) == (action, "BTC/USD")
    assert record.may_follow_hole == (action != "delta")


def test_a_tickers_record_has_no_action() -> None:
    record = writer().write(TICKER)
    assert (record.action, record.exchange_symbol, record.may_follow_hole) == (None, "BTCUSDT", False)


def test_a_delta_has_a_reason_of_null() -> None:
    delta = OrderBook(
        action="delta",
        exchange="kraken",
        symbol="BTC-USD",
        exchange_symbol="BTC/USD",
        depth=25,
        bids=[("65000.1", "0")],
        asks=[],
        epoch=3,
        book_seq=1,
        received_us=1,
    )
    assert writer().write(delta).value == (
        b'{"type":"orderbook","action":"delta","exchange":"kraken","symbol":"BTC-USD","exchange_symbol":"BTC/USD",'
        b'"depth":25,"bids":[["65000.1","0"]],"asks":[],"epoch":3,"book_seq":1,"reason":null,"sequence":null,'
        b'"exchange_us":null,"received_us":1}'
    )


def test_kafkas_timestamp_never_goes_back_and_the_value_keeps_the_truth() -> None:
    books = writer()
    stamps = []
    for us in (5_000_000, 4_000_000, 6_000_000):
        event = msgspec.structs.replace(TICKER, received_us=us)
        record = books.write(event)
        stamps.append(record.timestamp_ms)
        assert read_event(record.key, record.value) == event
    assert stamps == [5_000, 5_000, 6_000]


def amounts(places: int = 8) -> st.SearchStrategy[str]:
    return st.decimals(min_value=0, max_value=10**9, places=places, allow_nan=False).map(lambda d: f"{d:f}")


@st.composite
def levels(draw: Any, *, highest_first: bool) -> list[tuple[str, str]]:
    prices = sorted(draw(st.sets(st.integers(1, 10**6), max_size=6)), reverse=highest_first)
    return [(f"{price}.50", draw(amounts())) for price in prices]


micros = st.integers(0, 2**53)
texts = st.text(min_size=1, max_size=12)
tickers = st.builds(
    Ticker,
    exchange=texts,
    symbol=texts,
    exchange_symbol=texts,
    bid=st.none() | amounts(),
    bid_size=st.none() | amounts(),
    ask=amounts(),
    ask_size=amounts(),
    last=st.none() | amounts(),
    sequence=st.none() | micros,
    exchange_us=st.none() | micros,
    received_us=micros,
)
order_books = st.builds(
    OrderBook,
    action=st.sampled_from(["snapshot", "delta", "invalid"]),
    exchange=texts,
    symbol=texts,
    exchange_symbol=texts,
    depth=st.none() | st.integers(1, 5000),
    bids=levels(highest_first=True),
    asks=levels(highest_first=False),
    epoch=micros,
    book_seq=micros,
    reason=st.sampled_from(["initial", "keyframe", "gap", None]),
    sequence=st.none() | micros,
    exchange_us=st.none() | micros,
    received_us=micros,
)


@given(st.one_of(tickers, order_books))
def test_what_is_written_is_read_back(event: MarketEvent) -> None:
    record = writer().write(event)
    assert read_event(record.key, record.value, record.headers) == event


@given(st.one_of(tickers, order_books))
def test_every_field_is_in_every_message(event: MarketEvent) -> None:
    assert list(msgspec.json.decode(writer().write(event).value)) == ["type", *event.__struct_fields__]


def test_an_order_book_of_version_1_is_read() -> None:
    value = (
        b'{"type":"orderbook","action":"delta","exchange":"binance","symbol":"BTC-USDT","exchange_symbol":"BTCUSDT",'
        b'"depth":1000,"bids":[["65000.10000000","0.00000000"]],"asks":[],"epoch":3,"book_seq":1,"sequence":5,'
        b'"exchange_us":null,"received_us":1}'
    )
    event = read_event(KEY, value, [("content-type", b"application/json"), ("schema", b"orderbook/1")])
    assert isinstance(event, OrderBook)
    assert (event.action, event.bids, event.reason) == ("delta", [("65000.10000000", "0.00000000")], None)


@pytest.mark.parametrize("said", [b"orderbook/0", b"orderbook/3", b"ticker/1", b"ticker/2", b"", None])
def test_an_order_book_of_a_schema_that_is_not_known_is_refused(said: bytes | None) -> None:
    with pytest.raises(RecordRejected) as caught:
        read_event(record_key("kraken", "BTC-USD"), msgspec.json.encode(SNAPSHOT), [("schema", said)])
    assert caught.value.error_type == "schema"


def test_unknown_fields_and_headers_are_ignored() -> None:
    value = GOOD[:-1] + b',"fee":{"maker":1}}'
    assert read_event(KEY, value, [("trace", None), ("schema", b"ticker/1")]) == TICKER


def changed(**fields: Any) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(GOOD) | fields)


def book(**fields: Any) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(msgspec.json.encode(SNAPSHOT)) | fields)


def trade(**fields: Any) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(msgspec.json.encode(TRADE)) | fields)


DESERIALIZE = [
    None,
    b"",
    b"{",
    b"not json",
    b"\x00\x00\x00\x00\x01" + GOOD,
    GOOD[:-20],
    b"\xff\xfe\xfd",
    GOOD.replace(b"BTCUSDT", b"BTC\xff\xfeT"),
    b"[" * 100_000,
    GOOD[:-1] + b',"deep":' + b'{"x":' * 100_000,
    b"\x1b[2J\x1b]0;owned\x07",
    changed(bid=1).replace(b'"bid":1', b'"bid":NaN'),
]
SCHEMA = [
    b"null",
    b"[]",
    b"{}",
    b'"text"',
    b"1",
    changed(type="trade"),
    changed(type=1),
    changed(bid=65000.1),
    changed(received_us="1"),
    changed(received_us=1.5),
    changed(symbol=None),
    changed(sequence=True),
    changed(type="orderbook"),
    book(action="replace"),
    trade(side="maker"),
    trade(trade_id=3482119),
    trade(price=None),
    book(bids=[["1"]]),
    book(bids=[["1", "2", "3"]]),
    book(asks={}),
    book(epoch=None),
]
VALIDATE = [
    changed(bid="NaN"),
    changed(bid="Infinity"),
    changed(ask="65,000"),
    changed(last="1e99999"),
    changed(bid_size="-1"),
    changed(ask_size="\x1b[31m"),
    trade(price="NaN"),
    trade(size="0.000"),
    trade(size="-1"),
    changed(bid="9" * 5_000_000),
    book(bids=[["1", "1"], ["2", "1"]]),
    book(asks=[["2", "1"], ["1", "1"]]),
    book(bids=[["1", "1"], ["1.0", "1"]]),
    book(bids=[["x", "1"]]),
    book(asks=[["1", ""]]),
    book(epoch=-1),
    book(book_seq=-1),
]


@pytest.mark.parametrize(
    ("error_type", "value"),
    [("deserialize", v) for v in DESERIALIZE] + [("schema", v) for v in SCHEMA] + [("validate", v) for v in VALIDATE],
    ids=lambda v: v if isinstance(v, str) else repr(v)[:48],
)
def test_poison_is_classified_in_one_short_sentence(error_type: str, value: bytes | None) -> None:
    key = b"kraken|BTC-USD" if value and b'"kraken"' in value else KEY
    with pytest.raises(RecordRejected) as caught:
        read_event(key, value)
    assert caught.value.error_type == error_type
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("key", [None, b"", b"binance|ETH-USDT", b"BTC-USDT", b"\xff"])
def test_a_key_that_is_not_the_events_is_refused(key: bytes | None) -> None:
    with pytest.raises(RecordRejected) as caught:
        read_event(key, GOOD)
    assert caught.value.error_type == "validate"


@pytest.mark.parametrize("said", [b"ticker/2", b"orderbook/1", b"", None])
def test_another_schema_than_the_events_is_refused(said: bytes | None) -> None:
    with pytest.raises(RecordRejected) as caught:
        read_event(KEY, GOOD, [("schema", said)])
    assert caught.value.error_type == "schema"


def test_a_large_header_changes_nothing() -> None:
    assert read_event(KEY, GOOD, [("blob", b"x" * 1_000_000)]) == TICKER


@given(st.binary(max_size=80))
def test_any_bytes_are_refused_and_nothing_else_is_raised(value: bytes) -> None:
    with pytest.raises(RecordRejected):
        read_event(KEY, value)


def test_keys_are_exchange_and_symbol() -> None:
    assert record_key("kraken", "BTC-USD") == b"kraken|BTC-USD"
