"""The Bitstamp dialect, without sockets: a client that follows the documentation gets the exact books."""

import json
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.rebuilding import Sides, true_levels
from tickwire.simulator.dialect import Conversation
from tickwire.simulator.dialects.bitstamp import Dialect

NOW = 1_700_000_000_123_456
PATH = "/api/v2/order_book/btcusd/"


def ask(session: Conversation, event: str, channel: str = "") -> Any:
    (answer,) = session.receive(json.dumps({"event": event, "data": {"channel": channel}}), NOW)
    return json.loads(answer)


def opened(exchange: Dialect) -> Conversation:
    session = exchange.open("/", {})
    assert session is not None
    return session


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(), before=st.integers(0, 30))
def test_a_client_that_follows_the_documentation_gets_the_exact_books(seed: int, before: int) -> None:
    exchange = Dialect(1, Random(seed))
    (book,) = exchange.market.books
    answer = ask(opened(exchange), "bts:subscribe", "diff_order_book_btcusd")
    assert answer["event"] == "bts:subscription_succeeded"
    kept = [json.loads(m.text)["data"] for _ in range(before) for m in exchange.advance(book, NOW)]
    snapshot = json.loads(exchange.rest(PATH, {}, NOW, stale=False).body)
    kept += [json.loads(m.text)["data"] for _ in range(50) for m in exchange.advance(book, NOW)]
    mine = Sides()
    mine.apply(snapshot["bids"], snapshot["asks"])
    for change in kept:
        if int(change["microtimestamp"]) > int(snapshot["microtimestamp"]) or not before:
            mine.apply(change["bids"], change["asks"])
    assert mine.top(400) == true_levels(book)


def test_a_stale_snapshot_is_the_book_of_the_beginning_with_a_time_long_past() -> None:
    exchange = Dialect(1, Random(1))
    (book,) = exchange.market.books
    opening = true_levels(book)
    for _ in range(20):
        exchange.advance(book, NOW)
    stale = json.loads(exchange.rest(PATH, {}, NOW, stale=True).body)
    assert {side: stale[side] for side in ("bids", "asks")} == opening
    assert int(stale["microtimestamp"]) < NOW - 3600 * 10**6


def test_trades_have_the_takers_side_and_exact_text() -> None:
    exchange = Dialect(1, Random(1))
    ask(opened(exchange), "bts:subscribe", "live_trades_btcusd")
    (book,) = exchange.market.books
    told = [json.loads(m.text) for _ in range(200) for m in exchange.advance(book, NOW)]
    assert {(trade["event"], trade["data"]["type"]) for trade in told} == {("trade", 0), ("trade", 1)}
    numbers = [trade["data"]["id"] for trade in told]
    assert numbers == list(range(numbers[0], numbers[0] + len(told)))
    assert all(len(trade["data"]["amount_str"].split(".")[1]) == 8 for trade in told)


def test_what_is_refused_or_no_request_is_an_error() -> None:
    exchange = Dialect(2, Random(1), frozenset({"ETH-USD"}))
    session = opened(exchange)
    for channel in ("diff_order_book_ethusd", "diff_order_book_none", "order_book_btcusd"):
        answer = ask(session, "bts:subscribe", channel)
        assert (answer["event"], answer["channel"]) == ("bts:error", channel)
    assert ask(session, "bts:dance", "live_trades_btcusd")["event"] == "bts:error"
    for text in ("no", "[]", "{}", '{"event":"bts:subscribe","data":1}'):
        (answer,) = session.receive(text, NOW)
        assert json.loads(answer)["event"] == "bts:error"
    assert ask(session, "bts:heartbeat")["data"] == {"status": "success"}
    assert exchange.open("/v2", {}) is None
    assert exchange.rest("/api/v2/order_book/none/", {}, NOW, stale=False).status == 404
    assert exchange.refuse(429).status == 429


def test_what_is_unsubscribed_or_closed_gets_nothing_more() -> None:
    exchange = Dialect(1, Random(1))
    session = opened(exchange)
    ask(session, "bts:subscribe", "diff_order_book_btcusd")
    assert ask(session, "bts:unsubscribe", "diff_order_book_btcusd")["event"] == "bts:unsubscription_succeeded"
    ask(session, "bts:subscribe", "live_trades_btcusd")
    session.close()
    assert not any(channel.subscribers for channel in exchange.channels())
