"""Kafka refuses a batch, not a record: what was fine in it is stored all the same, and in order."""

import time
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest
from confluent_kafka import KafkaError
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # exported without saying so

from brokers import Kafka
from kafka.mock_cluster import PRODUCE, MockCluster
from kafka.producing.test_publisher_records import read
from kafka.publishing import book, config_for, metric, numbers_of, running, sums_agree, ticker, topics_on
from support import aeventually
from tickwire.config.kafka_config import KafkaConfig
from tickwire.events.types import OrderBook, Ticker
from tickwire.kafka.producing.flow import NullFlow
from tickwire.kafka.producing.in_flight import InFlight
from tickwire.kafka.producing.ledger import Lane, Stream, TopicAccount
from tickwire.kafka.producing.refused_batches import RefusedBatches
from tickwire.records.codec import Record

T = TypeVar("T", Ticker, OrderBook)
HOUR_US = 3600 * 1_000_000
TOO_LARGE, INVALID = KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD
TOGETHER = {"linger_ms": 300}  # so that what is published at once is one batch
KEPT = {"when_full_ticker": "block"}  # while a producer is replaced


def now_us() -> int:
    return time.time_ns() // 1000


def fresh(event: T, ahead_us: int = 0) -> T:
    return msgspec.structs.replace(event, received_us=now_us() + ahead_us)


def recreated() -> float:
    return sum(
        metric("kafka_producer_recreated_total", reason=reason) or 0 for reason in ("_GAPLESS_GUARANTEE", "REFUSED")
    )


@pytest.mark.parametrize(
    ("codes", "failed", "producers"),
    [
        ([INVALID], 0, 1),
        ([INVALID, 0, 0, INVALID], 1, 1),
        ([TOO_LARGE], 0, 1),
        ([TOO_LARGE, TOO_LARGE], 0, 2),
        ([KafkaError.INVALID_TIMESTAMP], 0, 1),
        ([KafkaError.INVALID_TIMESTAMP] * 3, 0, 1),
    ],
    ids=["once", "one of it alone", "too large", "still too large", "its time", "its time again and again"],
)
async def test_the_records_of_a_refused_batch_are_sent_again_and_one_refused_alone_has_failed(
    codes: list[int], failed: int, producers: int, mock: MockCluster, unique: str
) -> None:
    config, feed = config_for(mock.bootstrap, unique, **TOGETHER), NullFlow()
    topics_on(mock, config)
    async with running(config, feed) as publisher:
        publisher.publish(fresh(ticker(0)))
        await aeventually(
            lambda: publisher.accounting()[config.ticker_topic].acknowledged == 1, "a producer that works"
        )
        before = recreated()
        mock.push_request_errors(PRODUCE, *codes)
        for number in range(1, 30):
            publisher.publish(fresh(ticker(number)))
        await aeventually(lambda: publisher._link.busy == 0, "all have ended")
        assert publisher.accounting()[config.ticker_topic] == TopicAccount(30, acknowledged=30 - failed, failed=failed)
        assert recreated() - before == producers
        publisher.publish(fresh(ticker(30)))
        assert await publisher.close(20) == 0
    (numbers,) = numbers_of(config, config.ticker_topic).values()
    assert numbers == sorted(numbers)
    assert len(numbers) == 31 - failed
    assert feed.errors == []


async def test_what_was_acknowledged_after_a_refused_record_of_its_key_is_not_followed_by_it() -> None:
    """Kafka stores what is behind the first batch of a producer, though it refused that."""
    stream = Stream("t", "orderbook", "x")
    lanes = [Lane(stream, symbol, is_book=True) for symbol in "AB"]
    record = Record("t", b"k", b"{}", [], now_us() // 1000, "orderbook", "x")
    old, stored, other = (InFlight(stream, lane, record) for lane in (lanes[0], lanes[0], lanes[1]))
    batches, failed = RefusedBatches(1000), []
    error = KafkaError(KafkaError._INVALID_DIFFERENT_RECORD)
    batches.add(old, error)
    batches.acknowledged(stored)
    batches.acknowledged(other)  # before it is refused itself
    batches.add(other, error)
    again, one_by_one = batches.sort_out([old, other], lambda entry, _: failed.append(entry))
    assert (failed, list(again), one_by_one) == ([old], [other], 0)


def make_topics(config: KafkaConfig, settings: dict[str, str]) -> None:
    admin = AdminClient({"bootstrap.servers": config.brokers})
    for future in admin.create_topics([NewTopic(topic, 1, 1, config=settings) for topic in config.topics]).values():
        future.result(20)


@pytest.mark.kafka
async def test_a_topic_that_takes_less_than_a_batch_gets_smaller_ones_and_only_what_is_too_large_itself_fails(
    kafka: Kafka, unique: str, tmp_path: Path
) -> None:
    config = config_for(kafka.bootstrap, unique, compression="none", spill_dir=tmp_path, **TOGETHER, **KEPT)
    make_topics(config, {"max.message.bytes": "50000"})
    feed, symbols = NullFlow(), ("A-USDT", "B-USDT")
    async with running(config, feed) as publisher:
        before = recreated()
        for number in range(1000):
            for symbol in symbols:
                publisher.publish(fresh(ticker(number, symbol)))
                publisher.publish(fresh(book("delta" if number else "snapshot", number, symbol)))
        publisher.publish(fresh(book("snapshot", 1000, "A-USDT", levels=4000, epoch=2)))
        for number in range(1000, 1100):
            publisher.publish(fresh(book("delta", number, "B-USDT")))
        await aeventually(lambda: "overflow AUSDT" in feed.asked, "the snapshot was refused", 30)
        assert await publisher.close(30) == 0
        assert sums_agree(publisher)
        accounts = publisher.accounting()
        assert recreated() - before <= 5
    assert accounts[config.ticker_topic] == TopicAccount(events=2000, acknowledged=2000)
    assert accounts[config.orderbook_topic] == TopicAccount(events=2101, acknowledged=2100, failed=1)
    for topic, wanted in ((config.ticker_topic, (1000, 1000)), (config.orderbook_topic, (1000, 1100))):
        found = numbers_of(config, topic)
        assert [list(dict.fromkeys(found[symbol])) for symbol in symbols] == [list(range(count)) for count in wanted]


@pytest.mark.kafka
async def test_records_from_the_future_are_stored_with_the_present_time_and_cost_their_neighbours_nothing(
    kafka: Kafka, unique: str
) -> None:
    """Kafka takes nothing more than an hour ahead: ``message.timestamp.after.max.ms``."""
    config = config_for(kafka.bootstrap, unique, **TOGETHER, **KEPT)
    make_topics(config, {})
    async with running(config, NullFlow()) as publisher:
        for number in range(300):
            ahead = 3 * HOUR_US if 100 <= number < 200 else 0
            publisher.publish(fresh(ticker(number), ahead))
        assert await publisher.close(30) == 0
        assert publisher.accounting()[config.ticker_topic] == TopicAccount(events=300, acknowledged=300)
    messages = read(config, config.ticker_topic, 300)
    assert numbers_of(config, config.ticker_topic) == {"BTC-USDT": list(range(300))}
    assert max(message.timestamp()[1] for message in messages) <= now_us() // 1000 + 1000


@pytest.mark.kafka
async def test_what_waited_on_disk_with_a_future_time_is_stored_by_the_next_start(
    kafka: Kafka, unique: str, tmp_path: Path
) -> None:
    config = config_for(kafka.bootstrap, unique, spill_dir=tmp_path)
    make_topics(config, {})
    async with running(config, NullFlow()) as publisher:
        publisher._link.flights.ready = False  # as between two producers
        publisher._link._lost = "test"
        publisher._link._replace_at = float("inf")
        for number in range(50):
            publisher.publish(fresh(book("delta" if number else "snapshot", number), 3 * HOUR_US))
        assert await publisher.close(0) == 0
        assert publisher.accounting()[config.orderbook_topic].spilled == 50
    async with running(config, NullFlow()) as publisher:
        publisher.publish(fresh(book("delta", 50)))
        assert await publisher.close(30) == 0
        assert publisher.recovered().acknowledged == 50
        assert publisher.accounting()[config.orderbook_topic] == TopicAccount(events=1, acknowledged=1)
    assert numbers_of(config, config.orderbook_topic) == {"BTC-USDT": list(range(51))}
