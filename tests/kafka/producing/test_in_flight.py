"""Records on their way, in Python and compiled."""

import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import KafkaError

from forms import FORMS, use
from kafka.publishing import ticker
from tickwire.kafka.producing import in_flight
from tickwire.kafka.producing.ledger import Lane, Stream
from tickwire.records.codec import Record, RecordWriter
from tickwire.records.formats import ValueFormat, value_format

ERROR: Any = KafkaError(KafkaError.MSG_SIZE_TOO_LARGE)


class Report:
    """The producer's message, as far as it is looked at."""

    def __init__(self, latency: float) -> None:
        self._latency = latency

    def latency(self) -> float:
        return self._latency


class Way:
    """A flight board, and a producer that keeps what it is called with."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any, Any]] = []
        self.calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
        self.trouble: Exception | None = None
        self.flights = in_flight.InFlightTable(
            lambda entry, latency: self.told.append(("acknowledged", entry, latency)),
            lambda entry, error: self.told.append(("failed", entry, error)),
        )
        self.flights.produce = self._produce
        self.flights.ready = True
        self.stream = Stream("t", "ticker", "x")
        self.lane = Lane(self.stream, "BTCUSDT", is_book=False)

    def _produce(self, *arguments: Any, **named: Any) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.calls.append((arguments, named))

    def entry(self, number: int = 0, place: int = in_flight.IN_MEMORY) -> Any:
        record = Record("t", b"k", b"%d" % number, [("schema", b"s")], 1000 + number, "ticker", "x")
        return in_flight.InFlight(self.stream, self.lane, record, place)


@pytest.fixture(params=FORMS, autouse=True)
def form(request: pytest.FixtureRequest) -> Iterator[None]:
    with use(request.param):
        yield


@pytest.fixture
def way() -> Way:
    return Way()


def test_a_record_is_handed_over_with_everything_and_acknowledged_once(way: Way) -> None:
    entry = way.entry(7)
    way.flights.hand_over(entry)
    assert way.calls == [
        (("t", b"7", b"k"), {"on_delivery": entry, "timestamp": 1007, "headers": [("schema", b"s")]}),
    ]
    assert way.flights.entries() == [entry]
    entry(None, "message")
    assert (len(way.flights), way.stream.acknowledged) == (0, 1)
    entry(None, "message")  # nobody counts it twice
    assert (way.stream.acknowledged, way.told) == (1, [])


def test_what_is_on_its_way_keeps_its_order_whatever_ends_first(way: Way) -> None:
    entries = [way.entry(n) for n in range(6)]
    for entry in entries:
        way.flights.hand_over(entry)
    for ended in (0, 3, 5):
        entries[ended](None, "message")
    assert way.flights.entries() == [entries[1], entries[2], entries[4]]
    way.flights.hand_over(entries[3])
    assert way.flights.take_back() == [entries[1], entries[2], entries[4], entries[3]]
    assert len(way.flights) == 0
    entries[1](None, "message")  # a report of what was taken back
    assert way.stream.acknowledged == 3


def test_a_record_from_the_disk_and_one_sample_are_told(way: Way) -> None:
    plain, other, disk = way.entry(1), way.entry(2), way.entry(3, place=40)
    for entry in (plain, other, disk):
        way.flights.hand_over(entry)
    way.flights.sampling = True
    plain(None, Report(0.1))
    other(None, Report(0.2))
    disk(None, Report(0.3))
    assert way.told == [("acknowledged", plain, 0.1), ("acknowledged", disk, 0.3)]
    assert (way.flights.sampling, disk.place, way.stream.acknowledged) == (False, 40, 3)


def test_the_first_on_its_way_is_told_each_time_nothing_was(way: Way) -> None:
    begun: list[int] = []
    way.flights.begun = lambda: begun.append(len(way.calls))
    first, second, third = (way.entry(n) for n in range(3))
    way.flights.hand_over(first)
    way.flights.hand_over(second)
    assert begun == [0]
    first(None, "message")
    second(None, "message")
    way.flights.hand_over(third)
    assert begun == [0, 2]
    assert way.flights.entries() == [third]


def test_an_error_leaves_it_on_its_way_until_it_is_ended(way: Way) -> None:
    entry = way.entry()
    way.flights.hand_over(entry)
    entry(ERROR, "message")
    assert way.told == [("failed", entry, ERROR)]
    assert (way.flights.entries(), way.stream.acknowledged) == ([entry], 0)
    way.flights.end(entry)
    assert len(way.flights) == 0
    with pytest.raises(KeyError):
        way.flights.end(entry)


def test_what_the_producer_refuses_is_not_on_its_way(way: Way) -> None:
    entry = way.entry()
    way.trouble = BufferError("full")
    with pytest.raises(BufferError, match="full"):
        way.flights.hand_over(entry)
    assert len(way.flights) == 0
    way.trouble = None
    way.flights.hand_over(entry)
    with pytest.raises(ValueError, match="already"):
        way.flights.hand_over(entry)


def test_nothing_is_kept_alive(way: Way) -> None:
    class Watched(list[Any]):
        pass

    watched = Watched()
    way.flights.hand_over(in_flight.InFlight(way.stream, way.lane, watched_record := _record(watched)))
    dead = weakref.ref(watched)
    way.calls.clear()
    del way.flights
    del watched, watched_record
    gc.collect()
    assert dead() is None


def _record(headers: Any) -> Record:
    return Record("t", b"k", b"v", headers, 1, "ticker", "x")


class Short:
    """The short way with everything around it."""

    def __init__(self, way: Way, formats: dict[str, ValueFormat] | None = None) -> None:
        self.way = way
        self.long: list[Any] = []
        self.not_sent: list[tuple[Any, Exception]] = []
        self.behind: set[str] = set()
        self.writer = RecordWriter({"ticker": "t", "orderbook": "b"}, formats)
        self.served = 0
        self.direct = in_flight.DirectPublisher(
            way.flights,
            self.writer,
            self.behind,
            self.long.append,
            lambda e, error: self.not_sent.append((e, error)),
            self._serve,
        )
        event = ticker(0)
        record = self.writer.write(event)
        names = record.exchange, record.topic, record.key, record.headers, record.kind, record.exchange_symbol
        self.direct.open(
            type(event), event.symbol, (way.lane, way.stream, *names, False, self.writer.recode(type(event)))
        )

    def _serve(self) -> None:
        self.served += 1


@pytest.fixture
def short(way: Way) -> Short:
    return Short(way)


def test_the_short_way_does_what_the_long_one_does(short: Short) -> None:
    event = ticker(5)
    short.direct.publish(event)
    expected = RecordWriter({"ticker": "t", "orderbook": "b"}).write(event)
    ((topic, value, key), named) = short.way.calls[0]
    assert (topic, value, key) == (expected.topic, expected.value, expected.key)
    assert (named["timestamp"], named["headers"]) == (expected.timestamp_ms, expected.headers)
    assert named["on_delivery"].record == expected
    assert (short.way.stream.events, short.long, short.not_sent) == (1, [], [])


@pytest.mark.parametrize("name", ["avro", "protobuf"])
def test_the_short_way_writes_the_format_that_the_long_one_writes(way: Way, name: str) -> None:
    formats = {"ticker": value_format(name, "ticker", 7)}
    short = Short(way, formats)
    short.direct.publish(ticker(5))
    expected = RecordWriter({"ticker": "t"}, formats).write(ticker(5))
    ((_, value, _), named) = way.calls[0]
    assert (value, named["headers"]) == (expected.value, expected.headers)
    assert named["on_delivery"].record == expected


def test_an_event_that_cannot_be_written_in_a_format_is_an_error_and_not_counted(way: Way) -> None:
    short = Short(way, {"ticker": value_format("avro", "ticker", 7)})
    event = ticker(5)
    event.sequence = 1 << 63
    with pytest.raises(OverflowError):
        short.direct.publish(event)
    assert (way.calls, way.stream.events) == ([], 0)


def test_reports_are_taken_now_and_then_though_no_timer_runs(way: Way) -> None:
    short = Short(way)
    for _ in range(3 * in_flight.SERVE_EVERY - 1):
        short.direct.publish(ticker(5))
    assert short.served == 2
    short.direct.publish(ticker(5))
    assert short.served == 3


def test_times_never_go_back_on_either_way(short: Short) -> None:
    late, early = ticker(9), ticker(1)
    short.direct.publish(late)
    short.direct.publish(early)
    assert [named["timestamp"] for _, named in short.way.calls] == [late.received_us // 1000] * 2
    assert short.writer.write(early).timestamp_ms == late.received_us // 1000


def test_a_clock_that_is_set_back_far_is_followed_on_either_way(short: Short) -> None:
    late, early = ticker(0), ticker(0)
    late.received_us += 600_000_000
    short.direct.publish(late)
    short.direct.publish(early)
    late_ms, early_ms = late.received_us // 1000, early.received_us // 1000
    assert [named["timestamp"] for _, named in short.way.calls] == [late_ms, early_ms]
    late.received_us -= 1000
    assert [short.writer.write(event).timestamp_ms for event in (late, early)] == [late_ms - 1, late_ms - 1]


def _not_ready(short: Short) -> None:
    short.way.flights.ready = False


def _behind_others(short: Short) -> None:
    short.behind.add("b")


def _broken(short: Short) -> None:
    short.way.lane.broken = True


@pytest.mark.parametrize("obstacle", [_not_ready, _behind_others, _broken])
def test_whatever_is_in_the_way_takes_the_long_one(short: Short, obstacle: Callable[[Short], None]) -> None:
    obstacle(short)
    event = ticker(5)
    short.direct.publish(event)
    assert (short.long, short.way.calls, short.way.stream.events) == ([event], [], 0)


def test_a_new_symbol_and_another_exchange_take_the_long_way(short: Short) -> None:
    new, other = ticker(5, "ETH-USDT"), ticker(5)
    other.exchange = "kraken"
    short.direct.publish(new)
    short.direct.publish(other)
    assert (short.long, short.way.calls) == ([new, other], [])


def test_what_the_producer_does_not_take_is_told_with_its_cause(short: Short) -> None:
    short.way.trouble = BufferError("full")
    short.direct.publish(ticker(5))
    ((entry, error),) = short.not_sent
    assert error is short.way.trouble
    assert entry.record.value == RecordWriter({"ticker": "t", "orderbook": "b"}).write(ticker(5)).value
    assert (short.way.stream.events, len(short.way.flights)) == (1, 0)
