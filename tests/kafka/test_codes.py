"""Error codes by meaning."""

import re
from pathlib import Path

import pytest
from confluent_kafka import KafkaError

import tickwire
from tickwire.kafka import codes


def test_no_other_module_names_a_code() -> None:
    source = Path(tickwire.__file__).parent
    naming = [path for path in source.rglob("*.py") if re.search(r"\bKafkaError\.[A-Z_]", path.read_text())]
    assert naming == [Path(codes.__file__)]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (KafkaError(KafkaError.RECORD_LIST_TOO_LARGE), True),
        (KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED), True),
        (KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART), False),  # it may be created again
        (KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART, fatal=True), True),
        (KafkaError(KafkaError.NOT_ENOUGH_REPLICAS), False),
        (KafkaError(codes.NOT_REPORTED), False),
    ],
    ids=lambda value: f"{value.name()}{' fatal' if value.fatal() else ''}" if isinstance(value, KafkaError) else None,
)
def test_what_waiting_does_not_change_is_refused_for_good(error: KafkaError, expected: bool) -> None:
    assert codes.refused_for_good(error) is expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (KafkaError(KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER), True),  # librdkafka does not call this fatal
        (KafkaError(KafkaError.NOT_LEADER_FOR_PARTITION, fatal=True), True),
        (KafkaError(KafkaError.NOT_LEADER_FOR_PARTITION), False),
        (KafkaError(KafkaError.MSG_SIZE_TOO_LARGE), False),  # the record's fault
    ],
    ids=lambda value: f"{value.name()}{' fatal' if value.fatal() else ''}" if isinstance(value, KafkaError) else None,
)
def test_a_producer_is_lost_with_its_place_in_the_sequence(error: KafkaError, expected: bool) -> None:
    assert codes.producer_lost(error) is expected


def test_a_moment_later_it_may_work() -> None:
    assert codes.passes(KafkaError(KafkaError.COORDINATOR_LOAD_IN_PROGRESS))
    assert codes.passes(KafkaError(KafkaError.BROKER_NOT_AVAILABLE, retriable=True))
    assert not codes.passes(KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED))
