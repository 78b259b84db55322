"""The HTX dialect, without sockets: packed frames; a client that follows the documentation gets the exact books."""

import gzip
import json
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.rebuilding import Sides, exact, true_levels
from tickwire.simulator.dialect import Conversation
from tickwire.simulator.dialects.htx import Dialect

NOW = 1_700_000_000_123_456
BOOK = "market.btcusdt.mbp.150"


def ask(session: Conversation, **request: str) -> dict[str, Any]:
    (answer,) = session.receive(json.dumps(request), NOW)
    return exact(answer)  # type: ignore[no-any-return]


def opened(exchange: Dialect, path: str) -> Conversation:
    session = exchange.open(path, {})
    assert session is not None
    return session


def written(numbers: list[list[str]]) -> list[list[str]]:
    """Levels with their exponents written out."""
    return [[f"{float(n):.8f}" if "E" in n else n for n in level] for level in numbers]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers())
def test_a_client_that_follows_the_documentation_gets_the_exact_books(seed: int) -> None:
    exchange = Dialect(1, Random(seed))
    (book,) = exchange.market.books
    session = opened(exchange, "/feed")
    assert ask(session, sub=BOOK, id="1") == {"id": "1", "status": "ok", "ts": str(NOW // 1000), "subbed": BOOK}
    answer = ask(session, req=BOOK, id="2")
    assert (answer["rep"], answer["status"]) == (BOOK, "ok")
    mine, last = Sides(), answer["data"]["seqNum"]
    mine.apply(*(written(answer["data"][side]) for side in ("bids", "asks")))
    for _ in range(100):
        for message in exchange.advance(book, NOW):
            tick = exact(message.text)["tick"]
            assert tick["prevSeqNum"] == last
            last = tick["seqNum"]
            mine.apply(*(written(tick[side]) for side in ("bids", "asks")))
        assert mine.top(400) == true_levels(book, 150)


def test_small_numbers_have_exponents() -> None:
    exchange = Dialect(1, Random(2))
    (book,) = exchange.market.books
    ask(opened(exchange, "/feed"), sub=BOOK)
    assert any("E-" in message.text for _ in range(100) for message in exchange.advance(book, NOW))


def test_tickers_and_trades_say_what_the_market_did_on_their_own_socket() -> None:
    exchange = Dialect(1, Random(5))
    (book,) = exchange.market.books
    session = opened(exchange, "/ws")
    for topic in ("bbo", "trade.detail"):
        assert ask(session, sub=f"market.btcusdt.{topic}")["status"] == "ok"
    assert ask(session, sub=BOOK)["err-msg"] == f"invalid topic {BOOK}"
    said = [json.loads(message.text) for _ in range(200) for message in exchange.advance(book, NOW)]
    *_, best = [each["tick"] for each in said if each["ch"].endswith("bbo")]
    trades = [trade for each in said if each["ch"].endswith("detail") for trade in each["tick"]["data"]]
    assert best["bid"] == float(book.instrument.price(book.best().bid))
    numbers = [trade["tradeId"] for trade in trades]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert {trade["direction"] for trade in trades} == {"buy", "sell"}


def test_every_message_is_a_gzip_file() -> None:
    exchange = Dialect(1, Random(1))
    assert gzip.decompress(exchange.binary(exchange.heartbeat)) == exchange.heartbeat.encode()


@pytest.mark.parametrize(
    ("request_text", "message"),
    [
        ("no", "invalid json"),
        ('{"sub":"market.nonusdt.mbp.150"}', "invalid topic market.nonusdt.mbp.150"),
        ('{"req":"market.btcusdt.bbo"}', "invalid topic market.btcusdt.bbo"),
        ('{"sub":"market.ethusdt.mbp.150"}', "invalid topic market.ethusdt.mbp.150"),
    ],
)
def test_what_there_is_not_is_refused(request_text: str, message: str) -> None:
    exchange = Dialect(2, Random(1), frozenset({"ETH-USDT"}))
    (answer,) = opened(exchange, "/feed").receive(request_text, NOW)
    assert json.loads(answer)["err-msg"] == message


def test_what_is_unsubscribed_or_closed_gets_nothing_more() -> None:
    exchange = Dialect(2, Random(1))
    session = opened(exchange, "/feed")
    ask(session, sub=BOOK)
    assert ask(session, unsub=BOOK)["unsubbed"] == BOOK
    ask(session, sub="market.ethusdt.mbp.150")
    session.close()
    assert not any(channel.subscribers for channel in exchange.channels())
    assert session.receive('{"pong":1}', NOW) == []
    assert exchange.open("/other", {}) is None
    assert exchange.rest("/other", {}, NOW, stale=False).status == 404
    assert exchange.refuse(503).status == 503
