"""The Kraken dialect, without sockets: a client that follows the documentation gets the exact books."""

import json
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from simulator.rebuilding import KrakenBook, exact, true_levels
from tickwire.simulator.dialect import Conversation, Message
from tickwire.simulator.dialects.kraken import DEPTHS, Dialect

NOW = 1_700_000_000_123_456


def opened(exchange: Dialect) -> Conversation:
    session = exchange.open("/v2", {})
    assert session is not None
    session.start(NOW)
    return session


def ask(session: Conversation, method: str = "subscribe", **params: Any) -> list[Any]:
    return [exact(text) for text in session.receive(json.dumps({"method": method, "params": params, "req_id": 9}), NOW)]


def run(exchange: Dialect, steps: int) -> list[Message]:
    return [m for _ in range(steps) for m in exchange.advance(exchange.market.pick(), NOW)]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(), depth=st.sampled_from(DEPTHS))
def test_a_client_that_follows_the_documentation_gets_the_exact_books(seed: int, depth: int) -> None:
    exchange = Dialect(1, Random(seed))
    run(exchange, 30)
    ack, first = ask(opened(exchange), channel="book", symbol=["BTC/USD"], depth=depth)
    assert ack["result"] == {"channel": "book", "depth": str(depth), "snapshot": True, "symbol": "BTC/USD"}
    mine, (true,) = KrakenBook(depth), exchange.market.books
    mine.message(first)
    for _ in range(150):
        for message in exchange.advance(true, NOW):
            update = exact(message.text)
            for side, known in (("bids", mine.sides.bids), ("asks", mine.sides.asks)):
                removed = [level["price"] for level in update["data"][0][side] if not Decimal(level["qty"])]
                assert all(Decimal(price) in known for price in removed)
            mine.message(update)
        assert mine.sides.top(depth) == true_levels(true, depth)
    assert mine.wrong == 0


@given(seed=st.integers())
@example(seed=1050)  # a removal is lost, and the removed level comes back in the next step
@settings(max_examples=30, deadline=None)
def test_a_loss_that_a_fault_may_cause_shows_in_the_next_checksum_or_did_no_harm(seed: int) -> None:
    exchange = Dialect(1, Random(seed))
    mine, (true,) = KrakenBook(25), exchange.market.books
    mine.message(ask(opened(exchange), channel="book", symbol=["BTC/USD"], depth=25)[1])
    lost = False
    for _ in range(60):
        for message in exchange.advance(true, NOW):
            if message.losable and not lost:
                lost = True
                continue
            mine.message(exact(message.text))
            assert mine.wrong or mine.sides.top(25) == true_levels(true, 25)
            if lost:
                return


def test_trades_come_after_a_snapshot_of_those_before_each_once() -> None:
    exchange = Dialect(1, Random(2))
    run(exchange, 200)
    ack, first = ask(opened(exchange), channel="trade", symbol=["BTC/USD"])
    assert ack["result"] == {"channel": "trade", "snapshot": True, "symbol": "BTC/USD"}
    updates = [exact(message.text) for message in run(exchange, 200)]
    ids = [int(trade["trade_id"]) for message in (first, *updates) for trade in message["data"]]
    assert (first["type"], {message["type"] for message in updates}) == ("snapshot", {"update"})
    assert len(first["data"]) == 50
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    (without,) = ask(opened(exchange), channel="trade", symbol=["BTC/USD"], snapshot=False)
    assert without["success"]


def test_depths_are_told_apart_and_updates_say_only_what_lies_within() -> None:
    exchange = Dialect(1, Random(2))
    session, deep = opened(exchange), opened(exchange)
    ask(session, channel="book", symbol=["BTC/USD"], depth=10)
    ask(deep, channel="book", symbol=["BTC/USD"], depth=1000)
    counts = {10: 0, 1000: 0}
    for message in run(exchange, 300):
        counts[int(message.channel.name.split()[-1])] += 1
    assert 0 < counts[10] < counts[1000]


@given(seed=st.integers())
@settings(max_examples=20, deadline=None)
def test_the_ticker_follows_the_best_levels(seed: int) -> None:
    exchange = Dialect(1, Random(seed))
    _, first = ask(opened(exchange), channel="ticker", symbol=["BTC/USD"], event_trigger="bbo")
    (book,) = exchange.market.books
    assert first["type"] == "snapshot"
    told = first["data"][0]
    for _ in range(100):
        for message in exchange.advance(book, NOW):
            told = exact(message.text)["data"][0]
        true = true_levels(book, 1)
        assert [[told["bid"], told["bid_qty"]]] == true["bids"]
        assert [[told["ask"], told["ask_qty"]]] == true["asks"]


def test_numbers_keep_their_zeros_and_times_their_microseconds() -> None:
    exchange = Dialect(1, Random(1))
    session = opened(exchange)
    (text,) = session.receive('{"method":"ping","req_id":3}', NOW)
    assert json.loads(text)["time_in"] == "2023-11-14T22:13:20.123456Z"
    request = {"method": "subscribe", "params": {"channel": "book", "symbol": ["BTC/USD"], "depth": 1000}}
    snapshot = session.receive(json.dumps(request), NOW)[1]
    for side in ("bids", "asks"):
        for level in exact(snapshot)["data"][0][side]:
            assert len(level["price"].split(".")[1]) == 1
            assert len(level["qty"].split(".")[1]) == 8


def test_acknowledgements_come_one_a_symbol_with_the_request_id() -> None:
    session = opened(Dialect(2, Random(1)))
    answers = ask(session, channel="ticker", symbol=["BTC/USD", "FOO/BAR", "ETH/USD"], event_trigger="bbo")
    acks = [a for a in answers if "method" in a]
    assert [a["success"] for a in acks] == [True, False, True]
    assert {a["req_id"] for a in acks} == {"9"}
    assert acks[1]["error"] == "Currency pair not supported FOO/BAR"
    assert acks[1]["symbol"] == "FOO/BAR"


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"channel": "book", "symbol": ["BTC/USD"], "depth": 11}, "Subscription depth not supported"),
        ({"channel": "fame", "symbol": ["BTC/USD"]}, "Broadcast fame not supported"),
        ({"channel": "ticker", "symbol": ["BTC/USD"], "event_trigger": "x"}, "Event trigger not supported"),
        ({"channel": "book", "symbol": []}, "Malformed request"),
        ({"channel": "book"}, "Malformed request"),
    ],
)
def test_wrong_subscriptions_are_refused(params: dict[str, Any], error: str) -> None:
    (answer,) = ask(opened(Dialect(1, Random(1))), **params)
    assert (answer["success"], answer["error"]) == (False, error)


@pytest.mark.parametrize("text", ["{", "[]", "1", '{"method":"subscribe","params":3}', '{"method":"dance"}'])
def test_what_cannot_be_understood_is_answered_with_an_error(text: str) -> None:
    (answer,) = opened(Dialect(1, Random(1))).receive(text, NOW)
    assert json.loads(answer)["success"] is False


def test_twice_is_an_error_and_unsubscribed_means_silence() -> None:
    exchange = Dialect(1, Random(1))
    session = opened(exchange)
    book: dict[str, Any] = {"channel": "book", "symbol": ["BTC/USD"], "depth": 10}
    ask(session, **book)
    assert ask(session, **book)[0]["error"] == "Already subscribed"
    assert run(exchange, 50)
    assert ask(session, "unsubscribe", **book)[0]["success"] is True
    assert run(exchange, 50) == []
    assert ask(session, "unsubscribe", **book)[0]["success"] is False
    ask(session, **book)
    session.close()
    assert run(exchange, 50) == []


def test_a_ticker_by_trades_says_nothing_after_its_snapshot_because_nothing_is_traded() -> None:
    exchange = Dialect(1, Random(1))
    assert len(ask(opened(exchange), channel="ticker", symbol=["BTC/USD"])) == 2
    assert run(exchange, 50) == []


def test_a_refused_symbol_is_listed_and_not_subscribed() -> None:
    exchange = Dialect(2, Random(1), frozenset({"ETH-USD"}))
    answers = ask(opened(exchange), channel="book", symbol=["BTC/USD", "ETH/USD"])
    assert answers[-1]["error"] == "Currency pair not supported ETH/USD"
    assert "ETHUSD" in exchange.rest("/0/public/AssetPairs", {}, NOW, stale=False).body


def test_the_listing_has_the_old_names_as_kraken_does() -> None:
    exchange = Dialect(["BTC-USD", "ETH-USD", "DOGE-USD"], Random(1))
    pairs = json.loads(exchange.rest("/0/public/AssetPairs", {}, NOW, stale=False).body)
    assert pairs["error"] == []
    assert [pair["wsname"] for pair in pairs["result"].values()] == ["XBT/USD", "ETH/USD", "XDG/USD"]
    assert exchange.rest("/0/public/Depth", {}, NOW, stale=False).status == 404


def test_a_spoiled_checksum_is_wrong_and_all_else_is_true() -> None:
    exchange = Dialect(1, Random(1))
    ask(opened(exchange), channel="book", symbol=["BTC/USD"])
    text = run(exchange, 50)[0].text
    true, spoiled = json.loads(text), json.loads(exchange.spoil(text))
    assert spoiled["data"][0].pop("checksum") != true["data"][0].pop("checksum")
    assert spoiled == true


def test_equal_seeds_say_the_same_and_other_seeds_do_not() -> None:
    def said(seed: int) -> list[str]:
        exchange = Dialect(3, Random(seed))
        ask(opened(exchange), channel="book", symbol=list(exchange.books), depth=25)
        return [message.text for message in run(exchange, 200)]

    assert said(4) == said(4)
    assert said(4) != said(5)
