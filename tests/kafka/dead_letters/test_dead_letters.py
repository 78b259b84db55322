"""Dead letters on a real Kafka: byte for byte, one each, and the offset held until they are acknowledged."""

import os
from typing import Any

import pytest
from confluent_kafka import KafkaError
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # exported without saying so
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from consumer_support import Collector, Headers, committed, config_for, create, read_all, send
from dead_letter_support import DOWN, bury, source
from kafka.mock_cluster import PRODUCE, MockCluster
from tickwire import metrics
from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import KafkaFailed, Reject
from tickwire.kafka.admin.topics import Topics
from tickwire.kafka.consuming.consumer import run_kafka_consumer
from tickwire.kafka.consuming.market_state import MarketState
from tickwire.kafka.dead_letters.headers import HEADERS, split_headers
from tickwire.kafka.received import ReceivedRecord
from tickwire.records.codec import RecordWriter
from tickwire.records.kinds import topics_by_kind

pytestmark = pytest.mark.kafka

GOOD = (
    b'{"type":"ticker","exchange":"k","symbol":"A-B","exchange_symbol":"AB",'
    b'"bid":%s,"bid_size":"1","ask":"2","ask_size":"1","received_us":5}'
)
POISON = {
    "no JSON": b"{",
    "wrong types": GOOD % b"1.5",
    "NaN": GOOD % b"NaN",
    "NaN as text": GOOD % b'"NaN"',
    "0 bytes": b"",
    "null": None,
    "magic byte": b"\x00\x00\x00\x00\x07\x02x",
    "deep": b"[" * 200_000,
    "deep in an unknown field": (GOOD % b'"1"')[:-1] + b',"more":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "5 MB": b'"' + b"x" * 5_000_000 + b'"',
    "no UTF-8": GOOD % b'"\xff\xfe"',
    "terminal escapes": GOOD % b'"\\u001b[2J\\u001b]0;owned\\u0007"',
    "wrong key": GOOD % b'"1"',
}


@pytest.fixture
def config(kafka: Any, unique: str) -> KafkaConfig:
    return config_for(kafka.bootstrap, unique, dlq_enabled=True)


def refuse(_record: ReceivedRecord) -> None:
    raise Reject("not today")


def test_key_value_and_headers_stay_as_they_were_and_ours_follow(config: KafkaConfig) -> None:
    create(config, config.ticker_topic)
    headers: Headers = [("trace", b"\x00\xff"), ("trace", None), ("attempts", b"mine"), ("", b""), ("é", b"x")]
    send(config, config.ticker_topic, [b"\xff\x00value"], headers=headers)
    run_kafka_consumer(config, topics=[config.ticker_topic], handler=refuse, max_records=1)

    [source], [letter] = read_all(config, config.ticker_topic), read_all(config, config.dlq_topic)
    assert (letter.key, letter.value) == (b"k", b"\xff\x00value")
    assert list(letter.headers[:5]) == headers
    assert tuple(name for name, _ in letter.headers[5:]) == HEADERS
    ours = split_headers(letter.headers)[1]
    failed_at = ours.pop("failed_at")
    assert failed_at.endswith("Z")
    assert ours == {
        "source_topic": config.ticker_topic,
        "source_partition": "0",
        "source_offset": "0",
        "source_timestamp_ms": str(source.timestamp_ms),
        "consumer_group": config.group_id,
        "error_type": "process",
        "error_class": "tickwire.errors.Reject",
        "error_message": "not today",
        "attempts": "1",
        "dlq_id": f"{config.ticker_topic}-0-0",
        "replay_count": "0",
        "left_out": "nothing",
    }


def test_a_null_key_stays_null(config: KafkaConfig) -> None:
    from confluent_kafka import Producer  # noqa: PLC0415

    create(config, config.ticker_topic)
    producer = Producer({"bootstrap.servers": config.brokers})
    producer.produce(config.ticker_topic, b"x")
    producer.produce(config.ticker_topic, b"y", b"")
    assert producer.flush(20) == 0
    run_kafka_consumer(config, topics=[config.ticker_topic], handler=refuse, max_records=2)
    assert {(letter.key, letter.value) for letter in read_all(config, config.dlq_topic)} == {(None, b"x"), (b"", b"y")}


def test_when_it_fails_again_the_reason_is_replaced(config: KafkaConfig) -> None:
    create(config, config.ticker_topic)
    send(config, config.ticker_topic, [b"x"], headers=[("trace", b"1")])
    run_kafka_consumer(config, topics=[config.ticker_topic], handler=refuse, max_records=1)
    [letter] = read_all(config, config.dlq_topic)
    again: Headers = [(name, b"2" if name == "replay_count" else value) for name, value in letter.headers]
    send(config, config.ticker_topic, [b"x"], headers=again)
    run_kafka_consumer(config, topics=[config.ticker_topic], handler=refuse, max_records=1)

    second = next(r for r in read_all(config, config.dlq_topic) if split_headers(r.headers)[1]["source_offset"] == "1")
    assert tuple(name for name, _ in second.headers) == ("trace", *HEADERS)
    assert dict(second.headers)["replay_count"] == b"2"


def test_each_of_the_poison_set_is_one_dead_letter_and_the_partition_moves_on(config: KafkaConfig) -> None:
    create(config, config.ticker_topic, settings={"max.message.bytes": "10000000"})
    send(config, config.ticker_topic, list(POISON.values()))
    send(config, config.ticker_topic, [GOOD % b'"1"'], headers=[("big", b"h" * 900_000)])
    good = RecordWriter(topics_by_kind(config)).write(ReceivedRecord("", 0, 0, b"k|A-B", GOOD % b'"1"').event)
    from confluent_kafka import Producer  # noqa: PLC0415

    producer = Producer({"bootstrap.servers": config.brokers})
    producer.produce(config.ticker_topic, good.value, good.key)
    assert producer.flush(20) == 0
    count = len(POISON) + 2
    state = MarketState()

    report = run_kafka_consumer(config, topics=[config.ticker_topic], handler=state, max_records=count)
    assert state.records["ticker"] == 1
    assert report.dead_letters[config.ticker_topic] == count - 1
    letters = {split_headers(r.headers)[1]["source_offset"]: r for r in read_all(config, config.dlq_topic)}
    assert len(letters) == len(read_all(config, config.dlq_topic)) == count - 1
    for offset, value in enumerate(POISON.values()):
        assert letters[str(offset)].value == value
    assert committed(config, config.ticker_topic) == [count]
    types = {name: split_headers(letters[str(i)].headers)[1]["error_type"] for i, name in enumerate(POISON)}
    assert types["no JSON"] == types["NaN"] == types["0 bytes"] == types["null"] == types["magic byte"] == "deserialize"
    assert types["deep"] == types["deep in an unknown field"] == types["no UTF-8"] == "deserialize"
    assert types["wrong types"] == types["5 MB"] == "schema"
    assert types["NaN as text"] == types["wrong key"] == types["terminal escapes"] == "validate"
    assert sum(
        metrics.DLQ_PUBLISHED.labels(config.dlq_topic, config.ticker_topic, error_type)._value.get()
        for error_type in set(types.values())
    ) == (count - 1)


def test_what_is_too_large_loses_headers_then_its_value_but_not_where_it_came_from(config: KafkaConfig) -> None:
    create(config, config.ticker_topic)
    create(config, config.dlq_topic, settings={"max.message.bytes": "20000"})
    send(config, config.ticker_topic, [b"small"], headers=[("big", os.urandom(30_000))])
    send(config, config.ticker_topic, [os.urandom(30_000)], headers=[("h", b"1")])
    run_kafka_consumer(config, topics=[config.ticker_topic], handler=refuse, max_records=2)

    first, second = read_all(config, config.dlq_topic)
    assert (first.key, first.value, first.headers[0][0]) == (b"k", b"small", "source_topic")
    assert dict(first.headers)["left_out"] == b"headers"
    assert (second.key, second.value) == (b"k", None)
    assert dict(second.headers)["left_out"] == b"headers,value"
    assert dict(second.headers)["source_offset"] == b"1"


@pytest.mark.parametrize("code", [KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE])
def test_what_is_too_large_for_the_topic_or_for_its_segments_loses_headers(code: int, unique: str) -> None:
    with MockCluster() as mock:
        config = config_for(mock.bootstrap, unique, dlq_enabled=True)
        mock.create_topic(config.dlq_topic, 1)
        mock.push_request_errors(PRODUCE, code)
        bury(config, [source(config, 1, headers=[("theirs", b"1")])], DOWN)
        [letter] = read_all(config, config.dlq_topic)
    original, ours = split_headers(letter.headers)
    assert (original, letter.value, ours["left_out"]) == ([], b"v", "headers")


def test_a_dead_letter_that_cannot_be_written_holds_the_offset(config: KafkaConfig) -> None:
    create(config, config.ticker_topic)
    create(config, config.dlq_topic)
    resource = ConfigResource(
        ResourceType.TOPIC,
        config.dlq_topic,
        incremental_configs=[
            ConfigEntry("max.message.bytes", "10", incremental_operation=AlterConfigOpType.SET),
        ],
    )
    admin = AdminClient({"bootstrap.servers": config.brokers})
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(20)
    send(config, config.ticker_topic, [b"good", b"bad"])
    seen = Collector()

    def handle(record: ReceivedRecord) -> None:
        if record.value == b"bad":
            raise Reject("no")
        seen(record)

    with pytest.raises(KafkaFailed, match="its offset is not committed"):
        run_kafka_consumer(config, topics=[config.ticker_topic], handler=handle)
    assert seen.values == [b"good"]
    assert committed(config, config.ticker_topic) == [1]


def test_the_topic_of_dead_letters_has_room_for_the_headers_and_keeps_longer(config: KafkaConfig) -> None:
    create(config, config.ticker_topic, settings={"max.message.bytes": "3000000", "retention.ms": "86400000"})
    send(config, config.ticker_topic, [b"x"])
    run_kafka_consumer(config, topics=[config.ticker_topic], handler=refuse, max_records=1)
    made = Topics(config).describe(config.dlq_topic)
    assert made.largest_message is not None
    assert made.largest_message >= 3_000_000 + 64 * 1024
    assert made.retention_ms == 2 * 86_400_000
