"""The Gemini dialect, without sockets: a client that follows the documentation gets the exact books."""

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.rebuilding import Sides, true_levels
from tickwire.simulator.dialect import Conversation
from tickwire.simulator.dialects.gemini import Dialect

NOW = 1_700_000_000_123_456


def opened(exchange: Dialect, **query: str) -> Conversation:
    session = exchange.open("/", {"snapshot": "-1"} | query)
    assert session is not None
    assert session.start(NOW) == []
    return session


def ask(session: Conversation, *streams: str, method: str = "subscribe") -> list[Any]:
    return [
        json.loads(text) for text in session.receive(json.dumps({"id": "7", "method": method, "params": streams}), NOW)
    ]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers())
def test_a_client_that_follows_the_documentation_gets_the_exact_books(seed: int) -> None:
    exchange = Dialect(1, Random(seed))
    (true,) = exchange.market.books
    exchange.advance(true, NOW)
    ack, first = ask(opened(exchange), "btcusd@depth@100ms")
    assert ack == {"id": "7", "status": 200}
    assert first["U"] == first["u"]
    mine, last = Sides(), first["u"]
    mine.apply(first["b"], first["a"])
    for _ in range(60):
        (message,) = exchange.advance(true, NOW)
        change = json.loads(message.text)
        assert (change["U"], change["E"]) == (last + 1, NOW * 1000)
        last = change["u"]
        mine.apply(change["b"], change["a"])
        assert mine.top(400) == true_levels(true)


def test_without_the_address_asking_for_it_no_snapshot_comes() -> None:
    assert len(ask(opened(Dialect(1, Random(1)), snapshot="0"), "btcusd@depth@100ms")) == 1


def test_tickers_and_trades_say_what_the_market_did() -> None:
    exchange = Dialect(1, Random(5))
    (book,) = exchange.market.books
    ask(opened(exchange), "btcusd@bookTicker", "btcusd@trade")
    said = [json.loads(message.text) for _ in range(200) for message in exchange.advance(book, NOW)]
    *_, last = [each for each in said if "B" in each]
    text, (ticks, lots) = book.instrument, book.bids.top(1)[0]
    assert (last["b"], last["B"]) == (text.price(ticks), text.size(lots))
    numbers = [each["t"] for each in said if "t" in each]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert {each["m"] for each in said if "t" in each} == {True, False}


def test_one_bad_stream_refuses_its_request_and_what_is_closed_gets_nothing() -> None:
    exchange = Dialect(2, Random(1), frozenset({"ETH-USD"}))
    session = opened(exchange)
    (refused,) = ask(session, "btcusd@trade", "ethusd@trade")
    assert refused["status"] == 400
    assert not any(channel.subscribers for channel in exchange.channels())
    assert ask(session, "btcusd@trade") == [{"id": "7", "status": 200}]
    assert ask(session, "btcusd@trade", method="unsubscribe") == [{"id": "7", "status": 200}]
    ask(session, "btcusd@trade")
    session.close()
    assert not any(channel.subscribers for channel in exchange.channels())


@pytest.mark.parametrize("text", ["{", '{"method":"dance","params":[]}', '{"method":"subscribe","params":3}'])
def test_what_is_no_request_is_an_error(text: str) -> None:
    (answer,) = opened(Dialect(1, Random(1))).receive(text, NOW)
    assert json.loads(answer)["status"] == 400


def test_a_ping_is_answered_and_nothing_else_is_here() -> None:
    exchange = Dialect(1, Random(1))
    assert opened(exchange).receive('{"id":"ping","method":"ping"}', NOW) == ['{"id":"ping","status":200}']
    assert exchange.open("/other", {}) is None
    assert exchange.rest("/other", {}, NOW, stale=False).status == 404
    assert (exchange.refuse(429).status, exchange.refuse(503).status) == (429, 503)
