"""The producer that the link uses, as Python's client and as one of the compiled part: they say and do the same."""

import ctypes
import gc
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from forms import FORMS, use
from kafka.mock_cluster import INIT_PRODUCER_ID, PRODUCE, MockCluster
from support import eventually
from tickwire.compiled import python_forms
from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import KafkaFailed
from tickwire.kafka.clients import producer_config
from tickwire.kafka.producing import in_flight, record_producer
from tickwire.kafka.producing.ledger import Lane, Stream
from tickwire.records.codec import Record

HEADERS = [("content-type", b"application/json"), ("schema", "tickwire €".encode()), ("empty", b"")]
NOW_MS = time.time_ns() // 1_000_000


@pytest.fixture(params=FORMS, autouse=True)
def form(request: pytest.FixtureRequest) -> Iterator[str]:
    with use(request.param):
        yield request.param


@pytest.fixture(scope="module")
def mock() -> Iterator[MockCluster]:
    with MockCluster() as cluster:
        yield cluster


class Way:
    """A producer with its table of records, on a topic of its own."""

    def __init__(self, mock: MockCluster, topic: str, partitions: int = 1, **settings: Any) -> None:
        self.topic = topic
        mock.create_topic(topic, partitions)
        self.acknowledged: list[tuple[bytes, float | None]] = []
        self.failed: list[tuple[bytes, KafkaError]] = []
        self.heard: list[KafkaError] = []
        config = producer_config(KafkaConfig(enabled=True, brokers=mock.bootstrap, linger_ms=0))
        more = {name.replace("_", "."): value for name, value in settings.items()}
        self.producer = record_producer.make_producer(config | more | {"error_cb": self.heard.append})
        self.flights = in_flight.InFlightTable(self._stored, self._failed)
        self.flights.produce = self.producer.produce
        self.stream = Stream(topic, "ticker", "x")
        self.lane = Lane(self.stream, "BTCUSDT", is_book=False)

    def _stored(self, entry: Any, latency: float | None) -> None:
        self.acknowledged.append((entry.record.value, latency))

    def _failed(self, entry: Any, error: KafkaError) -> None:
        self.failed.append((entry.record.value, error))
        self.flights.end(entry)

    def send(self, value: bytes, headers: Any = HEADERS, topic: str = "") -> Any:
        record = Record(topic or self.topic, b"k|" + value[:1], value, headers, NOW_MS, "ticker", "x")
        entry = in_flight.InFlight(self.stream, self.lane, record)
        self.flights.hand_over(entry)
        return entry

    def until(self, done: Callable[[], object]) -> None:
        def polled() -> object:
            self.producer.poll(0.05)
            return done()

        eventually(polled, "report")


@pytest.fixture
def way(mock: MockCluster, unique: str) -> Way:
    return Way(mock, f"t.{unique}")


def _read(mock: MockCluster, topic: str, count: int) -> list[Any]:
    consumer = Consumer({"bootstrap.servers": mock.bootstrap, "group.id": "reader"})
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        found = [consumer.poll(20) for _ in range(count)]
    finally:
        consumer.close()
    return [(m.value(), m.key(), m.headers(), m.timestamp()[1]) for m in found if m is not None]


def test_records_arrive_whole_in_their_order_and_are_reported_once_each(mock: MockCluster, way: Way) -> None:
    values = [b"%d" % i for i in range(3000)]  # more than there are slots at first
    for value in values:
        way.send(value)
    way.flights.sampling = True
    way.until(lambda: not len(way.flights))
    assert (way.stream.acknowledged, way.failed, len(way.producer)) == (3000, [], 0)
    ((told, latency),) = way.acknowledged
    assert told in values
    assert latency is not None
    assert 0 < latency < 60
    assert _read(mock, way.topic, 3000) == [(v, b"k|" + v[:1], HEADERS, NOW_MS) for v in values]


def test_a_record_whose_headers_cannot_be_written_is_not_taken(way: Way) -> None:
    with pytest.raises(TypeError):
        way.send(b"v", [("a", 1)])
    assert (len(way.flights), len(way.producer)) == (0, 0)


def test_every_record_has_its_own_headers_however_often_they_come(mock: MockCluster, way: Way) -> None:
    changed = list(HEADERS)
    kinds: list[list[tuple[str, bytes]]] = [HEADERS, list(HEADERS[:1]), [], changed, [("many", b"%d")] * 5]
    kinds += [[("kind", b"%d" % number)] for number in range(12)]  # more than are kept ready
    sent = []
    for number in range(8):
        changed[1] = ("schema", b"changed %d" % (number // 2))
        for headers in kinds:
            again = (
                [(name[:1] + name[1:], bytes(bytearray(value))) for name, value in headers]
                if number % 3 == 2
                else headers
            )
            way.send(b"v", again)
            sent.append(list(headers) or None)
        way.until(lambda: not len(way.flights))
    assert way.stream.acknowledged == len(sent)
    assert [found for _, _, found, _ in _read(mock, way.topic, len(sent))] == sent


class _Allocated(ctypes.Structure):
    """``struct mallinfo2`` of glibc."""

    _names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = tuple((name, ctypes.c_size_t) for name in _names.split())


def _in_use() -> int:
    """How many bytes of the C allocator are in use."""
    ask = ctypes.CDLL(None).mallinfo2
    ask.restype = _Allocated
    return int(ask().uordblks)


def test_headers_that_were_read_from_disk_leave_nothing_behind(mock: MockCluster, way: Way) -> None:
    """They are new ones each time, and equal to those of other records."""
    used = []
    with mock.down():  # up, it would keep the records, and in this process
        for _ in range(10):
            for _ in range(400):
                way.send(b"v", [(name[:1] + name[1:], bytes(bytearray(value))) for name, value in HEADERS])
            way.producer.purge()
            way.until(lambda: not len(way.flights))
            way.failed.clear()
            used.append(_in_use())
    assert used[-1] - used[1] < 300_000, used


def test_a_full_queue_is_a_buffer_error_and_a_record_that_is_too_large_says_so(mock: MockCluster, unique: str) -> None:
    way = Way(mock, f"t.{unique}", queue_buffering_max_messages=2, message_max_bytes=2000)
    with pytest.raises(KafkaException) as too_large:
        way.send(bytes(3000))
    error = too_large.value.args[0]
    assert (error.code(), error.str(), error.fatal()) == (
        KafkaError.MSG_SIZE_TOO_LARGE,
        "Unable to produce message: Broker: Message size too large",
        False,
    )
    way.send(b"v")
    way.send(b"v")
    with pytest.raises(BufferError, match=r"^Local: Queue full$"):
        way.send(b"v")
    assert len(way.flights) == 2
    way.until(lambda: not len(way.flights))
    way.send(b"v")


def test_a_topic_without_a_possible_name_is_an_error_of_this_record(way: Way) -> None:
    with pytest.raises(KafkaException) as refused:
        way.send(b"v", topic="t" * 600)
    assert refused.value.args[0].code() == KafkaError._INVALID_ARG
    assert len(way.flights) == 0


def test_what_a_broker_refuses_is_reported_with_its_error(mock: MockCluster, way: Way) -> None:
    way.send(b"fine")
    way.until(lambda: not len(way.flights))
    mock.push_request_errors(PRODUCE, KafkaError.TOPIC_AUTHORIZATION_FAILED)
    way.send(b"refused")
    way.until(lambda: way.failed)
    ((value, error),) = way.failed
    assert (value, error.code(), error.str()) == (
        b"refused",
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        "Broker: Topic authorization failed",
    )


def test_a_fatal_error_comes_out_of_a_poll_and_nothing_is_taken_after_it() -> None:
    with MockCluster() as mock:  # where no other producer takes the error
        mock.push_request_errors(INIT_PRODUCER_ID, KafkaError.INVALID_PRODUCER_EPOCH)
        way = Way(mock, "t")
        with pytest.raises(KafkaException) as lost:
            way.until(lambda: False)
        error = lost.value.args[0]
        assert (error.code(), error.fatal()) == (KafkaError._FENCED, True)
        assert "an operation with an old epoch" in error.str()
        with pytest.raises(KafkaException) as after:
            way.send(b"after")
        assert (after.value.args[0].code(), after.value.args[0].fatal()) == (KafkaError._FATAL, False)


def test_what_is_purged_is_reported_as_that(mock: MockCluster, unique: str) -> None:
    with mock.down():
        way = Way(mock, f"t.{unique}")
        for i in range(3):
            way.send(b"%d" % i)
        way.producer.purge()
        way.until(lambda: len(way.failed) == 3)
        assert {error.code() for _, error in way.failed} == {KafkaError._PURGE_QUEUE}
        assert way.heard  # that no broker is there
        assert all(isinstance(error.str(), str) for error in way.heard)


def test_errors_in_reports_come_out_of_polls_and_the_others_are_taken_by_the_next(way: Way) -> None:
    told = []

    def refuse(entry: Any, _what: Any) -> None:
        told.append(entry.record.value)
        raise ArithmeticError("refused")

    table = in_flight.InFlightTable(refuse, refuse)
    table.produce = way.producer.produce
    for number in range(3):
        record = Record(way.topic, b"k", b"%d" % number, [], NOW_MS, "ticker", "x")
        table.hand_over(in_flight.InFlight(way.stream, way.lane, record, place=number))
    errors = []

    def polled() -> bool:
        try:
            way.producer.poll(0.05)
        except (ArithmeticError, SystemError) as e:  # the latter is the library's
            errors.append(e)
        return not len(table)

    eventually(polled, "reports")
    assert (told, len(errors)) == ([b"0", b"1", b"2"], 3)


def test_a_producer_that_is_dropped_lets_go_of_what_was_not_reported(form: str, mock: MockCluster, unique: str) -> None:
    class Watched(list[Any]):
        pass

    with mock.down():
        way = Way(mock, f"t.{unique}")
        headers = Watched(HEADERS)
        way.send(b"v", headers)
        (entry,) = way.flights.take_back()
        dead = weakref.ref(headers)
        del headers
        way.flights.produce = None
        del way.producer, entry
        gc.collect()
        assert dead() is None or form == "python"  # confluent-kafka 2.16.1 keeps it for ever


def test_partitions_are_asked_for(mock: MockCluster, unique: str, way: Way) -> None:
    assert way.producer.partitions(way.topic, 10) == 1
    mock.create_topic(f"more.{unique}", 7)
    assert way.producer.partitions(f"more.{unique}", 10) == 7
    with mock.down(), pytest.raises(KafkaException, match="metadata"):
        way.producer.partitions(way.topic, 0.2)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"no.such.setting": 1}, 'No such configuration property: "no.such.setting"'),
        ({"compression.type": "none at all"}, 'Invalid value "none at all" for configuration property'),
        ({"ssl.ca.location": "/nowhere", "security.protocol": "ssl"}, "Failed to create producer: ssl.ca.location"),
    ],
)
def test_settings_that_cannot_be_used_are_named(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(KafkaFailed, match="correct the KAFKA_") as refused:
        record_producer.make_producer({"bootstrap.servers": "127.0.0.1:1"} | settings)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("version", "what"),
    [(0x020E00FF, "0x020e00ff"), (0x030000FF, "0x030000ff"), (None, "not loaded"), (0, "no rd_kafka_")],
)
def test_another_library_is_left_to_the_other_form(
    version: int | None, what: str, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    stand_in = ctypes.CFUNCTYPE(ctypes.c_int)(lambda: version)

    def address(name: str) -> int:
        if version is None:
            raise OSError("not loaded")
        if not version:
            raise AttributeError(f"no {name}")
        return cast("int", ctypes.cast(stand_in, ctypes.c_void_p).value)

    monkeypatch.setattr(record_producer, "_address", address)
    record_producer._connected.cache_clear()
    try:
        made = record_producer.make_producer({"bootstrap.servers": "127.0.0.1:1"})
    finally:
        record_producer._connected.cache_clear()
    assert type(made) is python_forms["RecordProducer"]
    if form == "compiled":
        with pytest.raises((OSError, AttributeError, ValueError), match=what):
            record_producer.RecordProducer.connect(address)


def test_tokens_of_a_python_function_are_left_to_the_other_form() -> None:
    settings = {"bootstrap.servers": "127.0.0.1:1", "security.protocol": "sasl_plaintext"}
    more = {"sasl.mechanism": "OAUTHBEARER", "oauth_cb": lambda _config: ("token", time.time() + 3600)}
    assert type(record_producer.make_producer(settings | more)) is python_forms["RecordProducer"]


def test_the_compiled_form_is_used_where_it_can_be(form: str, way: Way) -> None:
    assert type(way.producer) is record_producer.RecordProducer
    assert (type(way.producer) is python_forms["RecordProducer"]) == (form == "python")
