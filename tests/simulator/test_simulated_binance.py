"""The Binance dialect, without sockets: a client that follows the documentation gets the exact books."""

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.rebuilding import BinanceBook
from tickwire.simulator.dialect import Answer, Conversation
from tickwire.simulator.dialects.binance import Dialect

NOW = 1_700_000_000_000_000


def subscribe(session: Conversation, *names: str, method: str = "SUBSCRIBE") -> Any:
    (answer,) = session.receive(json.dumps({"method": method, "params": names, "id": 7}), NOW)
    return json.loads(answer)


def opened(exchange: Dialect, path: str = "/stream", **query: str) -> Conversation:
    session = exchange.open(path, query)
    assert session is not None
    session.start(NOW)
    return session


def run(exchange: Dialect, steps: int) -> list[tuple[str, Any]]:
    """Move the market; give each message with its channel's name."""
    return [
        (message.channel.name, json.loads(message.text))
        for _ in range(steps)
        for message in exchange.advance(exchange.market.pick(), NOW)
    ]


def fetch(exchange: Dialect, now_us: int = NOW, stale: bool = False, **query: str) -> Answer:
    return exchange.rest("/api/v3/depth", query, now_us, stale=stale)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(), before=st.integers(0, 60), between=st.integers(0, 60))
def test_a_client_that_follows_the_documentation_gets_the_exact_books(seed: int, before: int, between: int) -> None:
    exchange = Dialect(2, Random(seed))
    session = opened(exchange)
    assert subscribe(session, "btcusdt@depth@100ms", "ethusdt@depth@100ms") == {"result": None, "id": 7}
    books = {"BTCUSDT": BinanceBook(), "ETHUSDT": BinanceBook()}

    def hear(steps: int) -> None:
        for name, message in run(exchange, steps):
            assert message["stream"] == name
            books[message["data"]["s"]].event(message["data"])

    run_before = exchange.market.pick()
    exchange.advance(run_before, NOW)
    hear(before)
    fetched = {symbol: json.loads(fetch(exchange, symbol=symbol, limit="5000").body) for symbol in books}
    hear(between)
    for symbol, book in books.items():
        assert book.snapshot(fetched[symbol])
    hear(100)

    for book, true in zip(books.values(), exchange.market.books, strict=True):
        assert book.gaps == 0
        text = true.instrument
        assert book.sides.top(1000) == {
            "bids": [[text.price(-key), text.size(true.bids.lots[key])] for key in true.bids.keys],
            "asks": [[text.price(key), text.size(true.asks.lots[key])] for key in true.asks.keys],
        }


def test_trades_have_ids_without_holes_and_say_which_side_was_the_makers() -> None:
    exchange = Dialect(1, Random(2))
    subscribe(opened(exchange), "btcusdt@trade")
    (book,) = exchange.market.books
    ids: list[int] = []
    makers: set[bool] = set()
    for name, message in run(exchange, 200):
        trade = message["data"]
        assert (name, trade["e"], trade["s"], trade["T"]) == ("btcusdt@trade", "trade", "BTCUSDT", NOW // 1000)
        ids.append(trade["t"])
        makers.add(trade["m"])
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert ids[-1] == book.deals[-1].number
    assert makers == {True, False}


@given(seed=st.integers())
@settings(max_examples=30, deadline=None)
def test_every_best_is_told_with_the_update_id_it_came_with(seed: int) -> None:
    exchange = Dialect(1, Random(seed))
    subscribe(opened(exchange), "btcusdt@bookTicker", "btcusdt@depth@100ms")
    book = BinanceBook()
    book.snapshot(json.loads(fetch(exchange, symbol="BTCUSDT", limit="5000").body))
    tickers: list[Any] = []
    last_ticker_id = 0
    for _, message in run(exchange, 200):
        data = message["data"]
        if "e" not in data:
            tickers.append(data)
            assert data["u"] > last_ticker_id
            last_ticker_id = data["u"]
            continue
        best = book.sides.top(1)
        book.event(data)
        assert all(data["U"] <= ticker["u"] <= data["u"] for ticker in tickers)
        if book.sides.top(1) != best:
            assert tickers, "a new best without a ticker"
        if tickers:
            (bid,), (ask,) = book.sides.top(1).values()
            assert [tickers[-1][k] for k in "bBaA"] == [*bid, *ask]
        tickers.clear()


def test_equal_seeds_say_the_same_and_other_seeds_do_not() -> None:
    def said(seed: int) -> list[tuple[str, Any]]:
        exchange = Dialect(3, Random(seed))
        subscribe(opened(exchange), *exchange.streams)
        return run(exchange, 200)

    assert said(4) == said(4)
    assert said(4) != said(5)


def test_nothing_is_said_to_those_who_did_not_subscribe_or_do_no_more() -> None:
    exchange = Dialect(2, Random(1))
    session = opened(exchange)
    assert run(exchange, 20) == []
    subscribe(session, "btcusdt@depth")
    assert {name for name, _ in run(exchange, 50)} == {"btcusdt@depth"}
    subscribe(session, "btcusdt@depth", method="UNSUBSCRIBE")
    assert run(exchange, 20) == []
    subscribe(session, "btcusdt@depth", "ethusdt@bookTicker")
    session.close()
    assert run(exchange, 20) == []


def test_addresses_name_streams_and_decide_whether_they_are_wrapped() -> None:
    exchange = Dialect(2, Random(1))
    opened(exchange, "/ws/btcusdt@depth")
    assert all("stream" not in message for _, message in run(exchange, 20))
    exchange = Dialect(2, Random(1))
    session = opened(exchange, "/stream", streams="btcusdt@depth/ethusdt@depth")
    assert {message["stream"] for _, message in run(exchange, 50)} == {"btcusdt@depth", "ethusdt@depth"}
    assert subscribe(session, method="LIST_SUBSCRIPTIONS")["result"] == ["btcusdt@depth", "ethusdt@depth"]
    assert exchange.open("/v2", {}) is None


def test_properties_switch_the_wrapping() -> None:
    exchange = Dialect(1, Random(1))
    session = opened(exchange, "/ws")
    subscribe(session, "btcusdt@depth")
    request = {"method": "SET_PROPERTY", "params": ["combined", True], "id": 1}
    assert json.loads(session.receive(json.dumps(request), NOW)[0]) == {"result": None, "id": 1}
    assert all(message["stream"] == "btcusdt@depth" for _, message in run(exchange, 5))
    request = {"method": "GET_PROPERTY", "params": ["combined"], "id": 2}
    assert json.loads(session.receive(json.dumps(request), NOW)[0]) == {"result": True, "id": 2}


def test_unknown_streams_are_accepted_and_silent_as_at_binance() -> None:
    exchange = Dialect(1, Random(1))
    assert subscribe(opened(exchange), "foobar@depth") == {"result": None, "id": 7}
    assert run(exchange, 10) == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", 3),
        ("[]", 2),
        ('{"id":1}', 2),
        ('{"method":"LISTEN","id":1}', 2),
        ('{"method":"SUBSCRIBE","params":"x","id":1}', 2),
        ('{"method":"SUBSCRIBE","params":[1],"id":1}', 2),
        ('{"method":"SET_PROPERTY","params":["colour",true],"id":1}', 0),
        ('{"method":"SET_PROPERTY","params":["combined",1],"id":1}', 1),
    ],
)
def test_what_cannot_be_understood_is_answered_with_its_error(text: str, code: int) -> None:
    (answer,) = opened(Dialect(1, Random(1))).receive(text, NOW)
    assert json.loads(answer)["error"]["code"] == code


def test_a_refused_symbol_is_an_error_and_the_others_are_not() -> None:
    exchange = Dialect(2, Random(1), frozenset({"ETH-USDT"}))
    session = opened(exchange)
    assert subscribe(session, "btcusdt@depth", "ethusdt@depth")["error"]["code"] == 2
    assert run(exchange, 10) == []
    assert subscribe(session, "btcusdt@depth")["result"] is None


def test_the_listing_names_every_symbol_with_its_precision() -> None:
    answer = Dialect(3, Random(1)).rest("/api/v3/exchangeInfo", {}, NOW, stale=False)
    symbols = json.loads(answer.body)["symbols"]
    assert [s["symbol"] for s in symbols] == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    assert [symbols[0][k] for k in ("baseAsset", "quoteAsset", "status")] == ["BTC", "USDT", "TRADING"]
    assert symbols[0]["filters"][0]["tickSize"] == "0.01000000"
    assert answer.headers["X-MBX-USED-WEIGHT-1M"] == "20"


def test_a_snapshot_has_as_many_levels_as_asked_for() -> None:
    exchange = Dialect(1, Random(1))
    assert [len(json.loads(fetch(exchange, symbol="BTCUSDT", limit=n).body)["bids"]) for n in ("5", "5000")] == [5, 300]
    assert fetch(exchange, symbol="FOOBAR").status == 400
    assert fetch(exchange, symbol="BTCUSDT", limit="x").status == 400
    assert exchange.rest("/api/v3/time", {}, NOW, stale=False).status == 404


def test_weight_is_counted_then_refused_then_banned_and_back_in_time() -> None:
    exchange = Dialect(1, Random(1))
    start = NOW - NOW % 60_000_000
    used = [fetch(exchange, start, symbol="BTCUSDT", limit=limit) for limit in ("100", "101", "1000", "1001")]
    assert [a.headers["X-MBX-USED-WEIGHT-1M"] for a in used] == ["5", "30", "80", "330"]
    while (answer := fetch(exchange, start + 10_000_000, symbol="BTCUSDT", limit="5000")).status == 200:
        pass
    assert (answer.status, answer.headers["Retry-After"]) == (429, "50")
    assert fetch(exchange, start + 60_000_000, symbol="BTCUSDT").status == 200
    while (answer := fetch(exchange, start + 61_000_000, symbol="BTCUSDT", limit="5000")).status != 418:
        pass
    assert answer.headers["Retry-After"] == "120"
    assert fetch(exchange, start + 121_000_000, symbol="BTCUSDT").status == 418
    assert fetch(exchange, start + 182_000_000, symbol="BTCUSDT").status == 200


def test_a_stale_snapshot_is_true_but_too_old_to_start_from() -> None:
    exchange = Dialect(1, Random(1))
    run(exchange, 20)
    subscribe(opened(exchange), "btcusdt@depth")
    book = BinanceBook()
    for _, message in run(exchange, 5):
        book.event(message["data"])
    assert not book.snapshot(json.loads(fetch(exchange, stale=True, symbol="BTCUSDT", limit="5000").body))
    assert book.snapshot(json.loads(fetch(exchange, symbol="BTCUSDT", limit="5000").body))
