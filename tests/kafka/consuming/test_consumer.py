"""The consumer on real brokers: what is committed, what becomes of a bad record, what ends it."""

import asyncio
import threading
import time
from collections.abc import Callable

import pytest

from consumer_support import (
    MANY,
    Collector,
    committed,
    config_for,
    create,
    in_thread,
    read_all,
    send,
    send_events,
    ticker,
)
from support import eventually
from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import KafkaFailed, ProcessingFailed, Reject, TryAgain, UsageError
from tickwire.kafka.consuming import consumer as consumer_module
from tickwire.kafka.consuming.consumer import run_kafka_consumer
from tickwire.kafka.received import ReceivedRecord


def test_a_new_group_begins_at_the_beginning_and_goes_on_where_it_stopped(config: KafkaConfig) -> None:
    create(config, config.ticker_topic)
    send(config, config.ticker_topic, MANY)
    first, second = Collector(), Collector()

    report = run_kafka_consumer(config, topics=[config.ticker_topic], handler=first, max_records=60)
    assert first.values == MANY[:60]
    assert committed(config, config.ticker_topic) == [60]
    assert (report.consumed[config.ticker_topic], report.lag) == (60, {(config.ticker_topic, 0): 40})
    assert report.commits[config.ticker_topic] >= 1

    run_kafka_consumer(config, topics=[config.ticker_topic], handler=second, max_records=40)
    assert second.values == MANY[60:]
    assert committed(config, config.ticker_topic) == [100]


def test_without_dead_letters_a_bad_record_ends_it_and_all_before_is_committed(config: KafkaConfig) -> None:
    create(config, config.ticker_topic)
    send(config, config.ticker_topic, MANY)

    def fail(record: ReceivedRecord) -> None:
        if record.offset == 30:
            raise KeyError("price")

    with pytest.raises(ProcessingFailed) as caught:
        run_kafka_consumer(config, topics=[config.ticker_topic], handler=fail)
    assert (caught.value.topic, caught.value.partition, caught.value.offset) == (config.ticker_topic, 0, 30)
    assert "KeyError: 'price'" in str(caught.value)
    assert committed(config, config.ticker_topic) == [30]


def test_with_dead_letters_a_bad_record_is_put_aside_and_the_rest_goes_on(config: KafkaConfig) -> None:
    config = config.model_copy(update={"dlq_enabled": True})
    create(config, config.ticker_topic)
    send(config, config.ticker_topic, MANY)
    seen = Collector()

    def fail(record: ReceivedRecord) -> None:
        if record.offset in {10, 99}:
            raise Reject("not today")
        seen(record)

    report = run_kafka_consumer(config, topics=[config.ticker_topic], handler=fail, max_records=100)
    assert seen.values == MANY[:10] + MANY[11:99]
    assert [letter.value for letter in read_all(config, config.dlq_topic)] == [b"10", b"99"]
    assert committed(config, config.ticker_topic) == [100]
    assert report.dead_letters[config.ticker_topic] == 2
    assert report.consumed[config.ticker_topic] == 100


def test_the_default_handler_rebuilds_from_our_topics_which_are_created(config: KafkaConfig) -> None:
    thread_error: list[BaseException] = []
    done = threading.Event()
    handled = Collector(enough=20)

    def consume() -> None:
        try:
            run_kafka_consumer(config, handler=handled, stopping=done.is_set)
        except BaseException as e:  # noqa: BLE001 - shown by the test
            thread_error.append(e)

    thread = in_thread(consume)
    eventually(lambda: committed(config, config.orderbook_topic, 2) == [0, 0], "positions committed", 40)
    send_events(config, [ticker(symbol=f"S{i}-USDT") for i in range(20)])
    eventually(handled.full, "20 tickers")
    assert handled.records[0].event.exchange == "binance"
    done.set()
    thread.join(20)
    assert not thread.is_alive()
    assert thread_error == []


@pytest.mark.kafka
def test_a_record_is_not_committed_while_its_handler_works(real: KafkaConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commits go out while the records before it are done, and stop right in front of it."""
    monkeypatch.setattr(consumer_module, "COMMIT_RECORDS", 1)
    monkeypatch.setattr(consumer_module, "COMMIT_SECONDS", 0.0)
    create(real, real.ticker_topic)
    send(real, real.ticker_topic, MANY)
    seen: list[int | None] = []

    def look(record: ReceivedRecord) -> None:
        if record.offset % 10 == 0:
            [offset] = committed(real, real.ticker_topic)
            assert offset is None or offset <= record.offset
            seen.append(offset)

    run_kafka_consumer(real, topics=[real.ticker_topic], handler=look, max_records=100)
    assert max(offset or 0 for offset in seen) > 0  # it did commit along the way
    assert committed(real, real.ticker_topic) == [100]


@pytest.mark.kafka
def test_an_asynchronous_handler_takes_one_record_at_a_time_and_its_loop_goes_on(real: KafkaConfig) -> None:
    create(real, real.ticker_topic)
    send(real, real.ticker_topic, MANY[:20])
    seen: list[int] = []
    busy = 0
    background: list[asyncio.Task[None]] = []
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            beats += 1
            await asyncio.sleep(0)

    async def store(record: ReceivedRecord) -> None:
        nonlocal busy
        if not background:
            background.append(asyncio.create_task(beat()))
        busy += 1
        assert busy == 1
        await asyncio.sleep(0.001)
        seen.append(record.offset)
        busy -= 1

    run_kafka_consumer(real, topics=[real.ticker_topic], handler=store, max_records=20)
    assert seen == list(range(20))
    assert beats > 20
    assert background[0].cancelled()


@pytest.mark.kafka
def test_what_may_pass_is_tried_again_and_counted(real: KafkaConfig) -> None:
    real = real.model_copy(update={"dlq_enabled": True, "max_attempts": 5})
    create(real, real.ticker_topic)
    send(real, real.ticker_topic, MANY[:3])
    tries: dict[int, int] = {}

    def flaky(record: ReceivedRecord) -> None:
        tries[record.offset] = tries.get(record.offset, 0) + 1
        if record.offset == 0 and tries[0] < 3:
            raise TryAgain("the database restarts")
        if record.offset == 1:
            raise ConnectionResetError

    report = run_kafka_consumer(real, topics=[real.ticker_topic], handler=flaky, max_records=3)
    assert tries == {0: 3, 1: 5, 2: 1}
    assert report.processed[real.ticker_topic] == 2
    [letter] = read_all(real, real.dlq_topic)
    assert dict(letter.headers)["attempts"] == b"5"


@pytest.mark.kafka
def test_told_to_stop_between_two_attempts_it_leaves_the_record_for_the_next_time(real: KafkaConfig) -> None:
    create(real, real.ticker_topic)
    send(real, real.ticker_topic, MANY[:3])
    stop = threading.Event()

    def fail(record: ReceivedRecord) -> None:
        if record.offset == 1:
            stop.set()
            raise TimeoutError

    report = run_kafka_consumer(real, topics=[real.ticker_topic], handler=fail, stopping=stop.is_set)
    assert report.consumed[real.ticker_topic] == 1
    assert committed(real, real.ticker_topic) == [1]


@pytest.mark.kafka
def test_two_consumers_share_the_partitions_and_lose_nothing(real: KafkaConfig) -> None:
    topic = real.ticker_topic
    create(real, topic, partitions=4)
    for partition in range(4):
        send(real, topic, MANY, partition)
    seen: list[tuple[int, int]] = []
    revoked: list[int] = []

    class Slow:
        def __call__(self, record: ReceivedRecord) -> None:
            time.sleep(0.001 if revoked else 0.02)  # work is left when the second one comes
            seen.append((record.partition, record.offset))

        def revoked(self, _topic: str, partition: int) -> None:
            revoked.append(partition)

    done = threading.Event()
    run: Callable[[], object] = lambda: run_kafka_consumer(  # noqa: E731
        real, topics=[topic], handler=Slow(), stopping=done.is_set
    )
    threads = [in_thread(run)]
    eventually(lambda: len(seen) > 20, "the first records")
    threads.append(in_thread(run))
    eventually(lambda: len(set(seen)) == 400, "every record of every partition")
    eventually(lambda: committed(real, topic, 4) == [100] * 4, "everything committed")
    done.set()
    for thread in threads:
        thread.join(20)
    assert len(revoked) == 2
    # The first consumer committed what it had done before it gave partitions away.
    assert len(seen) == 400


@pytest.mark.kafka
def test_an_offset_that_retention_removed_is_an_error(real: KafkaConfig) -> None:
    from confluent_kafka import TopicPartition  # noqa: PLC0415
    from confluent_kafka.admin import AdminClient  # noqa: PLC0415

    create(real, real.ticker_topic)
    send(real, real.ticker_topic, MANY)
    run_kafka_consumer(real, topics=[real.ticker_topic], handler=Collector(), max_records=5)
    admin = AdminClient({"bootstrap.servers": real.brokers})
    for future in admin.delete_records([TopicPartition(real.ticker_topic, 0, 50)]).values():
        future.result(20)
    with pytest.raises(KafkaFailed, match=r"The next offset of .* partition 0 \(5\) is not in Kafka"):
        run_kafka_consumer(real, topics=[real.ticker_topic], handler=Collector(), max_records=1)
    assert committed(real, real.ticker_topic) == [5]


@pytest.mark.kafka
def test_a_topic_deleted_meanwhile_is_an_error(real: KafkaConfig) -> None:
    from confluent_kafka.admin import AdminClient  # noqa: PLC0415

    create(real, real.ticker_topic)
    send(real, real.ticker_topic, MANY)
    admin = AdminClient({"bootstrap.servers": real.brokers})
    deleted: list[object] = []

    def delete(record: ReceivedRecord) -> None:
        if not deleted:
            deleted.extend(future.result(20) for future in admin.delete_topics([real.ticker_topic]).values())

    with pytest.raises(KafkaFailed, match="is not in Kafka"):
        run_kafka_consumer(real, topics=[real.ticker_topic], handler=delete)


@pytest.mark.parametrize("topics", [["dlq.t"], ["ticks.t", "dlq.t"], ["^ticks.*"], ["a b"], []])
def test_a_subscription_that_cannot_be(topics: list[str]) -> None:
    with pytest.raises(UsageError):
        run_kafka_consumer(config_for("127.0.0.1:1", "t"), topics=topics)


def test_a_missing_topic_that_is_not_ours_names_the_command(config: KafkaConfig) -> None:
    with pytest.raises(KafkaFailed, match="tickwire topics --create"):
        run_kafka_consumer(config, topics=[f"other-{config.group_id}"])
