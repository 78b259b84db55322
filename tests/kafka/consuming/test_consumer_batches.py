"""Handlers that take batches: what they get, what is committed, and what becomes of a record that spoils a batch."""

import threading
from collections.abc import Sequence

import pytest

from consumer_support import committed, config_for, in_thread, read_all, send
from kafka.mock_cluster import MockCluster
from support import eventually
from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import HandlerNotClosed, ProcessingFailed, Reject, TooManyDeadLetters
from tickwire.kafka.consuming import assignment, processing
from tickwire.kafka.consuming import consumer as consumer_module
from tickwire.kafka.consuming.consumer import run_kafka_consumer
from tickwire.kafka.received import ReceivedRecord

MANY = [b"%d" % i for i in range(100)]


@pytest.fixture
def config(mock: MockCluster, unique: str, monkeypatch: pytest.MonkeyPatch) -> KafkaConfig:
    monkeypatch.setattr(processing, "FIRST_BACKOFF_SECONDS", 0.01)
    monkeypatch.setattr(assignment, "DRAIN_SECONDS", 1.0)
    config = config_for(mock.bootstrap, unique)
    mock.create_topic(config.ticker_topic, 1)
    mock.create_topic(config.dlq_topic, 1)
    send(config, config.ticker_topic, MANY)
    return config


class Table:
    """Stores whole batches or nothing of them; refuses those with a record of *bad*."""

    batch_records = 30
    batch_seconds = 0.1

    def __init__(self, bad: Sequence[int] = (), failures: Sequence[Exception] = ()) -> None:
        self.bad, self.failures = set(bad), list(failures)
        self.calls: list[list[int]] = []
        self.rows: list[bytes | None] = []
        self.closed = 0

    def batch(self, records: Sequence[ReceivedRecord]) -> None:
        self.calls.append([record.offset for record in records])
        if self.failures:
            raise self.failures.pop(0)
        if self.bad & {record.offset for record in records}:
            raise Reject("not this one")
        self.rows += [record.value for record in records]

    def close(self) -> None:
        self.closed += 1


class AsyncTable(Table):
    async def batch(self, records: Sequence[ReceivedRecord]) -> None:  # type: ignore[override]
        super().batch(records)

    async def close(self) -> None:  # type: ignore[override]
        super().close()


@pytest.mark.parametrize("kind", [Table, AsyncTable])
def test_full_batches_in_order_and_the_rest_after_its_time(config: KafkaConfig, kind: type[Table]) -> None:
    table = kind()

    report = run_kafka_consumer(
        config, topics=[config.ticker_topic], handler=table, stopping=lambda: len(table.rows) == 100
    )

    assert table.rows == MANY
    assert [len(call) for call in table.calls] == [30, 30, 30, 10]
    assert report.processed[config.ticker_topic] == 100
    assert committed(config, config.ticker_topic) == [100]
    assert table.closed == 1


def test_no_more_than_it_was_told_is_begun_and_the_next_run_goes_on_there(config: KafkaConfig) -> None:
    first, second = Table(), Table()
    run_kafka_consumer(config, topics=[config.ticker_topic], handler=first, max_records=45)
    assert (first.rows, committed(config, config.ticker_topic)) == (MANY[:45], [45])
    run_kafka_consumer(config, topics=[config.ticker_topic], handler=second, max_records=55)
    assert (second.rows, committed(config, config.ticker_topic)) == (MANY[45:], [100])


def test_nothing_of_a_batch_is_committed_before_it_returned_nor_when_it_does_not(
    config: KafkaConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer_module, "COMMIT_SECONDS", 0.0)
    entered, released = threading.Event(), threading.Event()

    class Slow(Table):
        def batch(self, records: Sequence[ReceivedRecord]) -> None:
            if records[0].offset == 30:
                entered.set()
                released.wait()
            super().batch(records)

    table, stop = Slow(), threading.Event()
    thread = in_thread(
        lambda: run_kafka_consumer(config, topics=[config.ticker_topic], handler=table, stopping=stop.is_set)
    )
    try:
        assert entered.wait(20)
        eventually(lambda: committed(config, config.ticker_topic) == [30], "the first batch is committed")
        stop.set()
        eventually(lambda: not thread.is_alive(), "the end")
    finally:
        released.set()
    assert committed(config, config.ticker_topic) == [30]
    assert table.closed == 0  # it is still at a batch


def test_what_may_pass_is_the_same_batch_again(config: KafkaConfig) -> None:
    table = Table(failures=[ConnectionError("gone"), TimeoutError("late")])
    run_kafka_consumer(config, topics=[config.ticker_topic], handler=table, max_records=60)
    assert [(call[0], len(call)) for call in table.calls] == [(0, 30), (0, 30), (0, 30), (30, 30)]
    assert table.rows == MANY[:60]


def test_a_bad_record_becomes_a_dead_letter_and_the_others_of_its_batch_are_stored(config: KafkaConfig) -> None:
    config = config.model_copy(update={"dlq_enabled": True})
    table = Table(bad=[7, 29])
    report = run_kafka_consumer(config, topics=[config.ticker_topic], handler=table, max_records=100)
    assert table.rows == [value for value in MANY if value not in {b"7", b"29"}]
    assert [letter.value for letter in read_all(config, config.dlq_topic)] == [b"7", b"29"]
    assert (report.processed[config.ticker_topic], report.dead_letters[config.ticker_topic]) == (98, 2)
    assert [len(call) for call in table.calls] == [30, *[1] * 30, 30, 30, 10]
    assert committed(config, config.ticker_topic) == [100]


def test_without_dead_letters_a_bad_record_ends_it_and_all_before_is_committed(config: KafkaConfig) -> None:
    table = Table(bad=[37])
    with pytest.raises(ProcessingFailed) as caught:
        run_kafka_consumer(config, topics=[config.ticker_topic], handler=table)
    assert caught.value.offset == 37
    assert (table.rows, committed(config, config.ticker_topic)) == (MANY[:37], [37])


def test_attempts_that_are_used_up_count_as_wrong(config: KafkaConfig) -> None:
    config = config.model_copy(update={"max_attempts": 2})
    table = Table(failures=[ConnectionError("gone")] * 4)
    with pytest.raises(ProcessingFailed) as caught:
        run_kafka_consumer(config, topics=[config.ticker_topic], handler=table)
    assert caught.value.offset == 0
    assert [len(call) for call in table.calls] == [30, 30, 1, 1]


def test_too_many_dead_letters_end_it(config: KafkaConfig) -> None:
    config = config.model_copy(update={"dlq_enabled": True, "dlq_max_consecutive": 3})
    with pytest.raises(TooManyDeadLetters) as caught:
        run_kafka_consumer(config, topics=[config.ticker_topic], handler=Table(bad=range(100)))
    assert caught.value.offset == 3
    assert committed(config, config.ticker_topic) == [3]


def test_no_further_than_so_many_records_ahead_of_what_kafka_confirmed(
    config: KafkaConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processing, "MAX_UNCOMMITTED", 40)
    table = Table()
    run_kafka_consumer(config, topics=[config.ticker_topic], handler=table, max_records=100)
    assert table.rows == MANY
    assert [len(call) for call in table.calls][:2] == [30, 10]


def test_a_close_that_fails_is_the_end_of_the_run_with_everything_committed(config: KafkaConfig) -> None:
    class Broken(Table):
        def close(self) -> None:
            raise OSError("disk full")

    with pytest.raises(HandlerNotClosed, match="failed \\(OSError: disk full\\)"):
        run_kafka_consumer(config, topics=[config.ticker_topic], handler=Broken(), max_records=100)
    assert committed(config, config.ticker_topic) == [100]


def test_a_close_that_does_not_end_is_given_up(config: KafkaConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer_module, "CLOSE_SECONDS", 1.0)
    released = threading.Event()

    class Hanging(Table):
        def close(self) -> None:
            released.wait()

    try:
        with pytest.raises(HandlerNotClosed, match="did not end within 1 s"):
            run_kafka_consumer(config, topics=[config.ticker_topic], handler=Hanging(), max_records=100)
    finally:
        released.set()
    assert committed(config, config.ticker_topic) == [100]
