"""HTX: two sockets, packed frames, its ping, small numbers, snapshots on request, whose ids an answer may have."""

import gzip
from typing import Any

import msgspec
import pytest

from recordings import books
from tickwire.errors import FrameRejected
from tickwire.events.types import Ticker, Trade
from tickwire.exchanges.contract import Channel, Output, Refused, Send, Subscribed, Symbol
from tickwire.exchanges.htx import EXCHANGE, Adapter, derive, read_listing

BTC = Symbol("BTC-USDT", "btcusdt")
BOOK = "market.btcusdt.mbp.150"


def packed(text: str) -> bytes:
    return gzip.compress(text.encode())


def frame(**content: object) -> bytes:
    return packed(msgspec.json.encode(content).decode())


def change(previous: int, last: int, bids: str = "[]", more: str = "") -> bytes:
    tick = f'"seqNum":{last},"prevSeqNum":{previous},"bids":{bids}{more}'
    return packed(f'{{"ch":"{BOOK}","ts":7,"tick":{{{tick}}}}}')


def answer(number: int, bids: str, asks: str = "[]", name: str = "snapshot") -> bytes:
    data = f'"seqNum":{number},"bids":{bids},"asks":{asks}'
    return packed(f'{{"id":"{name}","rep":"{BOOK}","status":"ok","ts":9,"data":{{{data}}}}}')


def sent(outputs: list[Output]) -> list[Any]:
    return [msgspec.json.decode(output.payload) for output in outputs if isinstance(output, Send)]


def test_books_are_on_a_socket_of_their_own() -> None:
    plans = EXCHANGE.plans([BTC], ["ticker", "orderbook", "trade"])
    assert {plan.channels: plan.url.rpartition("/")[2] for plan in plans} == {
        ("ticker", "trade"): "ws",
        ("orderbook",): "feed",
    }


def test_a_ping_is_answered_at_once_with_its_own_number() -> None:
    (pong,) = Adapter([BTC], ["ticker"], 150).receive(frame(ping=1492420473027), 1)
    assert pong == Send(b'{"pong":1492420473027}', urgent=True)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [(b'{"ping":1}', "malformed"), (packed(" " * 4_194_305), "oversize"), (b"\x1f\x8b", "malformed")],
)
def test_a_frame_that_is_not_packed_or_too_long_when_it_is_unpacked_is_refused(payload: bytes, reason: str) -> None:
    with pytest.raises(FrameRejected) as caught:
        Adapter([BTC], ["ticker"], 150).receive(payload, 1)
    assert caught.value.reason == reason


def test_exponents_are_written_out_in_books() -> None:
    adapter = Adapter([BTC], ["orderbook"], 150)
    (snapshot,) = books(adapter.receive(answer(5, "[[9.121E-7,4.0E7],[9.0E-7,1]]", "[[1.0E-6,5.0E-7]]"), 1))
    assert snapshot.bids == [("0.0000009121", "40000000"), ("0.00000090", "1")]
    assert snapshot.asks == [("0.0000010", "0.00000050")]
    (delta,) = books(adapter.receive(change(5, 6, "[[9.121e-07,0E0],[0.0000009,2.5e1]]"), 2))
    assert delta.bids == [("0.0000009121", "0"), ("0.0000009", "25")]


def test_exponents_are_written_out_in_tickers_and_trades() -> None:
    adapter = Adapter([BTC], ["ticker", "trade"], 150)
    tick = (
        '"seqId":3,"ask":9.13E-7,"askSize":7719000.250,"bid":9.121E-7,"bidSize":4.0E7,"quoteTime":8,"symbol":"btcusdt"'
    )
    _, ticker = adapter.receive(packed(f'{{"ch":"market.btcusdt.bbo","ts":9,"tick":{{{tick}}}}}'), 1)
    assert isinstance(ticker, Ticker)
    assert (ticker.bid, ticker.bid_size, ticker.ask, ticker.ask_size) == (
        "0.0000009121", "40000000", "0.000000913", "7719000.250",
    )  # fmt: skip
    assert (ticker.sequence, ticker.exchange_us) == (3, 8000)
    deal = (
        '"id":1.0003317158754671e+22,"ts":8,"tradeId":100027416191,"amount":1.0E-5,"price":6.37e-8,"direction":"sell"'
    )
    _, trade = adapter.receive(
        packed(f'{{"ch":"market.btcusdt.trade.detail","ts":9,"tick":{{"data":[{{{deal}}}]}}}}'), 1
    )
    assert isinstance(trade, Trade)
    assert (trade.trade_id, trade.price, trade.size, trade.side) == ("100027416191", "0.0000000637", "0.000010", "sell")


@pytest.mark.parametrize("bid", ['"bid":null,"bidSize":0,', '"bid":0,"bidSize":0,', '"bid":0.0,"bidSize":0.0,', ""])
def test_a_side_without_a_price_is_empty(bid: str) -> None:
    tick = bid + '"ask":5,"askSize":1,"quoteTime":8'
    _, ticker = Adapter([BTC], ["ticker"], 150).receive(packed(f'{{"ch":"market.btcusdt.bbo","tick":{{{tick}}}}}'), 1)
    assert isinstance(ticker, Ticker)
    assert (ticker.bid, ticker.bid_size, ticker.ask, ticker.ask_size) == (None, None, "5", "1")


def test_a_book_begins_with_the_answer_whose_number_a_change_names_and_a_hole_gives_it_up() -> None:
    adapter = Adapter([BTC], ["orderbook"], 150)
    adapter.start()
    assert sent(adapter.receive(frame(id="1", status="ok", subbed=BOOK, ts=1), 1)) == [{"req": BOOK, "id": "snapshot"}]
    assert adapter.receive(change(3, 5, "[[5,1]]"), 1) == []
    assert adapter.pending() == [("orderbook", BTC)]
    assert [m.action for m in books(adapter.receive(answer(3, "[[4,1]]"), 2))] == ["snapshot", "delta"]
    assert adapter.pending() == []
    (message,) = books(adapter.receive(change(6, 7, "[[5,2]]"), 3))
    assert (message.action, message.reason) == ("invalid", "gap")
    assert sent(adapter.resync(BTC)) == [{"req": BOOK, "id": "snapshot"}]
    assert [m.action for m in books(adapter.receive(answer(7, "[[5,2]]"), 4))] == ["snapshot"]


def test_a_side_that_is_missing_has_not_changed() -> None:
    adapter = Adapter([BTC], ["orderbook"], 150)
    adapter.receive(answer(5, "[[5,1]]", "[[6,1]]"), 1)
    (delta,) = books(
        adapter.receive(packed(f'{{"ch":"{BOOK}","ts":7,"tick":{{"seqNum":6,"prevSeqNum":5,"asks":[[6,2]]}}}}'), 2)
    )
    assert (delta.bids, delta.asks) == ([], [("6", "2")])


@pytest.mark.parametrize("name", [1, "7", "id21", None])
def test_answers_to_another_clients_requests_are_known_by_their_topic(name: object) -> None:
    adapter = Adapter([BTC], ["orderbook", "ticker"], 150)
    adapter.start()
    assert Subscribed("orderbook", BTC) in adapter.receive(frame(id=name, status="ok", subbed=BOOK, ts=1), 1)
    assert adapter.receive(frame(id=name, status="ok", subbed="market.btcusdt.bbo"), 1) == [Subscribed("ticker", BTC)]
    assert [m.action for m in books(adapter.receive(answer(5, "[[5,1]]", name=str(name)), 1))] == ["snapshot"]
    assert adapter.pending() == []


def test_data_without_any_acknowledgement_is_published_and_nothing_stays_pending() -> None:
    adapter = Adapter([BTC], ["orderbook"], 150)
    adapter.start()
    outputs = adapter.receive(change(3, 5, "[[5,1]]"), 1)
    assert outputs[0] == Subscribed("orderbook", BTC)
    assert sent(outputs) == [{"req": BOOK, "id": "snapshot"}]
    assert [m.action for m in books(adapter.receive(answer(5, "[[5,1]]"), 2))] == ["snapshot"]
    assert adapter.pending() == []
    assert adapter.retry() == []


def test_a_lost_answer_is_asked_for_again() -> None:
    adapter = Adapter([BTC], ["orderbook"], 150)
    adapter.receive(change(3, 5, "[[5,1]]"), 1)
    assert sent(adapter.retry()) == [{"req": BOOK, "id": "snapshot"}]


def test_an_error_refuses_what_was_asked_under_its_id_and_no_other() -> None:
    adapter = Adapter([BTC], ["ticker", "trade"], 150)
    adapter.start()
    error: dict[str, Any] = {"status": "error", "ts": 1, "err-code": "bad-request", "err-msg": "invalid topic"}
    for name in (None, "snapshot", "77", 2):
        with pytest.raises(FrameRejected):
            adapter.receive(frame(id=name, **error), 1)
    assert adapter.receive(frame(id="2", **error), 1) == [Refused("trade", BTC, "invalid topic")]
    channels: list[Channel] = [channel for channel, _ in adapter.pending()]
    assert channels == ["ticker"]


def test_the_listing_names_what_rests() -> None:
    pair = {"base-currency": "btc", "quote-currency": "usdt", "symbol": "btcusdt", "state": "online"}
    rests = {"base-currency": "old", "quote-currency": "usdt", "symbol": "oldusdt", "state": "offline"}
    listing = read_listing(msgspec.json.encode({"status": "ok", "data": [pair, rests]}))
    assert listing.find("BTCUSDT") == listing.find("btc/usdt") == BTC
    assert listing.resting == {"oldusdt": "offline"}
    with pytest.raises(FrameRejected):
        read_listing(b'{"status":"error","err-code":"invalid-parameter"}')


def test_names_by_rule() -> None:
    assert derive("btc-usdt") == BTC
