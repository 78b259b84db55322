"""The Coinbase Exchange dialect, without sockets: a client that follows the documentation gets the exact books."""

import json
from decimal import Decimal
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.rebuilding import Sides, true_levels
from tickwire.simulator.dialect import Conversation
from tickwire.simulator.dialects.coinbase_exchange import Dialect

NOW = 1_700_000_000_123_456


def ask(session: Conversation, kind: str, channel: str, *products: str) -> list[Any]:
    request = {"type": kind, "channels": [{"name": channel, "product_ids": products}]}
    return [json.loads(text) for text in session.receive(json.dumps(request), NOW)]


def opened(exchange: Dialect) -> Conversation:
    session = exchange.open("/", {})
    assert session is not None
    return session


@settings(max_examples=30, deadline=None)
@given(seed=st.integers())
def test_a_client_that_follows_the_documentation_gets_the_exact_books(seed: int) -> None:
    exchange = Dialect(1, Random(seed))
    (book,) = exchange.market.books
    listed, first = ask(opened(exchange), "subscribe", "level2_batch", "BTC-USD")
    assert listed["channels"] == [{"name": "level2_batch", "product_ids": ["BTC-USD"]}]
    mine = Sides()
    mine.apply(first["bids"], first["asks"])
    for _ in range(100):
        for message in exchange.advance(book, NOW):
            changes = json.loads(message.text)["changes"]
            mine.apply(*([[p, s] for side, p, s in changes if side == name] for name in ("buy", "sell")))
        assert mine.top(400) == true_levels(book)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers())
def test_the_ticker_follows_the_best_levels(seed: int) -> None:
    exchange = Dialect(1, Random(seed))
    (book,) = exchange.market.books
    told = ask(opened(exchange), "subscribe", "ticker", "BTC-USD")[1]
    for _ in range(50):
        for message in exchange.advance(book, NOW):
            told = json.loads(message.text)
        true = true_levels(book)
        assert [[told["best_bid"], told["best_bid_size"]]] == true["bids"][:1]
        assert [[told["best_ask"], told["best_ask_size"]]] == true["asks"][:1]
    assert told["time"] == "2023-11-14T22:13:20.123456Z"


def test_a_match_has_the_makers_side_and_matches_are_numbered_without_holes() -> None:
    exchange = Dialect(1, Random(1))
    (book,) = exchange.market.books
    assert len(ask(opened(exchange), "subscribe", "matches", "BTC-USD")) == 1
    told: list[dict[str, Any]] = []
    for _ in range(100):
        best_ask = book.instrument.price(book.asks.keys[0])
        for message in exchange.advance(book, NOW):
            told.append(json.loads(message.text))
            assert (told[-1]["side"] == "sell") == (Decimal(told[-1]["price"]) >= Decimal(best_ask))
    assert {match["side"] for match in told} == {"buy", "sell"}
    numbers = [match["trade_id"] for match in told]
    assert numbers == list(range(numbers[0], numbers[0] + len(told)))


def test_one_bad_product_refuses_all_of_a_request() -> None:
    exchange = Dialect(2, Random(1), frozenset({"ETH-USD"}))
    session = opened(exchange)
    for product in ("ETH-USD", "NO-NE"):
        (answer,) = ask(session, "subscribe", "level2_batch", "BTC-USD", product)
        assert (answer["type"], answer["reason"]) == ("error", f"{product} is not a valid product")
    (answer,) = ask(session, "subscribe", "level9", "BTC-USD")
    assert answer["reason"] == "level9 is not a valid channel"
    assert not any(channel.subscribers for channel in exchange.channels())


def test_what_is_unsubscribed_or_closed_gets_nothing_more() -> None:
    exchange = Dialect(1, Random(1))
    session = opened(exchange)
    ask(session, "subscribe", "level2_batch", "BTC-USD")
    (listed,) = ask(session, "unsubscribe", "level2_batch", "BTC-USD")
    assert listed["channels"] == []
    ask(session, "subscribe", "ticker", "BTC-USD")
    session.close()
    assert not any(channel.subscribers for channel in exchange.channels())


def test_what_is_no_request_and_what_is_no_address_are_refused() -> None:
    exchange = Dialect(1, Random(1))
    assert exchange.open("/v2", {}) is None
    for text in ("no", "[]", "{}", '{"type":"subscribe"}', '{"type":"dance","channels":[]}'):
        (answer,) = opened(exchange).receive(text, NOW)
        assert json.loads(answer)["type"] == "error"
    assert exchange.rest("/other", {}, NOW, stale=False).status == 404
    assert (exchange.refuse(429).status, exchange.refuse(503).status) == (429, 503)
