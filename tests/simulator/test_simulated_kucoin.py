"""The KuCoin dialect, without sockets: a client that follows the documentation gets the exact books."""

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.rebuilding import Sides, true_levels
from tickwire.simulator.dialect import Conversation
from tickwire.simulator.dialects.kucoin import Dialect

NOW = 1_700_000_000_123_456


def ask(session: Conversation, action: str, channel: str, symbol: str, more: dict[str, str] | None = None) -> list[Any]:
    depth = {"depth": "increment@10ms"} if channel == "obu" else {}
    request = {"id": "7", "action": action, "channel": channel, "tradeType": "SPOT", "symbol": symbol} | depth
    return [json.loads(text) for text in session.receive(json.dumps(request | (more or {})), NOW)]


def opened(exchange: Dialect) -> Conversation:
    session = exchange.open("/", {})
    assert session is not None
    assert json.loads(session.start(NOW)[0])["message"] == "welcome"
    return session


@settings(max_examples=30, deadline=None)
@given(seed=st.integers())
def test_a_client_that_follows_the_documentation_gets_the_exact_books(seed: int) -> None:
    exchange = Dialect(1, Random(seed))
    (book,) = exchange.market.books
    answer, first = ask(opened(exchange), "SUBSCRIBE", "obu", "BTC-USDT")
    assert answer == {"id": "7", "result": True}
    assert first["t"] == "snapshot"
    mine, last = Sides(), first["d"]["C"]
    mine.apply(first["d"]["b"], first["d"]["a"])
    for _ in range(100):
        for message in exchange.advance(book, NOW):
            change = json.loads(message.text)
            assert (change["t"], change["d"]["O"]) == ("delta", last + 1)
            last = change["d"]["C"]
            mine.apply(*([level for level in change["d"][side] if level[0] != "0"] for side in ("b", "a")))
        assert mine.top(400) == true_levels(book)


def test_tickers_and_trades_say_what_the_market_did() -> None:
    exchange = Dialect(1, Random(5))
    (book,) = exchange.market.books
    session = opened(exchange)
    for channel in ("ticker", "trade"):
        assert len(ask(session, "SUBSCRIBE", channel, "BTC-USDT")) == 1
    said = [json.loads(message.text) for _ in range(200) for message in exchange.advance(book, NOW)]
    *_, best = [each["d"] for each in said if each["T"] == "ticker.SPOT"]
    trades = [each["d"] for each in said if each["T"] == "trade.SPOT"]
    text, (ticks, lots) = book.instrument, book.bids.top(1)[0]
    assert (best["b"], best["B"]) == (text.price(ticks), text.size(lots))
    numbers = [int(trade["ti"]) for trade in trades]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert {trade["S"] for trade in trades} == {"buy", "sell"}
    assert {trade["M"] for trade in trades} == {NOW * 1000}


def test_a_symbol_that_does_not_exist_is_accepted_in_silence_and_one_may_be_refused() -> None:
    exchange = Dialect(2, Random(1), frozenset({"ETH-USDT"}))
    session = opened(exchange)
    assert ask(session, "SUBSCRIBE", "obu", "NO-NE") == [{"id": "7", "result": True}]
    (answer,) = ask(session, "SUBSCRIBE", "obu", "ETH-USDT")
    assert answer == {"id": "7", "result": False, "reason": "symbol ETH-USDT is not supported"}
    assert not any(channel.subscribers for channel in exchange.channels())


def test_a_second_snapshot_comes_only_after_an_unsubscription() -> None:
    session = opened(Dialect(1, Random(1)))
    lengths = [
        len(ask(session, action, "obu", "BTC-USDT"))
        for action in ("SUBSCRIBE", "SUBSCRIBE", "UNSUBSCRIBE", "UNSUBSCRIBE", "SUBSCRIBE")
    ]
    assert lengths == [2, 1, 1, 1, 2]


@pytest.mark.parametrize("more", [{"depth": "20"}, {"tradeType": "FUTURES"}, {"action": "DANCE"}, {"channel": "kline"}])
def test_a_wrong_request_is_refused(more: dict[str, str]) -> None:
    (answer,) = ask(opened(Dialect(1, Random(1))), "SUBSCRIBE", "obu", "BTC-USDT", more)
    assert answer == {"id": "7", "result": False, "message": "invalid request data"}


def test_what_is_closed_gets_nothing_more_and_what_is_no_request_no_answer() -> None:
    exchange = Dialect(1, Random(1))
    session = opened(exchange)
    ask(session, "SUBSCRIBE", "obu", "BTC-USDT")
    session.close()
    assert not any(channel.subscribers for channel in exchange.channels())
    assert session.receive("no", NOW) == session.receive("[]", NOW) == []
    assert json.loads(session.receive('{"id":"1","type":"ping"}', NOW)[0])["type"] == "pong"
    assert exchange.open("/other", {}) is None
    assert exchange.rest("/other", {}, NOW, stale=False).status == 404
    assert (exchange.refuse(429).status, exchange.refuse(503).status) == (429, 503)
