"""Coinbase Advanced Trade's dialect, without sockets: a client that follows the documentation gets the exact books."""

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.rebuilding import Sides, true_levels
from tickwire.simulator.dialect import Conversation
from tickwire.simulator.dialects.coinbase_advanced import Dialect

NOW = 1_700_000_000_123_456


def opened(exchange: Dialect) -> Conversation:
    session = exchange.open("/", {})
    assert session is not None
    assert session.start(NOW) == []
    return session


def ask(session: Conversation, channel: str, *products: str, kind: str = "subscribe") -> list[Any]:
    request = {"type": kind, "channel": channel, "product_ids": products}
    return [json.loads(text) for text in session.receive(json.dumps(request), NOW)]


def applied(sides: Sides, event: dict[str, Any]) -> None:
    levels: dict[str, list[list[str]]] = {"bid": [], "offer": []}
    for update in event["updates"]:
        levels[update["side"]].append([update["price_level"], update["new_quantity"]])
    sides.apply(levels["bid"], levels["offer"])


@settings(max_examples=20, deadline=None)
@given(seed=st.integers())
def test_a_client_that_follows_the_documentation_gets_the_exact_books(seed: int) -> None:
    exchange = Dialect(1, Random(seed))
    (true,) = exchange.market.books
    first, carried = ask(opened(exchange), "level2", "BTC-USD")
    assert carried["events"] == [{"subscriptions": {"level2": ["BTC-USD"]}}]
    assert (first["channel"], first["events"][0]["type"]) == ("l2_data", "snapshot")
    mine, last = Sides(), carried["sequence_num"]
    applied(mine, first["events"][0])
    for _ in range(60):
        for message in exchange.advance(true, NOW):
            change = json.loads(message.text)
            last += 1
            assert change["sequence_num"] == last
            applied(mine, change["events"][0])
        assert mine.top(400) == true_levels(true)


def test_each_session_has_its_own_numbers_over_all_channels() -> None:
    exchange = Dialect(2, Random(5))
    one, other = opened(exchange), opened(exchange)
    said: dict[Any, list[int]] = {one: [], other: []}
    for session, channel in ((one, "ticker"), (one, "market_trades"), (other, "level2")):
        said[session] += [each["sequence_num"] for each in ask(session, channel, "BTC-USD", "ETH-USD")]
    for book in exchange.market.books * 50:
        for message in exchange.advance(book, NOW):
            (session,) = message.channel.subscribers
            said[session].append(json.loads(message.text)["sequence_num"])
    assert all(numbers == list(range(len(numbers))) for numbers in said.values())
    assert all(len(numbers) > 50 for numbers in said.values())


def test_tickers_and_trades_say_what_the_market_did() -> None:
    exchange = Dialect(1, Random(5))
    (book,) = exchange.market.books
    session = opened(exchange)
    ask(session, "ticker", "BTC-USD")
    ask(session, "market_trades", "BTC-USD")
    said = [json.loads(message.text) for _ in range(200) for message in exchange.advance(book, NOW)]
    *_, last = [each["events"][0]["tickers"][0] for each in said if each["channel"] == "ticker"]
    text, (ticks, lots) = book.instrument, book.bids.top(1)[0]
    assert (last["best_bid"], last["best_bid_quantity"]) == (text.price(ticks), text.size(lots))
    trades = [t for each in said if each["channel"] == "market_trades" for t in reversed(each["events"][0]["trades"])]
    numbers = [int(trade["trade_id"]) for trade in trades]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert {trade["side"] for trade in trades} == {"BUY", "SELL"}


def test_one_bad_product_refuses_its_request_and_what_is_closed_gets_nothing() -> None:
    exchange = Dialect(2, Random(1), frozenset({"ETH-USD"}))
    session = opened(exchange)
    assert ask(session, "ticker", "BTC-USD", "ETH-USD") == [
        {"type": "error", "message": "failed to subscribe: ETH-USD"}
    ]
    assert not exchange.channels()
    assert len(ask(session, "ticker", "BTC-USD")) == 2
    assert len(exchange.channels()) == 1
    (carried,) = ask(session, "ticker", "BTC-USD", kind="unsubscribe")
    assert carried["events"] == [{"subscriptions": {}}]
    ask(session, "ticker", "BTC-USD")
    session.close()
    assert not exchange.channels()


@pytest.mark.parametrize("text", ["{", '{"type":"dance"}', '{"type":"subscribe","channel":"ticker","product_ids":3}'])
def test_what_is_no_request_is_an_error(text: str) -> None:
    (answer,) = opened(Dialect(1, Random(1))).receive(text, NOW)
    assert json.loads(answer)["type"] == "error"


def test_heartbeats_may_be_asked_for_and_nothing_else_is_here() -> None:
    exchange = Dialect(1, Random(1))
    (carried,) = ask(opened(exchange), "heartbeats")
    assert carried["channel"] == "subscriptions"
    assert exchange.open("/other", {}) is None
    assert exchange.rest("/other", {}, NOW, stale=False).status == 404
    assert (exchange.refuse(429).status, exchange.refuse(503).status) == (429, 503)
