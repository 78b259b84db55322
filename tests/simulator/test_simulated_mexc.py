"""The MEXC dialect, without sockets: a client that follows the documentation gets the exact books."""

import json
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchanges.protobuf import Read
from simulator.rebuilding import Sides
from tickwire.simulator.dialect import Conversation, Message
from tickwire.simulator.dialects.mexc import Dialect

NOW = 1_700_000_000_123_456
NAMES = {name: f"spot@public.aggre.{name}.v3.api.pb@100ms@BTCUSDT" for name in ("bookTicker", "depth", "deals")}


def ask(session: Conversation, method: str, *names: str) -> list[str]:
    texts = session.receive(json.dumps({"method": method, "params": names, "id": 4}), NOW)
    return [json.loads(text)["msg"] for text in texts]


def opened(exchange: Dialect) -> Conversation:
    session = exchange.open("/ws", {})
    assert session is not None
    return session


def read(exchange: Dialect, message: Message) -> Read:
    content = exchange.binary(message.text)
    assert content is not None
    pushed = Read(content)
    assert (pushed.text(1), pushed.text(3), pushed.number(6)) == (message.channel.name, "BTCUSDT", NOW // 1000)
    return pushed


@settings(max_examples=30, deadline=None)
@given(seed=st.integers())
def test_a_client_that_follows_the_documentation_gets_the_exact_books(seed: int) -> None:
    exchange = Dialect(1, Random(seed))
    (book,) = exchange.market.books
    assert ask(opened(exchange), "SUBSCRIPTION", NAMES["depth"]) == [NAMES["depth"]]
    snapshot = json.loads(exchange.rest("/api/v3/depth", {"symbol": "BTCUSDT"}, NOW, stale=False).body)
    mine, last = Sides(), snapshot["lastUpdateId"]
    mine.apply(snapshot["bids"], snapshot["asks"])
    for _ in range(100):
        for message in exchange.advance(book, NOW):
            (depth,) = read(exchange, message).messages(313)
            assert int(depth.text(4)) == last + 1
            last = int(depth.text(5))
            asks, bids = ([[level.text(1), level.text(2)] for level in depth.messages(side)] for side in (1, 2))
            mine.apply(bids, asks)
        text, sides = book.instrument, (("bids", book.bids), ("asks", book.asks))
        assert mine.top(400) == {n: [[text.price(t), text.size(s)] for t, s in side.top()] for n, side in sides}


def test_tickers_and_trades_say_what_the_market_did() -> None:
    exchange = Dialect(1, Random(5))
    (book,) = exchange.market.books
    ask(opened(exchange), "SUBSCRIPTION", NAMES["bookTicker"], NAMES["deals"])
    said = [read(exchange, message) for _ in range(200) for message in exchange.advance(book, NOW)]
    *_, best = [each.messages(315)[0] for each in said if 315 in each]
    text, now = book.instrument, book.best()
    assert [best.text(field) for field in (1, 2, 3, 4)] == [
        text.price(now.bid), text.size(now.bid_lots), text.price(now.ask), text.size(now.ask_lots),
    ]  # fmt: skip
    deals = [deal for each in said if 314 in each for deal in each.messages(314)[0].messages(1)]
    numbers = [int(deal.text(5).removesuffix("X1")) for deal in deals]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert {deal.number(3) for deal in deals} == {1, 2}


def test_a_stale_snapshot_is_older_than_the_book() -> None:
    exchange = Dialect(1, Random(5))
    exchange.advance(exchange.market.books[0], NOW)
    new, old = (
        json.loads(exchange.rest("/api/v3/depth", {"symbol": "BTCUSDT"}, NOW, stale=stale).body)["lastUpdateId"]
        for stale in (False, True)
    )
    assert old < new


def test_answers_are_text_and_a_stream_that_there_is_not_is_refused() -> None:
    exchange = Dialect(2, Random(1), frozenset({"ETH-USDT"}))
    session = opened(exchange)
    refused = NAMES["depth"].replace("BTC", "ETH")
    good, bad = session.receive(
        json.dumps({"method": "SUBSCRIPTION", "params": [NAMES["depth"], refused], "id": 1}), NOW
    )
    assert exchange.binary(good) is None
    assert json.loads(good) == {"id": 1, "code": 0, "msg": NAMES["depth"]}
    assert json.loads(bad)["msg"].startswith(f"Not Subscribed successfully! [{refused}]")


def test_a_connection_carries_thirty_streams() -> None:
    exchange = Dialect(11, Random(1))
    session = opened(exchange)
    names = [channel.name for channel in exchange.channels()]
    said = ask(session, "SUBSCRIPTION", *names)
    assert said[:30] == names[:30]
    assert all(text.startswith("Not Subscribed") for text in said[30:])


@pytest.mark.parametrize("text", ["no", "[]", '{"method":"DANCE","params":[]}', '{"method":"SUBSCRIPTION"}'])
def test_a_wrong_request_is_refused(text: str) -> None:
    (answer,) = opened(Dialect(1, Random(1))).receive(text, NOW)
    assert json.loads(answer)["msg"] == "invalid request"


def test_what_is_unsubscribed_or_closed_gets_nothing_more() -> None:
    exchange = Dialect(1, Random(1))
    session = opened(exchange)
    ask(session, "SUBSCRIPTION", NAMES["depth"])
    assert ask(session, "UNSUBSCRIPTION", NAMES["depth"]) == [NAMES["depth"]]
    ask(session, "SUBSCRIPTION", NAMES["deals"])
    session.close()
    assert not any(channel.subscribers for channel in exchange.channels())
    assert ask(session, "PING") == ["PONG"]
    assert exchange.open("/other", {}) is None
    assert exchange.rest("/api/v3/depth", {}, NOW, stale=False).status == 400
    assert exchange.refuse(429).status == 429
