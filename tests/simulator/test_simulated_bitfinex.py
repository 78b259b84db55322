"""The Bitfinex dialect, without sockets: a client that follows the documentation gets the exact books."""

import json
import zlib
from itertools import count
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.rebuilding import Sides, exact, true_levels
from tickwire.simulator.dialect import Conversation
from tickwire.simulator.dialects.bitfinex import Dialect

NOW = 1_700_000_000_123_456


def opened(exchange: Dialect) -> Conversation:
    session = exchange.open("/ws/2", {})
    assert session is not None
    session.start(NOW)
    return session


def ask(session: Conversation, event: str, **fields: Any) -> list[Any]:
    return [exact(text) for text in session.receive(json.dumps({"event": event, **fields}), NOW)]


def apply(sides: Sides, entries: list[list[str]]) -> None:
    for price, orders, amount in entries:
        level = [[price, amount.removeprefix("-") if orders != "0" else "0"]]
        sides.apply(*(([], level) if amount.startswith("-") else (level, [])))


def crc(levels: dict[str, list[list[str]]]) -> str:
    pairs = zip(levels["bids"], levels["asks"], strict=True)
    value = zlib.crc32(":".join(n for bid, ask in pairs for n in (*bid, ask[0], f"-{ask[1]}")).encode())
    return str(value - 2**32 if value >= 2**31 else value)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(), length=st.sampled_from([25, 100, 250]))
def test_a_client_that_follows_the_documentation_gets_the_exact_books(seed: int, length: int) -> None:
    exchange, numbers = Dialect(1, Random(seed)), count(2)
    (book,) = exchange.market.books
    answer, first = ask(opened(exchange), "subscribe", channel="book", symbol="tBTCUSD", len=str(length))
    assert (answer["event"], first[0], first[2]) == ("subscribed", answer["chanId"], "1")
    mine = Sides()
    apply(mine, first[1])
    for _ in range(60):
        for message in exchange.advance(book, NOW):
            _, content, *rest = exact(message.text)
            assert rest[-2:] == [str(next(numbers)), str(NOW // 1000)]
            if content == "cs":
                assert rest[0] == crc(mine.top(25))
            else:
                apply(mine, [content])
        assert mine.top(400) == true_levels(book, length)


def test_the_numbers_of_a_connection_run_over_all_its_channels_and_are_its_own() -> None:
    exchange = Dialect(2, Random(1))
    one, other = opened(exchange), opened(exchange)
    ask(one, "subscribe", channel="book", symbol="tBTCUSD")
    ask(one, "subscribe", channel="trades", symbol="tETHUSD")
    ask(other, "subscribe", channel="book", symbol="tETHUSD")
    numbers: dict[Conversation, list[int]] = {one: [], other: []}
    for _ in range(100):
        for message in exchange.advance(exchange.market.pick(), NOW):
            (session,) = message.channel.subscribers
            numbers[session].append(json.loads(message.text)[-2])
    assert numbers[one] == list(range(3, 3 + len(numbers[one])))
    assert numbers[other] == list(range(2, 2 + len(numbers[other])))


def test_a_trade_is_told_twice_with_the_takers_side_as_its_sign() -> None:
    exchange = Dialect(1, Random(1))
    ask(opened(exchange), "subscribe", channel="trades", symbol="tBTCUSD")
    (book,) = exchange.market.books
    told = [exact(message.text) for _ in range(200) for message in exchange.advance(book, NOW)]
    assert told
    assert [kind for _, kind, *_ in told] == ["te", "tu"] * (len(told) // 2)
    assert [trade[2] for trade in told[::2]] == [trade[2] for trade in told[1::2]]
    assert {trade[2][2].startswith("-") for trade in told} == {True, False}


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"event": "subscribe", "channel": "book", "symbol": "tNONE"}, 10300),
        ({"event": "subscribe", "channel": "book", "symbol": "tETHUSD"}, 10300),
        ({"event": "subscribe", "channel": "book", "symbol": "tBTCUSD"}, 10301),
        ({"event": "subscribe", "channel": "candles", "symbol": "tBTCUSD"}, 10302),
        ({"event": "unsubscribe", "chanId": 99}, 10400),
        ({"event": "dance"}, 10000),
        ({}, 10000),
        ([], 10000),
    ],
)
def test_what_is_wrong_is_an_error_with_its_number(request_: Any, code: int) -> None:
    exchange = Dialect(2, Random(1), frozenset({"ETH-USD"}))
    session = opened(exchange)
    ask(session, "subscribe", channel="book", symbol="tBTCUSD")
    (answer,) = session.receive(json.dumps(request_), NOW)
    assert json.loads(answer)["code"] == code


def test_a_checksum_can_be_spoiled_and_nothing_else() -> None:
    exchange = Dialect(1, Random(1))
    assert exchange.spoil('[1,"cs",-5,7,8]') == '[1,"cs",-4,7,8]'
    assert exchange.spoil("[1,[2,1,3],7,8]") == "[1,[2,1,3],7,8]"


def test_what_is_unsubscribed_or_closed_gets_nothing_more() -> None:
    exchange = Dialect(1, Random(1))
    session = opened(exchange)
    answer, _ = ask(session, "subscribe", channel="book", symbol="tBTCUSD")
    assert ask(session, "unsubscribe", chanId=int(answer["chanId"]))[0]["status"] == "OK"
    ask(session, "subscribe", channel="trades", symbol="tBTCUSD")
    assert len(list(exchange.channels())) == 1
    session.close()
    assert not list(exchange.channels())
    assert exchange.advance(exchange.market.pick(), NOW) == []


def test_names_of_more_than_three_letters_are_split_by_a_colon() -> None:
    exchange = Dialect(["BTC-USD", "DOGE-USD"], Random(1))
    listed = exchange.rest("/v2/conf/pub:list:pair:exchange", {}, NOW, stale=False)
    assert json.loads(listed.body) == [["BTCUSD", "DOGE:USD"]]
    assert exchange.rest("/v2/other", {}, NOW, stale=False).status == 404
    assert exchange.open("/ws/1", {}) is None
    assert (exchange.refuse(429).status, exchange.refuse(503).status) == (429, 503)
    assert ask(opened(exchange), "ping")[0]["event"] == "pong"
    assert ask(opened(exchange), "conf", flags=229376)[0]["flags"] == "229376"
