"""The Crypto.com dialect, without sockets: a client that follows the documentation gets the exact books."""

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.rebuilding import Sides, true_levels
from tickwire.simulator.dialect import Conversation
from tickwire.simulator.dialects.crypto_com import DEPTHS, Dialect

NOW = 1_700_000_000_123_456


def opened(exchange: Dialect) -> Conversation:
    session = exchange.open("/exchange/v1/market", {})
    assert session is not None
    assert session.start(NOW) == []
    return session


def ask(session: Conversation, *names: str, method: str = "subscribe", **more: str) -> list[Any]:
    params = {"channels": names, "book_subscription_type": "SNAPSHOT_AND_UPDATE", **more}
    return [
        json.loads(text) for text in session.receive(json.dumps({"id": 7, "method": method, "params": params}), NOW)
    ]


def applied(sides: Sides, said: dict[str, Any]) -> None:
    sides.apply(*([level[:2] for level in said[side]] for side in ("bids", "asks")))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(), depth=st.sampled_from(DEPTHS))
def test_a_client_that_follows_the_documentation_gets_the_exact_books(seed: int, depth: int) -> None:
    exchange = Dialect(1, Random(seed))
    (true,) = exchange.market.books
    exchange.advance(true, NOW)
    name = f"book.BTC_USD.{depth}"
    ack, first = ask(opened(exchange), name)
    assert ack == {"id": 7, "method": "subscribe", "code": 0, "channel": name}
    assert (first["result"]["channel"], first["result"]["depth"]) == ("book", depth)
    (whole,) = first["result"]["data"]
    mine, last = Sides(), whole["u"]
    applied(mine, whole)
    for _ in range(60):
        (message,) = exchange.advance(true, NOW)
        (change,) = json.loads(message.text)["result"]["data"]
        assert change["pu"] == last
        last = change["u"]
        applied(mine, change["update"])
        assert mine.top(400) == true_levels(true, depth)


def test_tickers_and_trades_say_what_the_market_did() -> None:
    exchange = Dialect(1, Random(5))
    (book,) = exchange.market.books
    ask(opened(exchange), "ticker.BTC_USD", "trade.BTC_USD")
    said = [json.loads(message.text)["result"] for _ in range(200) for message in exchange.advance(book, NOW)]
    *_, last = [each["data"][0] for each in said if each["channel"] == "ticker"]
    text, (ticks, lots) = book.instrument, book.bids.top(1)[0]
    assert (last["b"], last["bs"]) == (text.price(ticks), text.size(lots))
    trades = [trade for each in said if each["channel"] == "trade" for trade in reversed(each["data"])]
    numbers = [int(trade["d"]) for trade in trades]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert {trade["s"] for trade in trades} == {"BUY", "SELL"}


def test_each_channel_is_answered_by_itself() -> None:
    exchange = Dialect(2, Random(1), frozenset({"ETH-USD"}))
    session = opened(exchange)
    answers = ask(session, "ticker.BTC_USD", "book.ETH_USD.50", "book.NONE.10")
    assert [answer["code"] for answer in answers] == [0, 0, 40004, 40004]
    assert answers[2]["channel"] == "book.ETH_USD.50"
    assert ask(session, "ticker.BTC_USD", method="unsubscribe") == [{"id": 7, "method": "unsubscribe", "code": 0}]
    assert not any(channel.subscribers for channel in exchange.channels())


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"method":"subscribe"}',
        '{"method":"dance","params":{"channels":["ticker.BTC_USD"]}}',
        '{"method":"subscribe","params":{"channels":["book.BTC_USD.50"]}}',
    ],
)
def test_what_is_no_request_is_an_error(text: str) -> None:
    (answer,) = opened(Dialect(1, Random(1))).receive(text, NOW)
    assert json.loads(answer)["code"] == 40004


def test_a_heartbeat_may_be_answered_and_nothing_else_is_here() -> None:
    exchange = Dialect(1, Random(1))
    assert opened(exchange).receive('{"id":1700000000123,"method":"public/respond-heartbeat"}', NOW) == []
    assert exchange.open("/other", {}) is None
    assert exchange.rest("/other", {}, NOW, stale=False).status == 404
    assert (exchange.refuse(429).status, exchange.refuse(503).status) == (429, 503)
