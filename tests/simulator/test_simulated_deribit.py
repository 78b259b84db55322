"""The Deribit dialect, without sockets: a client that follows the documentation gets the exact books."""

import json
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.rebuilding import Sides, exact, true_levels
from tickwire.simulator.dialect import Conversation
from tickwire.simulator.dialects.deribit import Dialect

NOW = 1_700_000_000_123_456
BOOK = "book.BTC_USDC.100ms"


def ask(session: Conversation, method: str, *channels: str) -> list[Any]:
    request = {"jsonrpc": "2.0", "id": 7, "method": f"public/{method}", "params": {"channels": channels}}
    return [exact(text) for text in session.receive(json.dumps(request), NOW)]


def opened(exchange: Dialect) -> Conversation:
    session = exchange.open("/ws/api/v2", {})
    assert session is not None
    return session


def apply(sides: Sides, data: Any, known: tuple[set[str], set[str]]) -> None:
    """Apply levels, each of which must be of the kind that it says."""
    for levels, prices in zip((data["bids"], data["asks"]), known, strict=True):
        for action, price, size in levels:
            assert (action == "new") is (price not in prices)
            assert (action == "delete") is (float(size) == 0)
            (prices.discard if action == "delete" else prices.add)(price)
    sides.apply(*([[price, size] for _, price, size in data[name]] for name in ("bids", "asks")))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers())
def test_a_client_that_follows_the_documentation_gets_the_exact_books(seed: int) -> None:
    exchange = Dialect(1, Random(seed))
    (book,) = exchange.market.books
    answer, first = ask(opened(exchange), "subscribe", BOOK)
    assert answer["result"] == [BOOK]
    data, mine, known = first["params"]["data"], Sides(), (set[str](), set[str]())
    assert (data["type"], "prev_change_id" in data) == ("snapshot", False)
    apply(mine, data, known)
    last = data["change_id"]
    for _ in range(100):
        for message in exchange.advance(book, NOW):
            data = exact(message.text)["params"]["data"]
            assert (data["type"], data["prev_change_id"]) == ("change", last)
            last = data["change_id"]
            apply(mine, data, known)
        assert mine.top(400) == true_levels(book)


def test_quotes_and_trades_say_what_the_market_did() -> None:
    exchange = Dialect(1, Random(5))
    (book,) = exchange.market.books
    ask(opened(exchange), "subscribe", "quote.BTC_USDC", "trades.BTC_USDC.100ms")
    pushed = [exact(message.text)["params"] for _ in range(200) for message in exchange.advance(book, NOW)]
    *_, best = [each["data"] for each in pushed if each["channel"] == "quote.BTC_USDC"]
    trades = [trade for each in pushed if each["channel"] == "trades.BTC_USDC.100ms" for trade in each["data"]]
    assert best["best_bid_price"] == book.instrument.price(book.bids.top(1)[0][0])
    assert best["best_ask_price"] == book.instrument.price(book.asks.top(1)[0][0])
    numbers = [int(trade["trade_seq"]) for trade in trades]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert {trade["direction"] for trade in trades} == {"buy", "sell"}


def test_what_is_not_carried_is_missing_from_the_answer_and_what_is_carried_gets_no_second_snapshot() -> None:
    session = opened(Dialect(2, Random(1), frozenset({"ETH-USDC"})))
    answer, _ = ask(session, "subscribe", "book.NO_NE.100ms", "quote.ETH_USDC", BOOK, "quote.BTC_USDC")
    assert sorted(answer["result"]) == [BOOK, "quote.BTC_USDC"]
    assert [each["result"] for each in ask(session, "subscribe", BOOK)] == [[BOOK]]
    assert [each["result"] for each in ask(session, "unsubscribe", BOOK, "quote.ETH_USDC")] == [[BOOK]]
    assert len(ask(session, "subscribe", BOOK)) == 2


def test_heartbeats_are_accepted_and_a_test_is_answered() -> None:
    session = opened(Dialect(1, Random(1)))
    assert ask(session, "set_heartbeat")[0]["result"] == "ok"
    assert "version" in ask(session, "test")[0]["result"]


def test_what_is_closed_gets_nothing_more_and_what_is_no_request_is_an_error() -> None:
    exchange = Dialect(1, Random(1))
    session = opened(exchange)
    ask(session, "subscribe", BOOK)
    session.close()
    assert not any(channel.subscribers for channel in exchange.channels())
    for text in ("no", "[]", "{}"):
        (answer,) = session.receive(text, NOW)
        assert json.loads(answer)["error"]["code"] == 11050
    assert ask(session, "dance")[0]["error"]["code"] == "-32601"
    assert exchange.open("/other", {}) is None
    assert exchange.rest("/other", {}, NOW, stale=False).status == 404
    assert (exchange.refuse(429).status, exchange.refuse(503).status) == (429, 503)
