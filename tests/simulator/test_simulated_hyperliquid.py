"""The Hyperliquid dialect: whole books, history before trades, answers that repeat the request, listings by POST."""

import json
from random import Random
from typing import Any

import aiohttp
import pytest

from tickwire.simulator.dialect import Conversation
from tickwire.simulator.dialects.hyperliquid import Dialect
from tickwire.simulator.server import SimulatedExchange

NOW = 1_700_000_000_123_456


def ask(session: Conversation, method: str, kind: str, coin: str = "BTC") -> list[Any]:
    request = {"method": method, "subscription": {"type": kind, "coin": coin}}
    return [json.loads(text) for text in session.receive(json.dumps(request), NOW)]


def opened(exchange: Dialect) -> Conversation:
    session = exchange.open("/ws", {})
    assert session is not None
    assert session.start(NOW) == []
    return session


def test_every_message_is_the_whole_book() -> None:
    exchange = Dialect(1, Random(3))
    (book,) = exchange.market.books
    answer, first = ask(opened(exchange), "subscribe", "l2Book")
    assert answer["channel"] == "subscriptionResponse"
    assert answer["data"]["subscription"] == {"type": "l2Book", "coin": "BTC", "nSigFigs": None, "mantissa": None}
    text = book.instrument
    for message in (first, *(json.loads(m.text) for _ in range(50) for m in exchange.advance(book, NOW))):
        assert message["channel"] == "l2Book"
    for levels, side in zip(message["data"]["levels"], (book.bids, book.asks), strict=True):
        assert [(level["px"], level["sz"]) for level in levels] == [
            (text.price(t), text.size(s)) for t, s in side.top(20)
        ]


def test_the_first_trades_are_those_from_before_the_subscription() -> None:
    exchange = Dialect(1, Random(5))
    (book,) = exchange.market.books
    while len(book.deals) < 3:
        exchange.advance(book, NOW)
    before = [deal.number for deal in book.deals]
    _, first = ask(opened(exchange), "subscribe", "trades")
    assert [trade["tid"] for trade in first["data"]] == before
    told = [json.loads(m.text) for _ in range(100) for m in exchange.advance(book, NOW)]
    new = [trade["tid"] for message in told for trade in message["data"]]
    assert new == list(range(before[-1] + 1, before[-1] + 1 + len(new)))
    assert {trade["side"] for message in told for trade in message["data"]} == {"A", "B"}


def test_best_prices_are_told_at_once_and_with_each_change() -> None:
    exchange = Dialect(1, Random(5))
    (book,) = exchange.market.books
    _, *said = ask(opened(exchange), "subscribe", "bbo")
    assert len(said) == 1
    said += [json.loads(m.text) for _ in range(50) for m in exchange.advance(book, NOW)]
    text, best = book.instrument, book.best()
    assert [(side["px"], side["sz"]) for side in said[-1]["data"]["bbo"]] == [
        (text.price(best.bid), text.size(best.bid_lots)), (text.price(best.ask), text.size(best.ask_lots)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "coin", "text"),
    [
        ("subscribe", "NONE", 'Invalid subscription {"type":"l2Book","coin":"NONE"}'),
        ("subscribe", "BTC", 'Already subscribed: {"type":"l2Book","coin":"BTC"}'),
        ("unsubscribe", "ETH", 'Already unsubscribed: {"type":"l2Book","coin":"ETH"}'),
        ("dance", "BTC", "Error parsing JSON into valid websocket request: "),
    ],
)
def test_an_error_repeats_what_was_asked_for(method: str, coin: str, text: str) -> None:
    session = opened(Dialect(2, Random(1)))
    ask(session, "subscribe", "l2Book")
    (error,) = ask(session, method, "l2Book", coin)
    assert error["channel"] == "error"
    assert error["data"].startswith(text)


def test_what_is_unsubscribed_or_closed_gets_nothing_more() -> None:
    exchange = Dialect(1, Random(1))
    session = opened(exchange)
    ask(session, "subscribe", "l2Book")
    assert ask(session, "unsubscribe", "l2Book")[0]["data"]["method"] == "unsubscribe"
    ask(session, "subscribe", "bbo")
    session.close()
    assert not any(channel.subscribers for channel in exchange.channels())
    assert session.receive('{"method":"ping"}', NOW) == ['{"channel":"pong"}']
    assert exchange.open("/other", {}) is None
    assert exchange.refuse(429).status == 429


@pytest.mark.parametrize(
    ("path", "body", "status", "length"),
    [
        ("/info", '{"type":"meta"}', 200, 2),
        ("/info", '{"type":"meta","dex":"xyz"}', 200, 2),
        ("/info", '{"type":"spotMeta"}', 200, 0),
        ("/info", '{"type":"unheard"}', 422, None),
        ("/info", "[]", 422, None),
        ("/info", "no", 422, None),
        ("/other", '{"type":"meta"}', 422, None),
    ],
)
async def test_listings_are_asked_for_by_post(path: str, body: str, status: int, length: int | None) -> None:
    async with (
        SimulatedExchange("hyperliquid", 2, 0) as exchange,
        aiohttp.ClientSession() as session,
        session.post(exchange.rest_url + path, data=body) as answer,
    ):
        assert answer.status == status
        if length is not None:
            assert len((await answer.json())["universe"]) == length
