"""MEXC: binary messages beside JSON text, versions of a book, ids of trades, what an answer says."""

import msgspec
import pytest

from exchanges.protobuf import message
from recordings import books
from tickwire.errors import FrameRejected
from tickwire.events.types import Ticker, Trade
from tickwire.exchanges.contract import Fetch, Output, Refused, Resync, Subscribed, Symbol
from tickwire.exchanges.mexc import Adapter, derive, read_listing

BTC = Symbol("BTC-USDT", "BTCUSDT")
SENT_MS = 1_754_741_322_152
Levels = list[tuple[str, str]]


def topic(name: str, every: str = "100ms") -> str:
    return f"spot@public.aggre.{name}.v3.api.pb@{every}@BTCUSDT"


def pushed(name: str, field: int, body: bytes, symbol: str = "BTCUSDT") -> bytes:
    named = [(3, symbol)] if symbol else []
    return message((1, topic(name)), *named, (6, SENT_MS), (field, body))


def depth(first: int | str, last: int | str, bids: Levels, asks: Levels = []) -> bytes:  # noqa: B006 - never changed
    levels = [(field, message((1, p), (2, q))) for field, side in ((1, asks), (2, bids)) for p, q in side]
    return pushed("depth", 313, message(*levels, (3, "x"), (4, str(first)), (5, str(last))))


def best(*fields: tuple[int, str]) -> bytes:
    return pushed("bookTicker", 315, message(*fields))


def deals(*said: tuple[int, str | None]) -> bytes:
    common = [(1, "5.0"), (2, "0.10")]
    named = [message(*common, (3, side), (4, 7), *([(5, name)] if name else [])) for side, name in said]
    return pushed("deals", 314, message(*((1, deal) for deal in named), (2, "x")))


def body(last: int, bids: Levels, asks: Levels = []) -> bytes:  # noqa: B006 - never changed
    return msgspec.json.encode({"lastUpdateId": last, "bids": bids, "asks": asks, "timestamp": 1})


def started(last: int = 10) -> Adapter:
    adapter = Adapter([BTC], ["orderbook"], 100)
    (fetch,) = adapter.resync(BTC)
    assert isinstance(fetch, Fetch)
    adapter.fetched(fetch, body(last, [("5", "1"), ("4", "2")], [("6", "1")]), 1)
    return adapter


def actions(outputs: list[Output]) -> list[tuple[str, str | None]]:
    return [(output.action, output.reason) for output in books(outputs)]


def test_a_change_has_the_levels_as_they_were_written_and_the_time_of_its_sending() -> None:
    (delta,) = books(started().receive(depth(11, 13, [("5", "1.50"), ("4", "0.00")], [("6.10", "2")]), 1))
    assert (delta.bids, delta.asks) == ([("5", "1.50"), ("4", "0")], [("6.10", "2")])
    assert (delta.sequence, delta.exchange_us) == (13, SENT_MS * 1000)


@pytest.mark.parametrize(
    ("first", "last", "outcome"),
    [
        (11, 12, [("delta", None)]),
        (9, 12, [("delta", None)]),  # the first one may begin within the snapshot
        (9, 10, []),
        (12, 13, [("invalid", "gap")]),
    ],
)
def test_the_first_change_may_begin_within_the_snapshot(first: int, last: int, outcome: list[object]) -> None:
    assert actions(started().receive(depth(first, last, [("5", "2")]), 1)) == outcome


@pytest.mark.parametrize(
    ("first", "last", "outcome"),
    [(13, 14, [("delta", None)]), (11, 12, []), (12, 14, [("invalid", "gap")]), (14, 15, [("invalid", "gap")])],
)
def test_every_other_one_begins_right_behind_the_one_before(first: int, last: int, outcome: list[object]) -> None:
    adapter = started()
    adapter.receive(depth(11, 12, [("5", "2")]), 1)
    outputs = adapter.receive(depth(first, last, [("5", "3")]), 2)
    assert actions(outputs) == outcome
    assert (Resync(BTC, "gap") in outputs) is bool(outcome and outcome[0] == ("invalid", "gap"))


def test_changes_are_kept_until_a_snapshot_that_reaches_them() -> None:
    adapter = Adapter([BTC], ["orderbook"], 100)
    _, fetch = adapter.receive(depth(20, 22, [("5", "2")]), 1)
    assert fetch == Fetch(BTC, "/api/v3/depth?symbol=BTCUSDT&limit=5000", 1, levels=5000)
    (again,) = adapter.fetched(fetch, body(18, []), 2)
    assert isinstance(again, Fetch)
    assert again.delay_s > 0
    assert actions(adapter.fetched(again, body(21, [("4", "1")]), 3)) == [("snapshot", "initial"), ("delta", None)]


@pytest.mark.parametrize("version", ["", "-1", "1_1", "٣", "x", "9" * 30])
def test_a_version_that_is_none_is_refused_and_shows_as_a_gap(version: str) -> None:
    adapter = started()
    with pytest.raises(FrameRejected, match="malformed"):
        adapter.receive(depth(11, version, [("5", "2")]), 1)
    assert actions(adapter.receive(depth(12, 12, [("5", "2")]), 2)) == [("invalid", "gap")]


@pytest.mark.parametrize("price", ["", "x", "1e"])
def test_a_level_that_is_none_puts_the_book_in_doubt(price: str) -> None:
    adapter = started()
    with pytest.raises(FrameRejected, match="malformed"):
        adapter.receive(depth(11, 11, [(price, "2")]), 1)
    assert actions(adapter.receive(depth(12, 12, [("5", "2")]), 2)) == [("invalid", "gap")]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([(1, "4"), (2, "1.0"), (3, "5"), (4, "2.0")], ("4", "1.0", "5", "2.0")),
        ([(3, "5"), (4, "2.0")], (None, None, "5", "2.0")),
        ([(1, ""), (2, ""), (3, "5"), (4, "2.0")], (None, None, "5", "2.0")),
        ([(1, "4"), (2, "1.0"), (3, "0"), (4, "0")], ("4", "1.0", None, None)),
    ],
)
def test_a_side_of_the_best_prices_may_be_missing(
    fields: list[tuple[int, str]], expected: tuple[str | None, ...]
) -> None:
    _, ticker = Adapter([BTC], ["ticker"], 100).receive(best(*fields), 1)
    assert isinstance(ticker, Ticker)
    assert (ticker.bid, ticker.bid_size, ticker.ask, ticker.ask_size) == expected
    assert ticker.exchange_us == SENT_MS * 1000


def test_trades_have_their_own_ids_or_those_of_their_place() -> None:
    _, *said = Adapter([BTC], ["trade"], 100).receive(deals((1, None), (2, "77X1"), (1, None)), 1)
    trades = [trade for trade in said if isinstance(trade, Trade)]
    assert [trade.trade_id for trade in trades] == [f"{SENT_MS}.0", "77X1", f"{SENT_MS}.2"]
    assert [trade.side for trade in trades] == ["buy", "sell", "buy"]
    assert {(trade.price, trade.size, trade.exchange_us) for trade in trades} == {("5.0", "0.10", 7000)}
    with pytest.raises(FrameRejected, match="type"):
        Adapter([BTC], ["trade"], 100).receive(deals((3, "1")), 1)


def test_a_message_without_its_symbol_has_it_in_its_streams_name() -> None:
    frame = pushed("bookTicker", 315, message((1, "4"), (2, "1")), symbol="")
    _, ticker = Adapter([BTC], ["ticker"], 100).receive(frame, 1)
    assert isinstance(ticker, Ticker)


@pytest.mark.parametrize("every", ["100ms", "10ms"])
@pytest.mark.parametrize("number", [2, 0, 99, "101", "sub-1", None])
def test_an_acknowledgement_is_known_by_its_streams_whoever_asked(number: int | str | None, every: str) -> None:
    adapter = Adapter([BTC], ["ticker", "trade"], 100)
    adapter.start()
    text = ",".join([topic("bookTicker", every), topic("deals", every)])
    outputs = adapter.receive(msgspec.json.encode({"id": number, "code": 0, "msg": text}), 1)
    assert outputs == [Subscribed("ticker", BTC), Subscribed("trade", BTC)]
    assert adapter.pending() == []


@pytest.mark.parametrize("code", [0, 1])
def test_a_refusal_names_the_stream_whatever_its_code(code: int) -> None:
    adapter = Adapter([BTC], ["ticker", "trade"], 100)
    adapter.start()
    text = f"Not Subscribed successfully! [{topic('deals')}].  Reason： Blocked! "  # noqa: RUF001 - as it is sent
    refusal = msgspec.json.encode({"id": 0, "code": code, "msg": text})
    assert adapter.receive(refusal, 1) == [Refused("trade", BTC, text)]
    assert adapter.pending() == [("ticker", BTC)]


@pytest.mark.parametrize("number", [77, "1", None])
def test_an_error_that_answers_nothing_of_ours_is_counted(number: int | str | None) -> None:
    adapter = Adapter([BTC], ["ticker"], 100)
    adapter.start()
    with pytest.raises(FrameRejected, match="unknown"):
        adapter.receive(msgspec.json.encode({"id": number, "code": 1, "msg": "invalid params"}), 1)
    assert adapter.receive(b'{"id":1,"code":1,"msg":"no"}', 1) == [Refused("ticker", BTC, "no")]


def test_data_without_any_acknowledgement_leaves_nothing_pending() -> None:
    adapter = Adapter([BTC], ["ticker", "orderbook", "trade"], 100)
    adapter.start()
    for frame in (best((1, "4"), (2, "1")), deals((1, "1")), depth(11, 12, [("5", "1")])):
        adapter.receive(frame, 1)
    assert adapter.pending() == []
    assert adapter.retry() == []


def test_the_listing_names_what_rests() -> None:
    pair = {"symbol": "BTCUSDT", "status": "1", "baseAsset": "BTC", "quoteAsset": "USDT"}
    rests = {"symbol": "OLDUSDT", "status": "2", "baseAsset": "OLD", "quoteAsset": "USDT"}
    listing = read_listing(msgspec.json.encode({"timezone": "CST", "symbols": [pair, rests]}))
    assert listing.find("btc/usdt") == BTC
    assert set(listing.resting) == {"OLDUSDT"}
    with pytest.raises(FrameRejected):
        read_listing(b'{"code":700003,"msg":"Timestamp for this request is outside of the recvWindow."}')


def test_names_by_rule() -> None:
    assert derive("btc-usdt") == BTC
