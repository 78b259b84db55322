"""The OKX dialect, without sockets: a client that follows the documentation gets the exact books."""

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.rebuilding import Sides, true_levels
from tickwire.simulator.dialect import Conversation
from tickwire.simulator.dialects.okx import BOOKS_PATH, Dialect

NOW = 1_700_000_000_123_456


def opened(exchange: Dialect) -> Conversation:
    session = exchange.open("/ws/v5/public", {})
    assert session is not None
    assert session.start(NOW) == []
    return session


def ask(session: Conversation, *args: tuple[str, str], op: str = "subscribe") -> list[Any]:
    named = [{"channel": channel, "instId": name} for channel, name in args]
    return [json.loads(text) for text in session.receive(json.dumps({"id": "7", "op": op, "args": named}), NOW)]


def applied(sides: Sides, data: dict[str, Any]) -> None:
    sides.apply(*([level[:2] for level in data[side]] for side in ("bids", "asks")))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers())
def test_a_client_that_follows_the_documentation_gets_the_exact_books(seed: int) -> None:
    exchange = Dialect(1, Random(seed))
    (true,) = exchange.market.books
    exchange.advance(true, NOW)
    ack, first = ask(opened(exchange), ("books", "BTC-USDT"))
    assert ack == {
        "id": "7",
        "arg": {"channel": "books", "instId": "BTC-USDT"},
        "event": "subscribe",
        "connId": "a4d3ae55",
    }
    assert (first["action"], first["data"][0]["prevSeqId"]) == ("snapshot", -1)
    mine, last = Sides(), first["data"][0]["seqId"]
    applied(mine, first["data"][0])
    for _ in range(60):
        (message,) = exchange.advance(true, NOW)
        (change,) = json.loads(message.text)["data"]
        assert change["prevSeqId"] == last
        last = change["seqId"]
        applied(mine, change)
        assert mine.top(400) == true_levels(true)


@pytest.mark.parametrize("stale", [False, True])
def test_books_come_by_rest_with_the_number_that_they_hold(stale: bool) -> None:
    exchange = Dialect(1, Random(1))
    (true,) = exchange.market.books
    opening = true.update_id
    exchange.advance(true, NOW)
    answer = json.loads(exchange.rest(BOOKS_PATH, {"instId": "BTC-USDT", "sz": "400"}, NOW, stale=stale).body)
    assert answer["data"][0]["seqId"] == (opening if stale else true.update_id)


def test_with_a_path_for_snapshots_none_comes_over_the_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Dialect, "snapshot_path", BOOKS_PATH)
    answers = ask(opened(Dialect(1, Random(1))), ("books", "BTC-USDT"))
    assert [answer["event"] for answer in answers] == ["subscribe"]


def test_a_ping_is_answered_and_what_is_no_request_is_an_error() -> None:
    session = opened(Dialect(1, Random(1)))
    assert session.receive("ping", NOW) == ["pong"]
    for text, code in (("{", "60012"), ('{"op":"subscribe"}', "60012"), ('{"op":"x","args":[]}', "60019")):
        (answer,) = session.receive(text, NOW)
        assert (json.loads(answer)["event"], json.loads(answer)["code"]) == ("error", code)


def test_each_subscription_is_answered_by_itself() -> None:
    exchange = Dialect(2, Random(1), frozenset({"ETH-USDT"}))
    session = opened(exchange)
    args = ("bbo-tbt", "BTC-USDT"), ("books", "ETH-USDT"), ("trades", "BTC-USDT"), ("books", "NONE")
    answers = ask(session, *args)
    assert [answer.get("event", "data") for answer in answers] == ["subscribe", "data", "error", "subscribe", "error"]
    assert "channel:books,instId:ETH-USDT doesn't exist" in answers[2]["msg"]
    assert [answer["event"] for answer in ask(session, *args[:1], op="unsubscribe")] == ["unsubscribe"]
    kinds = {m.channel.kind for _ in range(200) for m in exchange.advance(exchange.books["BTC-USDT"], NOW)}
    assert kinds == {"trade"}
    session.close()
    assert not any(channel.subscribers for channel in exchange.channels())
