"""The Gate dialect, without sockets: a client that follows the documentation gets the exact books."""

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.rebuilding import Sides, true_levels
from tickwire.simulator.dialect import Conversation
from tickwire.simulator.dialects.gate import Dialect

NOW = 1_700_000_000_123_456


def ask(session: Conversation, event: str, channel: str, *payload: str, time: int = NOW // 1_000_000) -> list[Any]:
    request = {"id": 7, "time": time, "channel": channel, "event": event, "payload": payload}
    return [json.loads(text) for text in session.receive(json.dumps(request), NOW)]


def opened(exchange: Dialect) -> Conversation:
    session = exchange.open("/ws/v4/", {})
    assert session is not None
    return session


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(), depth=st.sampled_from([50, 400]))
def test_a_client_that_follows_the_documentation_gets_the_exact_books(seed: int, depth: int) -> None:
    exchange = Dialect(1, Random(seed))
    (book,) = exchange.market.books
    answer, first = ask(opened(exchange), "subscribe", "spot.obu", f"ob.BTC_USDT.{depth}")
    assert answer["result"] == {"status": "success"}
    mine, last = Sides(), first["result"]["u"]
    mine.apply(first["result"]["b"], first["result"]["a"])
    for _ in range(100):
        for message in exchange.advance(book, NOW):
            change = json.loads(message.text)["result"]
            assert change["U"] == last + 1
            assert "full" not in change
            last = change["u"]
            mine.apply(change.get("b", []), change.get("a", []))
        assert mine.top(1000) == true_levels(book, depth)


def test_tickers_and_trades_say_what_the_market_did() -> None:
    exchange = Dialect(1, Random(5))
    (book,) = exchange.market.books
    session = opened(exchange)
    for channel in ("spot.book_ticker", "spot.trades"):
        assert len(ask(session, "subscribe", channel, "BTC_USDT")) == 1
    said = [json.loads(message.text) for _ in range(200) for message in exchange.advance(book, NOW)]
    trades = [each["result"] for each in said if each["channel"] == "spot.trades"]
    *_, best = [each["result"] for each in said if each["channel"] == "spot.book_ticker"]
    assert [best["b"], best["B"]] == [
        book.instrument.price(book.bids.top(1)[0][0]),
        book.instrument.size(book.bids.top(1)[0][1]),
    ]
    assert [trade["id_market"] for trade in trades] == list(
        range(trades[0]["id_market"], trades[0]["id_market"] + len(trades))
    )
    assert {trade["side"] for trade in trades} == {"buy", "sell"}


def test_a_second_subscription_of_a_book_is_an_error_and_after_an_unsubscription_there_is_a_new_snapshot() -> None:
    session = opened(Dialect(1, Random(1)))
    ask(session, "subscribe", "spot.obu", "ob.BTC_USDT.50")
    (twice,) = ask(session, "subscribe", "spot.obu", "ob.BTC_USDT.50")
    assert twice["error"] == {"code": 2, "message": "Alert sub ob.BTC_USDT.50"}
    assert len(ask(session, "unsubscribe", "spot.obu", "ob.BTC_USDT.50")) == 1
    assert ask(session, "subscribe", "spot.obu", "ob.BTC_USDT.50")[1]["result"]["full"] is True


@pytest.mark.parametrize("pair", ["ETH_USDT", "NO_NE"])
def test_a_pair_that_is_not_carried_is_refused_but_its_book_accepted_in_silence(pair: str) -> None:
    exchange = Dialect(2, Random(1), frozenset({"ETH-USDT"}))
    session = opened(exchange)
    (answer,) = ask(session, "subscribe", "spot.book_ticker", pair)
    assert answer["error"]["message"] == f"unknown currency pair: {pair}"
    (answer,) = ask(session, "subscribe", "spot.obu", f"ob.{pair}.50")
    assert answer["result"] == {"status": "success"}
    assert not any(channel.subscribers for channel in exchange.channels())


def test_a_request_of_another_time_is_refused() -> None:
    (answer,) = ask(opened(Dialect(1, Random(1))), "subscribe", "spot.trades", "BTC_USDT", time=NOW // 1_000_000 - 61)
    assert answer["error"]["code"] == 2


def test_what_is_closed_gets_nothing_more_and_what_is_no_request_is_refused() -> None:
    exchange = Dialect(1, Random(1))
    session = opened(exchange)
    ask(session, "subscribe", "spot.obu", "ob.BTC_USDT.50")
    session.close()
    assert not any(channel.subscribers for channel in exchange.channels())
    for text in ("no", "[]", "{}"):
        (answer,) = session.receive(text, NOW)
        assert json.loads(answer)["error"]["code"] == 1
    assert ask(session, "dance", "spot.obu")[0]["error"]["code"] == 2
    assert ask(session, "", "spot.ping")[0]["channel"] == "spot.pong"
    assert exchange.open("/other", {}) is None
    assert exchange.rest("/other", {}, NOW, stale=False).status == 404
    assert (exchange.refuse(429).status, exchange.refuse(503).status) == (429, 503)
