"""Bybit: numbers of a book that must follow on each other, the limits of requests, pages of the listing, names."""

from itertools import count

import msgspec
import pytest

from recordings import books
from tickwire.errors import FrameRejected
from tickwire.events.types import OrderBook, Ticker, Trade
from tickwire.exchanges import bybit
from tickwire.exchanges.bybit import EXCHANGE, Adapter
from tickwire.exchanges.contract import Channel, Refused, Resync, Send, Subscribed, Symbol

BTC, ETH = Symbol("BTC-USDT", "BTCUSDT"), Symbol("ETH-USDT", "ETHUSDT")
BOTH: list[Channel] = ["ticker", "orderbook"]
ALL: list[Channel] = [*BOTH, "trade"]


def frame(kind: str, number: int, bid: str = "100", depth: int = 50, **times: int) -> bytes:
    data = {"s": "BTCUSDT", "b": [[bid, "1"]], "a": [["101", "2"]], "u": number, "seq": 7}
    topic = f"orderbook.{depth}.BTCUSDT"
    return msgspec.json.encode({"topic": topic, "type": kind, "ts": 1_700_000_000_010, "data": data, **times})


def started(number: int = 10) -> Adapter:
    adapter = Adapter([BTC], BOTH, 50)
    adapter.start()
    adapter.receive(frame("snapshot", number), 1)
    return adapter


@pytest.mark.parametrize("number", [12, 9, 2])
def test_a_change_that_does_not_follow_by_one_restarts_the_book(number: int) -> None:
    """Two begins the numbers after a restart of the service, whose snapshot did not arrive."""
    adapter = started()
    outputs = adapter.receive(frame("delta", number), 2)
    assert [(m.action, m.reason) for m in books(outputs)] == [("invalid", "gap")]
    assert outputs[-1] == Resync(BTC, "gap")
    assert adapter.book(BTC) is None
    texts = [o.payload for o in adapter.resync(BTC) if isinstance(o, Send)]
    assert [msgspec.json.decode(text)["op"] for text in texts] == ["unsubscribe", "subscribe"]


@pytest.mark.parametrize("kind", ["snapshot", "delta"])
def test_number_one_replaces_the_book_whatever_it_calls_itself(kind: str) -> None:
    adapter = started()
    (message,) = books(adapter.receive(frame(kind, 1, bid="90"), 2))
    assert (message.action, message.bids) == ("snapshot", [("90", "1")])


def test_number_one_of_a_change_of_one_level_is_a_hole_and_no_book_of_one_level() -> None:
    adapter = started()
    change = frame("delta", 1).replace(b'"b":[["100","1"]]', b'"b":[]')
    assert [(m.action, m.reason) for m in books(adapter.receive(change, 2))] == [("invalid", "gap")]


def test_a_snapshot_replaces_the_book_whatever_its_number() -> None:
    adapter = started()
    (message,) = books(adapter.receive(frame("snapshot", 5, bid="90"), 2))
    assert (message.action, message.reason, message.bids) == ("snapshot", "resync", [("90", "1")])


def test_the_time_is_the_matching_engines_where_there_is_one() -> None:
    adapter = started()
    (with_one,) = books(adapter.receive(frame("delta", 11, cts=1_700_000_000_007), 2))
    (without,) = books(adapter.receive(frame("delta", 12), 2))
    assert (with_one.exchange_us, without.exchange_us) == (1_700_000_000_007_000, 1_700_000_000_010_000)


def test_a_change_of_the_best_prices_is_never_taken_for_all_of_them() -> None:
    with pytest.raises(FrameRejected, match="follows on nothing"):
        started().receive(frame("delta", 11, depth=1), 2)


def test_a_depth_that_was_not_asked_for_touches_no_book() -> None:
    adapter = started()
    with pytest.raises(FrameRejected, match="not asked for"):
        adapter.receive(frame("delta", 11, depth=200), 2)
    assert books(adapter.receive(frame("delta", 11), 2))


def test_a_request_has_ten_topics_at_most() -> None:
    outputs = Adapter([Symbol(f"A{i}-USDT", f"A{i}USDT") for i in range(12)], BOTH, 50).start()
    sizes = [len(msgspec.json.decode(o.payload)["args"]) for o in outputs if isinstance(o, Send)]
    assert sizes == [10, 10, 4]


def test_a_connections_topics_have_fewer_characters_than_the_exchange_allows() -> None:
    """https://bybit-exchange.github.io/docs/v5/ws/connect: 21,000 characters."""
    symbols = [Symbol(f"{i}", f"{i:010}LONGESTUSDT") for i in range(EXCHANGE.symbols_per_connection)]
    outputs = Adapter(symbols, ALL, 1000).start()
    topics = [t for o in outputs if isinstance(o, Send) for t in msgspec.json.decode(o.payload)["args"]]
    assert len(msgspec.json.encode(topics)) <= 21_000


def answer(number: str, text: str) -> bytes:
    return msgspec.json.encode({"success": False, "ret_msg": text, "req_id": number, "op": "subscribe"})


def test_what_was_carried_already_is_carried_once_it_stands_alone() -> None:
    adapter = Adapter([BTC, ETH], ["ticker"], 50)
    adapter.start()
    text = "error:already subscribed,topic:orderbook.1.BTCUSDT"
    assert [type(output) for output in adapter.receive(answer("1", text), 2)] == [Send, Send]
    assert adapter.receive(answer("2", text), 3) == [Subscribed("ticker", BTC)]
    assert adapter.receive(answer("3", "gone"), 4) == [Refused("ticker", ETH, "gone")]


def page(*rows: tuple[str, str, str, str], cursor: str = "", code: int = 0) -> bytes:
    names = ("symbol", "baseCoin", "quoteCoin", "status")
    listed = [dict(zip(names, row, strict=True)) for row in rows]
    return msgspec.json.encode(
        {"retCode": code, "retMsg": "why", "result": {"list": listed, "nextPageCursor": cursor} if not code else {}}
    )


def test_a_listing_is_read_to_its_last_page() -> None:
    (reading,) = bybit.listings()
    first = next(reading)
    second = reading.send(page(("BTCUSDT", "BTC", "USDT", "Trading"), cursor="first%3D1&a"))
    assert second.path == first.path + "&cursor=first%253D1%26a"
    with pytest.raises(StopIteration) as done:
        reading.send(page(("OLDUSDT", "OLD", "USDT", "Closed")))
    assert done.value.value.symbols == (BTC, Symbol("OLD-USDT", "OLDUSDT"))
    assert done.value.value.resting == {"OLDUSDT": "Closed"}


def test_a_listing_that_never_ends_is_refused() -> None:
    (reading,) = bybit.listings()
    next(reading)

    def read() -> None:
        for number in count():
            reading.send(page(cursor=str(number)))

    with pytest.raises(FrameRejected, match="pages"):
        read()


def test_a_cursor_from_before_leads_nowhere_new() -> None:
    (reading,) = bybit.listings()
    next(reading)
    reading.send(page(("BTCUSDT", "BTC", "USDT", "Trading"), cursor="one"))
    with pytest.raises(StopIteration) as done:
        reading.send(page(("BTCUSDT", "BTC", "USDT", "Trading"), cursor="one"))
    assert done.value.value.symbols == (BTC,)


@pytest.mark.parametrize("name", ["sub-orderbook-1", "", 7, "1f3e"])
def test_an_answer_to_another_clients_request_answers_none_of_ours(name: str | int) -> None:
    adapter = Adapter([BTC], BOTH, 50)
    adapter.start()
    answer = {"success": True, "ret_msg": "", "op": "subscribe", "req_id": name}
    assert adapter.receive(msgspec.json.encode(answer), 1) == []
    with pytest.raises(FrameRejected, match="unknown"):
        adapter.receive(msgspec.json.encode(answer | {"success": False, "ret_msg": "Invalid topic"}), 1)
    assert len(adapter.pending()) == 2


def best(kind: str, number: int, bids: list[tuple[str, str]], asks: list[tuple[str, str]]) -> bytes:
    data = {"s": "BTCUSDT", "b": bids, "a": asks, "u": number}
    return msgspec.json.encode({"topic": "orderbook.1.BTCUSDT", "type": kind, "ts": 1_700_000_000_010, "data": data})


def test_a_ticker_may_come_as_a_change_of_the_one_before() -> None:
    adapter = Adapter([BTC], ["ticker"], 50)
    adapter.receive(best("snapshot", 7, [("100", "1")], [("101", "2")]), 1)
    (first,) = adapter.receive(best("delta", 8, [("100", "0"), ("99.5", "3")], []), 2)
    (second,) = adapter.receive(best("delta", 9, [], [("101", "0")]), 3)
    assert isinstance(first, Ticker)
    assert isinstance(second, Ticker)
    assert (first.bid, first.bid_size, first.ask, first.ask_size) == ("99.5", "3", "101", "2")
    assert (second.bid, second.ask, second.sequence) == ("99.5", None, 9)


@pytest.mark.parametrize("change", [(9, "3"), (7, "3"), (8, "x")])
def test_a_change_of_a_ticker_that_does_not_follow_or_cannot_be_read_gives_none_until_the_next_whole_one(
    change: tuple[int, str],
) -> None:
    adapter = Adapter([BTC], ["ticker"], 50)
    number, size = change
    adapter.receive(best("snapshot", 7, [("100", "1")], []), 1)
    for frame in (best("delta", number, [("99", size)], []), best("delta", number + 1, [], [])):
        with pytest.raises(FrameRejected, match="malformed"):
            adapter.receive(frame, 2)
    assert len(adapter.receive(best("snapshot", 20, [("100", "1")], []), 3)) == 1


def test_a_book_that_begins_at_another_depth_promises_that_one() -> None:
    adapter = Adapter([BTC], BOTH, 50)
    (*_, snapshot) = adapter.receive(frame("snapshot", 10, depth=200), 1)
    assert isinstance(snapshot, OrderBook)
    assert snapshot.depth == 200
    assert [m.action for m in books(adapter.receive(frame("delta", 11, depth=200), 2))] == ["delta"]
    with pytest.raises(FrameRejected, match="not asked for"):
        adapter.receive(frame("snapshot", 10), 3)


def test_an_error_is_no_listing() -> None:
    with pytest.raises(FrameRejected, match="why"):
        bybit.read_listing(page(code=10001))


def test_names_are_derived_by_rule() -> None:
    assert {bybit.derive(text) for text in ("BTCUSDT", "btc-usdt", "BTC/USDT")} == {BTC}


def test_one_bad_trade_rejects_its_message_and_no_other() -> None:
    adapter = Adapter([BTC], ["trade"], 50)

    def trades(*sizes: str) -> bytes:
        row = {"i": "1", "T": 1, "p": "100", "S": "Sell", "s": "BTCUSDT"}
        return msgspec.json.encode({"topic": "publicTrade.BTCUSDT", "data": [row | {"v": size} for size in sizes]})

    with pytest.raises(FrameRejected, match="trade of BTCUSDT"):
        adapter.receive(trades("1", "x"), 1)
    assert [output.size for output in adapter.receive(trades("2", "3"), 2) if isinstance(output, Trade)] == ["2", "3"]
