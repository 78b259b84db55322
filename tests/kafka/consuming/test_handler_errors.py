"""What is told of a handler that fails: its author's line, in full once, and every further attempt."""

import asyncio
import json
import logging
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from consumer_support import config_for, send
from kafka.mock_cluster import MockCluster
from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import ProcessingFailed, Reject
from tickwire.kafka.consuming import processing
from tickwire.kafka.consuming.consumer import run_kafka_consumer
from tickwire.kafka.consuming.handler_errors import HandlerErrors
from tickwire.kafka.received import ReceivedRecord

HERE = Path(__file__).name


@pytest.fixture
def config(unique: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[KafkaConfig]:
    monkeypatch.setattr(processing, "FIRST_BACKOFF_SECONDS", 0.001)
    with MockCluster() as mock:
        config = config_for(mock.bootstrap, unique)
        mock.create_topic(config.ticker_topic, 1)
        yield config


class Logged:
    """Handler errors as they reach the log: the place, and the functions of the traceback if there is one."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog

    def _records(self) -> list[logging.LogRecord]:
        return [record for record in self._caplog.records if record.name == "tickwire.kafka.consuming.handler_errors"]

    def places(self) -> list[str]:
        return [str(record.args[1]) for record in self._records() if isinstance(record.args, tuple)]

    def functions(self) -> list[list[str]]:
        traces = [record.exc_info[2] for record in self._records() if record.exc_info]
        return [[frame.name for frame in traceback.extract_tb(trace)] for trace in traces]


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Logged:
    return Logged(caplog)


def helper() -> None:
    json.loads("{bad")


def fails(record: ReceivedRecord) -> None:
    helper()


async def fails_later(record: ReceivedRecord) -> None:
    await asyncio.sleep(0)
    helper()


def two(one: object, other: object) -> None:
    pass


@pytest.mark.parametrize(
    ("handler", "place", "functions"),
    [
        (fails, f"{HERE}:{helper.__code__.co_firstlineno + 1}", ["fails", "helper", "loads", "decode", "raw_decode"]),
        (
            fails_later,
            f"{HERE}:{helper.__code__.co_firstlineno + 1}",
            ["fails_later", "helper", "loads", "decode", "raw_decode"],
        ),
        (two, f"{__name__}.two", []),
    ],
)
def test_the_place_is_a_line_of_the_handlers_author_and_the_traceback_begins_there(
    config: KafkaConfig, logged: Logged, handler: Callable[..., Any], place: str, functions: list[str]
) -> None:
    send(config, config.ticker_topic, [b"0"])
    with pytest.raises(ProcessingFailed):
        run_kafka_consumer(config, topics=[config.ticker_topic], handler=handler)
    assert logged.places() == [place]
    assert logged.functions() == [functions]


def caught(raised: Callable[[], object]) -> Exception:
    try:
        raised()
    except Exception as error:  # noqa: BLE001
        return error
    raise AssertionError


def reject() -> None:
    raise Reject("not today")


def test_each_place_is_shown_in_full_once_and_what_is_refused_on_purpose_never(logged: Logged) -> None:
    errors = HandlerErrors(fails)
    for raised in (helper, lambda: 1 / 0, helper, reject):
        errors.log("test", caught(raised))
    assert [functions[1] for functions in logged.functions()] == ["helper", "<lambda>"]
    assert len(logged.places()) == 4


def retries(topic: str) -> float:
    return REGISTRY.get_sample_value("kafka_consumer_retries_total", {"topic": topic}) or 0.0


def test_the_first_further_attempt_at_a_record_is_told_and_every_one_is_counted(
    config: KafkaConfig, logged: Logged
) -> None:
    send(config, config.ticker_topic, [b"0", b"1"])
    left = {0: 3, 1: 2}

    def fail(record: ReceivedRecord) -> None:
        if left[record.offset]:
            left[record.offset] -= 1
            raise ConnectionError("gone")

    run_kafka_consumer(config, topics=[config.ticker_topic], handler=fail, max_records=2)
    assert retries(config.ticker_topic) == 5
    assert len(logged.places()) == 2
    assert len(logged.functions()) == 1
