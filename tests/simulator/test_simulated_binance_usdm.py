"""The Binance USD-M dialect, without sockets: two routes, events linked by ``pu``, its own weights and names."""

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.rebuilding import Sides, true_levels
from tickwire.simulator.dialect import Conversation
from tickwire.simulator.dialects.binance_usdm import Dialect

NOW = 1_700_000_000_123_456


def opened(exchange: Dialect, path: str = "/public/stream") -> Conversation:
    session = exchange.open(path, {})
    assert session is not None
    session.start(NOW)
    return session


def subscribe(session: Conversation, *streams: str) -> Any:
    (answer,) = session.receive(json.dumps({"method": "SUBSCRIBE", "params": streams, "id": 1}), NOW)
    return json.loads(answer)


def events(exchange: Dialect, steps: int = 1) -> list[Any]:
    return [json.loads(m.text)["data"] for _ in range(steps) for m in exchange.advance(exchange.market.pick(), NOW)]


def snapshot(exchange: Dialect, limit: int = 1000) -> Any:
    query = {"symbol": "BTCUSDT", "limit": str(limit)}
    return json.loads(exchange.rest("/fapi/v1/depth", query, NOW, stale=False).body)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(), late=st.integers(0, 5))
def test_a_client_that_follows_the_documentation_gets_the_exact_books(seed: int, late: int) -> None:
    exchange = Dialect(1, Random(seed))
    subscribe(opened(exchange), "btcusdt@depth@100ms")
    kept = events(exchange, late + 1)
    start = snapshot(exchange)
    kept = [event for event in kept + events(exchange, 30) if event["u"] >= start["lastUpdateId"]]
    assert kept[0]["U"] <= start["lastUpdateId"] <= kept[0]["u"]
    mine, last = Sides(), kept[0]["pu"]
    mine.apply(start["bids"], start["asks"])
    for event in kept:
        assert event["pu"] == last
        mine.apply(event["b"], event["a"])
        last = event["u"]
    (book,) = exchange.market.books
    assert mine.top(400) == true_levels(book)


@pytest.mark.parametrize(
    ("path", "kinds"),
    [("/public/stream", {"bookTicker", "depthUpdate"}), ("/market/stream", {"aggTrade"})],
)
def test_a_stream_of_the_other_route_is_accepted_and_stays_silent(path: str, kinds: set[str]) -> None:
    exchange = Dialect(1, Random(2))
    session = opened(exchange, path)
    answer = subscribe(session, "btcusdt@depth@100ms", "btcusdt@bookTicker", "btcusdt@aggTrade")
    assert answer == {"result": None, "id": 1}
    assert {event["e"] for event in events(exchange, 100)} == kinds


def test_trades_and_best_prices_are_the_markets() -> None:
    exchange = Dialect(1, Random(3))
    subscribe(opened(exchange), "btcusdt@bookTicker")
    subscribe(opened(exchange, "/market/stream"), "btcusdt@aggTrade")
    told = events(exchange, 100)
    (book,) = exchange.market.books
    trades = [(event["a"], event["m"]) for event in told if event["e"] == "aggTrade"]
    assert trades[-50:] == [(deal.number, not deal.buys) for deal in book.deals]
    best = [event for event in told if event["e"] == "bookTicker"][-1]
    true = true_levels(book)
    assert ([best["b"], best["B"]], [best["a"], best["A"]], best["E"]) == (
        true["bids"][0],
        true["asks"][0],
        NOW // 1000,
    )


def test_a_snapshot_has_a_thousand_levels_at_most_and_weighs_its_own() -> None:
    exchange = Dialect(1, Random(1))
    weights = []
    for limit in (5, 100, 500, 5000):
        query = {"symbol": "BTCUSDT", "limit": str(limit)}
        weights.append(int(exchange.rest("/fapi/v1/depth", query, NOW, stale=False).headers["X-MBX-USED-WEIGHT-1M"]))
    assert weights == [2, 7, 17, 37]
    for _ in range(118):
        snapshot(exchange)
    assert exchange.rest("/fapi/v1/depth", {"symbol": "BTCUSDT", "limit": "1000"}, NOW, stale=False).status == 429


def test_contracts_are_listed_by_their_own_names() -> None:
    exchange = Dialect(["ETH-USDT-PERP"], Random(1))
    (listed,) = json.loads(exchange.rest("/fapi/v1/exchangeInfo", {}, NOW, stale=False).body)["symbols"]
    assert (listed["symbol"], listed["contractType"], listed["marginAsset"]) == ("ETHUSDT", "PERPETUAL", "USDT")
    assert exchange.market.books[0].instrument.canonical == "ETH-USDT-PERP"


@pytest.mark.parametrize("path", ["/", "/stream", "/ws", "/private/ws", "/public", "/public/other"])
def test_there_is_nothing_at_other_addresses(path: str) -> None:
    assert Dialect(1, Random(1)).open(path, {}) is None
