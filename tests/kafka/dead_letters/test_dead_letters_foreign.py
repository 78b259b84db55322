"""Dead letters as Kafka Connect and Spring write them, taken apart."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from tickwire.kafka.dead_letters.headers import HEADERS, REPLAY_HEADERS, HeaderList, read_headers

# Apache Kafka 4.3.0, DeadLetterQueueReporter and KIP-298: all of it text.
CONNECT: HeaderList = [
    ("__connect.errors.topic", b"ticks"),
    ("__connect.errors.partition", b"2"),
    ("__connect.errors.offset", b"71"),
    ("__connect.errors.connector.name", b"sink"),
    ("__connect.errors.task.id", b"0"),
    ("__connect.errors.stage", b"VALUE_CONVERTER"),
    ("__connect.errors.class.name", b"org.apache.kafka.connect.json.JsonConverter"),
    ("__connect.errors.exception.class.name", b"org.apache.kafka.connect.errors.DataException"),
    ("__connect.errors.exception.message", b"no JSON"),
    ("__connect.errors.exception.stacktrace", b"at one\n at two"),
]
# spring-kafka 3.3.10, DeadLetterPublishingRecoverer: a partition has 4 bytes, an offset and a time have 8.
SPRING: HeaderList = [
    ("kafka_dlt-original-topic", b"ticks"),
    ("kafka_dlt-original-partition", b"\x00\x00\x00\x02"),
    ("kafka_dlt-original-offset", b"\x00\x00\x00\x00\x00\x00\x00\x47"),
    ("kafka_dlt-original-timestamp", (1_769_860_800_000).to_bytes(8, "big")),
    ("kafka_dlt-original-timestamp-type", b"CreateTime"),
    ("kafka_dlt-original-consumer-group", b"risk"),
    ("kafka_dlt-exception-fqcn", b"org.springframework.kafka.listener.ListenerExecutionFailedException"),
    ("kafka_dlt-exception-cause-fqcn", b"java.lang.IllegalStateException"),
    ("kafka_dlt-exception-message", b"no limit"),
    ("kafka_dlt-exception-stacktrace", b"at one"),
]
own = st.lists(st.tuples(st.sampled_from(["trace", "schema", "topic"]), st.none() | st.binary(max_size=3)), max_size=4)


@given(before=own, after=own)
def test_what_connect_tells(before: list[tuple[str, bytes | None]], after: list[tuple[str, bytes | None]]) -> None:
    original, told = read_headers([*before, *CONNECT, *after])
    assert original == [*before, *after]
    assert {name: told[name] for name in HEADERS if name in told} == {
        "source_topic": "ticks",
        "source_partition": "2",
        "source_offset": "71",
        "error_type": "deserialize",
        "error_class": "org.apache.kafka.connect.errors.DataException",
        "error_message": "no JSON",
    }
    others = {name for name in told if name not in HEADERS}
    assert others == {
        f"__connect.errors.{name}"
        for name in ("connector.name", "task.id", "stage", "class.name", "exception.stacktrace")
    }


@given(before=own, after=own)
def test_what_spring_tells(before: list[tuple[str, bytes | None]], after: list[tuple[str, bytes | None]]) -> None:
    original, told = read_headers([*before, *SPRING, *after])
    assert original == [*before, *after]
    assert {name: told[name] for name in HEADERS if name in told} == {
        "source_topic": "ticks",
        "source_partition": "2",
        "source_offset": "71",
        "source_timestamp_ms": "1769860800000",
        "consumer_group": "risk",
        "error_type": "process",
        "error_class": "java.lang.IllegalStateException",
        "error_message": "no limit",
    }
    assert told["kafka_dlt-original-timestamp-type"] == "CreateTime"


@pytest.mark.parametrize(
    ("headers", "error_type"),
    [
        ([("__connect.errors.stage", b"KEY_CONVERTER")], "deserialize"),
        ([("__connect.errors.stage", b"HEADER_CONVERTER")], "deserialize"),
        ([("__connect.errors.stage", b"TRANSFORMATION")], "process"),
        ([("__connect.errors.stage", b"TASK_PUT")], "process"),
        ([("__connect.errors.offset", b"1")], None),
    ],
)
def test_connects_stage_tells_what_failed(headers: HeaderList, error_type: str | None) -> None:
    told = read_headers([("__connect.errors.topic", b"t"), *headers])[1]
    assert told.get("error_type") == error_type


@pytest.mark.parametrize("of", ["", "key-"])
def test_spring_could_not_read_the_record(of: str) -> None:
    name = b"org.springframework.kafka.support.serializer.DeserializationException"
    headers: HeaderList = [
        ("kafka_dlt-original-topic", b"t"),
        (f"kafka_dlt-{of}exception-fqcn", name),
        ("kafka_dlt-exception-cause-fqcn", b"com.example.BadJson"),
        (f"kafka_dlt-{of}exception-message", b"why"),
    ]
    told = read_headers(headers)[1]
    assert (told["error_type"], told["error_class"], told["error_message"]) == (
        "deserialize",
        "com.example.BadJson",
        "why",
    )


@pytest.mark.parametrize("block", [CONNECT, SPRING])
def test_of_two_failures_the_last_one_counts(block: HeaderList) -> None:
    earlier: HeaderList = [(name, b"\x00\x00\x00\x01") for name, _ in block]
    assert read_headers([*earlier, *block]) == read_headers(block)


@pytest.mark.parametrize("block", [CONNECT, SPRING])
def test_without_a_source_it_is_none(block: HeaderList) -> None:
    assert read_headers(block[1:]) == (block[1:], {})


@pytest.mark.parametrize("block", [CONNECT, SPRING])
def test_a_replay_keeps_its_count(block: HeaderList) -> None:
    replayed: HeaderList = [(name, b"2") for name in REPLAY_HEADERS]
    original, told = read_headers([("trace", b"1"), *replayed, *block])
    assert (original, told["replay_count"]) == ([("trace", b"1")], "2")


@pytest.mark.parametrize("block", [CONNECT, SPRING])
def test_our_own_block_counts_more(block: HeaderList) -> None:
    ours: HeaderList = [(name, b"1") for name in HEADERS]
    assert read_headers([*block, *ours]) == (block, dict.fromkeys(HEADERS, "1"))


@given(
    st.lists(st.tuples(st.sampled_from([name for name, _ in [*CONNECT, *SPRING]]), st.none() | st.binary(max_size=9)))
)
def test_whatever_stands_there_is_told_as_text_or_is_no_dead_letter(headers: list[tuple[str, bytes | None]]) -> None:
    original, told = read_headers(headers)
    assert (original, told) == (headers, {}) or "source_topic" in told
