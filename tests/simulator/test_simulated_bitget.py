"""The Bitget dialect, without sockets: a client that follows the documentation gets the exact books."""

import json
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.rebuilding import Sides, true_levels
from tickwire.simulator.dialect import Conversation
from tickwire.simulator.dialects.bitget import Dialect

NOW = 1_700_000_000_123_456


def opened(exchange: Dialect) -> Conversation:
    session = exchange.open("/v2/ws/public", {})
    assert session is not None
    assert session.start(NOW) == []
    return session


def ask(session: Conversation, *args: tuple[str, str], op: str = "subscribe") -> list[Any]:
    named = [{"instType": "SPOT", "channel": channel, "instId": name} for channel, name in args]
    return [json.loads(text) for text in session.receive(json.dumps({"op": op, "args": named}), NOW)]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers())
def test_a_client_that_follows_the_documentation_gets_the_exact_books(seed: int) -> None:
    exchange = Dialect(1, Random(seed))
    (true,) = exchange.market.books
    exchange.advance(true, NOW)
    ack, first = ask(opened(exchange), ("books", "BTCUSDT"))
    assert ack == {"event": "subscribe", "arg": {"instType": "SPOT", "channel": "books", "instId": "BTCUSDT"}}
    (whole,) = first["data"]
    assert (first["action"], whole["pseq"]) == ("snapshot", 0)
    mine, last = Sides(), whole["seq"]
    mine.apply(whole["bids"], whole["asks"])
    for _ in range(60):
        (message,) = exchange.advance(true, NOW)
        (change,) = json.loads(message.text)["data"]
        assert change["pseq"] == last
        last = change["seq"]
        mine.apply(change["bids"], change["asks"])
        assert mine.top(400) == true_levels(true)


def test_the_best_prices_and_trades_say_what_the_market_did() -> None:
    exchange = Dialect(1, Random(5))
    (book,) = exchange.market.books
    for _ in range(50):
        exchange.advance(book, NOW)
    session = opened(exchange)
    _, best, _, before = ask(session, ("books1", "BTCUSDT"), ("trade", "BTCUSDT"))
    assert (best["action"], before["action"]) == ("snapshot", "snapshot")
    said = [json.loads(message.text) for _ in range(200) for message in exchange.advance(book, NOW)]
    *_, last = [each["data"][0] for each in said if each["arg"]["channel"] == "books1"]
    text, (ticks, lots) = book.instrument, book.bids.top(1)[0]
    assert last["bids"] == [[text.price(ticks), text.size(lots)]]
    trades = [trade for each in said if each["arg"]["channel"] == "trade" for trade in reversed(each["data"])]
    numbers = [int(trade["tradeId"]) for trade in [*reversed(before["data"]), *trades]]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert {trade["side"] for trade in trades} == {"buy", "sell"}


def test_each_subscription_is_answered_by_itself() -> None:
    exchange = Dialect(2, Random(1), frozenset({"ETH-USDT"}))
    session = opened(exchange)
    args = ("books1", "BTCUSDT"), ("books", "ETHUSDT"), ("books", "NONE")
    answers = ask(session, *args)
    assert [answer.get("event", "data") for answer in answers] == ["subscribe", "data", "error", "error"]
    assert (answers[2]["arg"]["instId"], answers[2]["code"]) == ("ETHUSDT", 30001)
    assert [answer["event"] for answer in ask(session, *args[:1], op="unsubscribe")] == ["unsubscribe"]
    assert not any(channel.subscribers for channel in exchange.channels())
    ask(session, *args[:1])
    session.close()
    assert not any(channel.subscribers for channel in exchange.channels())


def test_a_ping_is_answered_and_what_is_no_request_is_an_error() -> None:
    exchange = Dialect(1, Random(1))
    session = opened(exchange)
    assert session.receive("ping", NOW) == ["pong"]
    for text, code in (("{", 30016), ('{"op":"subscribe"}', 30016), ('{"op":"x","args":[]}', 30003)):
        (answer,) = session.receive(text, NOW)
        assert (json.loads(answer)["event"], json.loads(answer)["code"]) == ("error", code)
    assert exchange.open("/other", {}) is None
    assert exchange.rest("/other", {}, NOW, stale=False).status == 404
    assert (exchange.refuse(429).status, exchange.refuse(503).status) == (429, 503)
