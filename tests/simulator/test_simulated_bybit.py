"""The dialects of Bybit, without sockets: a client that follows the documentation gets the exact books."""

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.rebuilding import Sides, true_levels
from tickwire.simulator.dialect import Conversation
from tickwire.simulator.dialects import bybit, bybit_linear
from tickwire.simulator.dialects.bybit import DEPTHS, Dialect

NOW = 1_700_000_000_123_456


def opened(exchange: Dialect) -> Conversation:
    session = exchange.open(f"/v5/public/{exchange.category}", {})
    assert session is not None
    return session


def ask(session: Conversation, op: str, *topics: str) -> list[Any]:
    return [json.loads(text) for text in session.receive(json.dumps({"op": op, "args": topics, "req_id": "7"}), NOW)]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(), depth=st.sampled_from(DEPTHS))
def test_a_client_that_follows_the_documentation_gets_the_exact_books(seed: int, depth: int) -> None:
    """It cuts nothing: a level that leaves the depth is removed by the exchange. Numbers follow one by one."""
    exchange = Dialect(1, Random(seed))
    (book,) = exchange.market.books
    ack, first = ask(opened(exchange), "subscribe", f"orderbook.{depth}.BTCUSDT")
    assert (ack["success"], ack["op"], ack["req_id"], first["type"]) == (True, "subscribe", "7", "snapshot")
    mine, number = Sides(), first["data"]["u"]
    mine.apply(first["data"]["b"], first["data"]["a"])
    for _ in range(80):
        for message in exchange.advance(book, NOW):
            change = json.loads(message.text)
            number += 1
            assert (change["type"], change["data"]["u"], message.losable) == ("delta", number, True)
            mine.apply(change["data"]["b"], change["data"]["a"])
        assert mine.top(10_000) == true_levels(book, depth)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers())
def test_the_best_prices_are_all_of_each_message(seed: int) -> None:
    exchange = Dialect(1, Random(seed))
    (book,) = exchange.market.books
    told = ask(opened(exchange), "subscribe", "orderbook.1.BTCUSDT")[1]
    for _ in range(50):
        for message in exchange.advance(book, NOW):
            told = json.loads(message.text)
        true = true_levels(book, 1)
        assert (told["type"], told["data"]["b"], told["data"]["a"]) == ("snapshot", true["bids"], true["asks"])


def test_trades_are_the_markets() -> None:
    exchange = Dialect(1, Random(3))
    (book,) = exchange.market.books
    ask(opened(exchange), "subscribe", "publicTrade.BTCUSDT")
    told = [json.loads(m.text)["data"] for _ in range(60) for m in exchange.advance(book, NOW)]
    sides = [trade["S"] for trades in told for trade in trades]
    assert sides[-50:] == ["Buy" if deal.buys else "Sell" for deal in book.deals]
    assert set(sides) == {"Buy", "Sell"}


@pytest.mark.parametrize(
    ("module", "text"),
    [
        (bybit, "Invalid symbol :[orderbook.50.ETHUSDT]"),
        (bybit_linear, "error:handler not found,topic:orderbook.50.ETHUSDT"),
    ],
)
def test_one_bad_topic_refuses_all_of_a_request(module: Any, text: str) -> None:
    exchange = module.Dialect(2, Random(1), frozenset({f"ETH-USDT{module.Dialect.suffix}"}))
    (answer,) = ask(opened(exchange), "subscribe", "orderbook.50.BTCUSDT", "orderbook.50.ETHUSDT")
    assert (answer["success"], answer["ret_msg"]) == (False, text)
    assert not any(channel.subscribers for channel in exchange.channels())


def test_a_request_has_ten_topics_at_most_and_none_twice() -> None:
    exchange = Dialect(12, Random(1))
    session = opened(exchange)
    topics = [name for name in exchange.all if name.startswith("publicTrade.")]
    assert ask(session, "subscribe", *topics[:11])[0]["ret_msg"] == "args size >10"
    assert ask(session, "subscribe", *topics[:10])[0]["success"]
    assert ask(session, "subscribe", topics[9])[0]["ret_msg"] == f"error:already subscribed,topic:{topics[9]}"


def test_what_is_unsubscribed_or_closed_gets_nothing_more() -> None:
    exchange = Dialect(1, Random(1))
    session = opened(exchange)
    ask(session, "subscribe", "orderbook.50.BTCUSDT")
    assert ask(session, "unsubscribe", "orderbook.50.BTCUSDT")[0]["success"]
    ask(session, "subscribe", "orderbook.1.BTCUSDT")
    session.close()
    assert not any(channel.subscribers for channel in exchange.channels())


def test_what_is_no_request_and_what_is_no_address_are_refused() -> None:
    exchange = Dialect(1, Random(1))
    assert exchange.open("/v5/public/option", {}) is None
    for text in ("no", "[]", "{}", '{"op":"subscribe"}', '{"op":"dance","args":[]}'):
        (answer,) = opened(exchange).receive(text, NOW)
        assert json.loads(answer)["success"] is False
    (pong,) = opened(exchange).receive('{"op":"ping"}', NOW)
    assert (json.loads(pong)["success"], json.loads(pong)["ret_msg"]) == (True, "pong")
    assert exchange.rest("/other", {}, NOW, stale=False).status == 404
    path = "/v5/market/instruments-info"
    assert json.loads(exchange.rest(path, {"category": "option"}, NOW, stale=False).body)["retCode"] == 10001
    assert (exchange.refuse(429).status, exchange.refuse(503).status) == (429, 503)


@pytest.mark.parametrize("names", [["BTC-USDT-PERP"], ["btc/usdt"], ["BTCUSDT"]])
def test_contracts_have_their_own_names(names: list[str]) -> None:
    (book,) = bybit_linear.Dialect(names, Random(1)).market.books
    assert book.instrument.canonical == "BTC-USDT-PERP"
