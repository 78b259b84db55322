"""The default handler: books from Kafka alone, and every break in their numbers."""

from collections.abc import Sequence

import hypothesis.strategies as st
import pytest
from hypothesis import given

from consumer_support import ticker
from kafka.publishing import T0, trade
from tickwire.errors import RecordRejected
from tickwire.events.book import Book
from tickwire.events.types import Action, Level, MarketEvent, OrderBook
from tickwire.kafka.consuming.market_state import MarketState
from tickwire.kafka.received import ReceivedRecord
from tickwire.records.codec import RecordWriter

KEY = "kraken|BTC-USD"
WRITER = RecordWriter({"ticker": "ticks", "orderbook": "books", "trade": "trades"})


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


def received(event: MarketEvent, partition: int = 0, offset: int = 0) -> ReceivedRecord:
    record = WRITER.write(event)
    return ReceivedRecord(record.topic, partition, offset, record.key, record.value, record.headers)


def feed(state: MarketState, *messages: MarketEvent, partition: int = 0, begin: int | None = None) -> None:
    """Let *state* take messages as Kafka has them: each behind the last, or from the offset *begin* on."""
    offset = sum(state.records.values()) if begin is None else begin
    for event in messages:
        state(received(event, partition, offset))
        offset += 1


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
    assert (state.jumps, state.books[KEY].book, state.books[KEY].reason) == (1, None, "jump")
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
    feed(state, START, delta)
    feed(state, START, delta, begin=0)
    assert (state.jumps, state.duplicates) == (0, 2)
    assert state.report()["books"][KEY]["bids"] == [("10", "7")]


def test_records_of_an_older_epoch_delivered_again_change_nothing() -> None:
    state = MarketState()
    feed(state, START, message("delta", 1, 1), message("snapshot", 5, 0, [("20", "1")], reason="resync"))
    feed(state, START, message("delta", 1, 1), begin=0)
    assert (state.jumps, state.duplicates, state.older_epochs) == (0, 0, 2)
    assert state.report()["books"][KEY]["valid"]
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
    assert state.books[KEY].reason == "gap"
    feed(state, message("snapshot", 2, 0, [("9", "1")], reason="resync"))
    shown = state.report()["books"][KEY]
    assert (shown["valid"], shown["bids"], state.jumps) == (True, [("9", "1")], 0)
    assert state.books[KEY].reason is None


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


def bid(state: MarketState) -> str:
    shown: str = state.report()["tickers"]["binance|BTC-USDT"]["bid"]
    return shown


def test_the_last_ticker_is_kept_and_one_delivered_again_is_not() -> None:
    state = MarketState()
    feed(state, ticker(bid="1", received_us=10), ticker(bid="2", received_us=20))
    feed(state, ticker(bid="1", received_us=10), begin=0)
    assert bid(state) == "2"
    assert (state.duplicates, state.report()["records"]) == (1, {"ticker": 3})


def test_the_last_trade_is_kept_beside_the_ticker_and_one_of_another_partition_that_is_older_is_not() -> None:
    state = MarketState()
    feed(state, trade(1), trade(2), ticker(bid="1", received_us=10))
    feed(state, trade(1), partition=3, begin=0)
    assert state.report()["trades"] == {
        "binance|BTC-USDT": {
            "trade_id": "2",
            "price": "65000.20",
            "size": "0.5",
            "side": "sell",
            "exchange_us": T0,
            "received_us": T0 + 2000,
        }
    }
    assert (state.duplicates, state.report()["records"]) == (1, {"trade": 3, "ticker": 1})


def test_a_ticker_behind_the_last_is_newer_whatever_its_clock_said() -> None:
    state = MarketState()
    feed(state, ticker(bid="1", received_us=20), ticker(bid="2", received_us=10))
    assert (bid(state), state.duplicates) == ("2", 0)


def test_of_tickers_in_two_partitions_the_later_arrival_is_kept() -> None:
    state = MarketState()
    feed(state, ticker(bid="2", received_us=20), partition=3, begin=0)
    feed(state, ticker(bid="1", received_us=10), partition=0, begin=700)
    assert bid(state) == "2"


def test_a_producer_started_again_with_an_earlier_clock_is_followed() -> None:
    state = MarketState()
    feed(state, message("snapshot", 9, 0, [("10", "1")]), message("delta", 9, 1, [("10", "2")]))
    feed(state, message("snapshot", 3, 0, [("20", "1")]), message("delta", 3, 1, [("20", "5")]))
    shown = state.report()["books"][KEY]
    assert (shown["valid"], shown["epoch"], shown["bids"]) == (True, 3, [("20", "5")])
    assert (state.set_back, state.jumps) == (1, 0)


def test_an_epoch_that_an_earlier_one_follows_in_kafka_is_not_shown_as_valid() -> None:
    state = MarketState()
    feed(state, message("snapshot", 9, 0, [("10", "1")]), message("delta", 3, 7, [("20", "5")]))
    assert not state.report()["books"][KEY]["valid"]
    feed(state, message("snapshot", 3, 8, [("20", "6")], reason="keyframe"))
    shown = state.report()["books"][KEY]
    assert (shown["valid"], shown["bids"]) == (True, [("20", "6")])


def test_copies_of_an_earlier_epoch_end_with_the_book_that_was_there() -> None:
    """A producer that is replaced sends again what it had on its way, of two epochs here."""
    state = MarketState()
    old, new = message("delta", 1, 1, [("10", "2")]), message("snapshot", 2, 0, [("20", "1")], reason="resync")
    feed(state, START, old, new, old, new, message("delta", 2, 1, [("20", "3")]))
    shown = state.report()["books"][KEY]
    assert (shown["valid"], shown["epoch"], shown["bids"], state.jumps) == (True, 2, [("20", "3")], 0)


def test_what_is_left_in_the_partition_that_a_key_has_moved_from_changes_nothing() -> None:
    state = MarketState()
    feed(state, message("snapshot", 2, 0, [("20", "1")], reason="resync"), partition=3, begin=0)
    feed(state, START, message("delta", 1, 1), message("invalid", 1, 2, reason="gap"), partition=0, begin=500)
    feed(state, message("delta", 2, 1, [("20", "3")]), partition=3, begin=1)
    shown = state.report()["books"][KEY]
    assert (shown["valid"], shown["epoch"], shown["bids"]) == (True, 2, [("20", "3")])
    assert (state.jumps, state.duplicates, state.set_back) == (0, 0, 0)


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
    feed(state, *kept[:at], begin=0)
    feed(state, *kept[back:at], begin=back)
    feed(state, *kept[at:], begin=at)

    jumps, bids = model(kept)
    assert state.jumps == jumps
    assert state.duplicates + state.older_epochs == at - back
    shown = state.report()["books"][KEY]
    assert shown["valid"] == (bids is not None)
    assert shown["bids"] == (bids or [])
