"""The default handler: books from Kafka alone, and every break in their numbers."""

from collections.abc import Sequence

import hypothesis.strategies as st
import pytest
from hypothesis import given

from consumer_support import ticker
from tickwire.errors import RecordRejected
from tickwire.events.book import Book
from tickwire.events.types import Action, Level, MarketEvent, OrderBook
from tickwire.kafka.market_state import MarketState
from tickwire.kafka.received import ReceivedRecord
from tickwire.records.codec import RecordWriter

KEY = "kraken|BTC-USD"
WRITER = RecordWriter("ticks", "books")


def message(
    action: Action,
    epoch: int,
    seq: int,
    bids: Sequence[Level] = (),
    asks: Sequence[Level] = (),
    reason: str = "initial",
) -> OrderBook:
    result = OrderBook(
        action=action,
        exchange="kraken",
        symbol="BTC-USD",
        exchange_symbol="BTC/USD",
        depth=10,
        bids=list(bids),
        asks=list(asks),
        epoch=epoch,
        book_seq=seq,
        received_us=1_700_000_000_000_000,
    )
    if action != "delta":
        result.reason = reason
    return result


def received(event: MarketEvent, partition: int = 0) -> ReceivedRecord:
    record = WRITER.write(event)
    return ReceivedRecord(record.topic, partition, 0, record.key, record.value, record.headers)


def feed(state: MarketState, *messages: MarketEvent) -> None:
    for event in messages:
        state(received(event))


START = message("snapshot", 1, 0, [("10", "1")], [("11", "1")])


def test_a_book_is_rebuilt_level_by_level() -> None:
    state = MarketState()
    feed(state, START, message("delta", 1, 1, [("10.5", "2"), ("10", "0")], [("12", "3")]))
    assert state.report()["books"][KEY] == {
        "epoch": 1,
        "book_seq": 1,
        "valid": True,
        "depth": 10,
        "sequence": None,
        "bids": [("10.5", "2")],
        "asks": [("11", "1"), ("12", "3")],
    }


def test_a_book_of_version_1_goes_on_in_version_2() -> None:
    """Records of an earlier version, in Kafka or on disk, wrote a removal as the exchange did, and deltas no reason."""
    delta = (
        b'{"type":"orderbook","action":"delta","exchange":"kraken","symbol":"BTC-USD","exchange_symbol":"BTC/USD",'
        b'"depth":10,"bids":[["10","0.00000000"]],"asks":[["12.00","3"]],"epoch":1,"book_seq":1,"sequence":null,'
        b'"exchange_us":null,"received_us":1}'
    )
    state = MarketState()
    feed(state, START)
    state(ReceivedRecord("books", 0, 1, KEY.encode(), delta, [("schema", b"orderbook/1")]))
    assert state.report()["books"][KEY]["asks"] == [("11", "1"), ("12.00", "3")]
    feed(state, message("delta", 1, 2, [("9", "1")], [("12", "0")]))
    book = state.report()["books"][KEY]
    assert (book["valid"], book["bids"], book["asks"]) == (True, [("9", "1")], [("11", "1")])


def test_a_jump_is_counted_and_the_book_waits_for_a_snapshot() -> None:
    state = MarketState()
    feed(state, START, message("delta", 1, 2, [("9", "1")]))
    assert (state.jumps, state.books[KEY].book) == (1, None)
    feed(state, message("delta", 1, 3, [("9", "2")]))
    assert (state.jumps, state.books[KEY].book) == (1, None)
    feed(state, message("snapshot", 1, 4, [("8", "1")], reason="keyframe"))
    assert state.report()["books"][KEY]["bids"] == [("8", "1")]
    assert state.jumps == 1


def test_a_lost_start_of_an_epoch_is_a_jump() -> None:
    state = MarketState()
    feed(state, START, message("delta", 2, 1, [("9", "1")]))
    assert (state.jumps, state.books[KEY].book) == (1, None)


def test_records_delivered_again_change_nothing() -> None:
    state = MarketState()
    delta = message("delta", 1, 1, [("10", "7")])
    feed(state, START, delta, START, delta)
    assert (state.jumps, state.duplicates) == (0, 2)
    assert state.report()["books"][KEY]["bids"] == [("10", "7")]


def test_records_of_an_older_epoch_change_nothing() -> None:
    state = MarketState()
    feed(state, START, message("snapshot", 5, 0, [("20", "1")], reason="resync"), START, message("delta", 1, 1))
    assert (state.jumps, state.duplicates, state.older_epochs) == (0, 0, 2)
    assert state.report()["books"][KEY]["bids"] == [("20", "1")]


def test_a_key_first_met_in_the_middle_waits_without_a_jump() -> None:
    state = MarketState()
    feed(state, message("delta", 1, 7, [("9", "1")]), message("delta", 1, 8))
    assert (state.jumps, state.books[KEY].book) == (0, None)
    feed(state, message("snapshot", 1, 9, [("9", "1")], reason="keyframe"))
    assert (state.jumps, state.books[KEY].book is not None) == (0, True)


def test_an_invalid_book_stays_as_it_was_but_is_not_valid_until_the_next_snapshot() -> None:
    state = MarketState()
    feed(state, START, message("invalid", 1, 1, reason="gap"), message("delta", 1, 2, [("10", "5")]))
    shown = state.report()["books"][KEY]
    assert (shown["valid"], shown["bids"], shown["book_seq"], state.jumps) == (False, [("10", "1")], 2, 0)
    feed(state, message("snapshot", 2, 0, [("9", "1")], reason="resync"))
    shown = state.report()["books"][KEY]
    assert (shown["valid"], shown["bids"], state.jumps) == (True, [("9", "1")], 0)


def test_an_epoch_that_begins_with_a_delta_is_refused() -> None:
    with pytest.raises(RecordRejected, match="begins with a snapshot") as caught:
        feed(MarketState(), message("delta", 1, 0))
    assert caught.value.error_type == "validate"


def test_a_partition_that_went_away_and_came_back_makes_no_jump() -> None:
    state = MarketState()
    feed(state, START)
    state.revoked("books", 1)
    assert KEY in state.books
    state.revoked("books", 0)
    feed(state, message("delta", 1, 40))
    assert (state.jumps, state.books[KEY].book) == (0, None)


def test_the_last_ticker_is_kept_and_an_older_one_is_not() -> None:
    state = MarketState()
    feed(state, ticker(bid="1", received_us=10), ticker(bid="2", received_us=20), ticker(bid="1", received_us=10))
    assert state.report()["tickers"]["binance|BTC-USDT"]["bid"] == "2"
    assert (state.duplicates, state.report()["records"]) == (1, {"ticker": 3})


levels = st.dictionaries(st.integers(1, 30), st.integers(0, 3), max_size=4)


@st.composite
def streams(draw: st.DrawFn) -> list[OrderBook]:
    """A numbered stream as the sequencer makes it."""
    stream: list[OrderBook] = []
    for epoch in range(1, draw(st.integers(1, 3)) + 1):
        book = Book()
        for seq in range(draw(st.integers(1, 12))):
            sides = draw(levels), draw(levels)
            bids = [(str(price), str(size)) for price, size in sorted(sides[0].items(), reverse=True)]
            asks = [(str(100 + price), str(size)) for price, size in sorted(sides[1].items())]
            book.apply(bids, asks)
            if seq == 0 or draw(st.integers(0, 4)) == 0:
                stream.append(message("snapshot", epoch, seq, book.bids.top(), book.asks.top()))
            else:
                stream.append(message("delta", epoch, seq, bids, asks))
    return stream


def model(stream: Sequence[OrderBook]) -> tuple[int, list[Level] | None]:
    """Jumps and last bids by the words of the message format, on a stream without repetitions."""
    jumps, usable, last = 0, None, None
    for event in stream:
        if last is not None:
            epoch, seq = last
            if (event.epoch, event.book_seq) not in {(epoch, seq + 1), (event.epoch if event.epoch > epoch else -1, 0)}:
                jumps, usable = jumps + 1, None
        last = event.epoch, event.book_seq
        if event.action == "snapshot":
            usable = Book(event.bids, event.asks)
        elif usable is not None:
            usable.apply(event.bids, event.asks)
    return jumps, None if usable is None else usable.bids.top()


@given(stream=streams(), data=st.data())
def test_lost_and_repeated_records_end_in_the_right_book_or_none(stream: list[OrderBook], data: st.DataObject) -> None:
    lost = data.draw(st.sets(st.integers(0, len(stream) - 1), max_size=len(stream) - 1))
    kept = [event for i, event in enumerate(stream) if i not in lost]
    # At least once: after a crash everything since the last commit comes again, in order.
    at = data.draw(st.integers(0, len(kept)))
    back = data.draw(st.integers(0, at))
    state = MarketState()
    feed(state, *kept[:at], *kept[back:at], *kept[at:])

    jumps, bids = model(kept)
    assert state.jumps == jumps
    assert state.duplicates + state.older_epochs == at - back
    shown = state.report()["books"][KEY]
    assert shown["valid"] == (bids is not None)
    assert shown["bids"] == (bids or [])
