"""What follows a lost record of a book: nothing, until a snapshot makes it whole; and then everything."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError

from kafka.mock_cluster import PRODUCE, MockCluster
from kafka.publishing import book, config_for, events_of, numbers_of, running, sums_agree, ticker, topics_on
from support import aeventually
from tickwire.config.kafka_config import KafkaConfig
from tickwire.config.share import Share
from tickwire.errors import SettingsError
from tickwire.events.types import OrderBook
from tickwire.kafka.producing.flow import NullFlow
from tickwire.kafka.producing.ledger import Hole, TopicAccount
from tickwire.kafka.producing.publisher import Publisher

LEVELS = 40_000  # of a snapshot that is larger than the least queue


def made(mock: MockCluster, unique: str, folder: Path, **values: Any) -> KafkaConfig:
    config = config_for(mock.bootstrap, unique, spill_dir=folder, queue_max_bytes=1 << 20, **values)
    topics_on(mock, config)
    return config


def account(publisher: Publisher, config: KafkaConfig) -> TopicAccount:
    return publisher.accounting()[config.orderbook_topic]


async def all_ended(publisher: Publisher) -> None:
    def nothing_left() -> bool:
        return not any(a.in_flight or a.spilled for a in publisher.accounting().values())

    await aeventually(nothing_left, "everything has ended", 30)


async def test_a_hole_is_closed_by_the_snapshot_that_goes_straight_out_while_tickers_wait(
    mock: MockCluster, unique: str, tmp_path: Path
) -> None:
    config, feed = made(mock, unique, tmp_path, queue_max_messages=20), NullFlow()
    async with running(config, feed) as publisher:
        publisher.publish(book("snapshot", 0, levels=LEVELS))
        assert account(publisher, config).failed == 1
        with mock.down():
            for number in range(30):
                publisher.publish(ticker(number, f"T{number}-USDT"))
        until = time.monotonic() + 20
        while publisher._link.busy and time.monotonic() < until:  # in one turn of the loop, as in a long frame
            publisher._link.poll()
        publisher.publish(book("snapshot", 0, epoch=2))
        await all_ended(publisher)
        with mock.down():
            for number in range(1, 101):
                publisher.publish(book("delta", number, epoch=2))
            assert account(publisher, config).spilled > 50
        await all_ended(publisher)
        assert account(publisher, config) == TopicAccount(events=102, acknowledged=101, failed=1)
        assert await publisher.close(10) == 0
    assert numbers_of(config, config.orderbook_topic) == {"BTC-USDT": list(range(101))}


@pytest.mark.parametrize("policy", ["block", "spill"])
async def test_a_hole_is_closed_by_the_snapshot_that_waited(
    policy: str, mock: MockCluster, unique: str, tmp_path: Path
) -> None:
    config, feed = made(mock, unique, tmp_path, queue_max_messages=20, when_full_orderbook=policy), NullFlow()
    async with running(config, feed) as publisher:
        with mock.down():
            for number in range(30):
                publisher.publish(book("delta" if number else "snapshot", number, "B-USDT"))
            publisher.publish(book("snapshot", 0, levels=LEVELS))  # which waits, and is refused when it is its turn
        await aeventually(lambda: account(publisher, config).failed == 1, "it was refused", 30)
        with mock.down():
            for number in range(30, 60):
                publisher.publish(book("delta", number, "B-USDT"))
            publisher.publish(book("invalid", 1))
            publisher.publish(book("snapshot", 0, epoch=2))
            publisher.publish(book("delta", 1, epoch=2))
        await all_ended(publisher)
        mock.push_request_errors(PRODUCE, KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER)  # its records are sent again
        for number in range(2, 20):
            publisher.publish(book("delta", number, epoch=2))
        await all_ended(publisher)
        # Nobody has heard of the book whose snapshot was refused, so nobody is told that it is invalid.
        assert account(publisher, config) == TopicAccount(events=82, acknowledged=80, failed=1, dropped=1)
        assert await publisher.close(10) == 0
    # Sorted, because the mock cluster stores what is behind a batch that it refused.
    assert sorted(numbers_of(config, config.orderbook_topic)["BTC-USDT"]) == list(range(20))
    assert [asked for asked in feed.asked if asked.startswith("overflow")] == ["overflow BTCUSDT"]


async def test_a_dropped_change_of_a_book_that_nothing_mends_lets_it_begin_again(
    mock: MockCluster, unique: str, tmp_path: Path
) -> None:
    config, feed = made(mock, unique, tmp_path, queue_max_messages=5), NullFlow()
    async with running(config, feed) as publisher:
        publisher.publish(book("snapshot", 0))
        await all_ended(publisher)
        (lane,) = publisher._ledger.books()
        with mock.down():
            for number in range(1, 20):
                publisher.publish(book("delta", number))
            lane.hole = Hole.OPEN
        await aeventually(lambda: feed.asked == ["overflow BTCUSDT"], "the feed is asked")
        publisher.publish(book("delta", 20))
        publisher.publish(book("invalid", 21))
        publisher.publish(book("snapshot", 0, epoch=2))
        assert await publisher.close(30) == 0
        assert sums_agree(publisher)
        assert account(publisher, config).dropped > 1
    numbers = numbers_of(config, config.orderbook_topic)["BTC-USDT"]
    assert numbers == [*range(len(numbers) - 2), 21, 0]


@pytest.mark.parametrize("broke", [False, True])
async def test_an_epoch_ends_with_invalid_if_the_snapshot_that_replaced_it_was_lost(
    broke: bool, mock: MockCluster, unique: str, tmp_path: Path
) -> None:
    """OKX's snapshot of REST is followed by that of the socket, without ``invalid``; the second one was lost."""
    policies: dict[str, Any] = {"when_full_orderbook": "invalidate", "when_full_ticker": "drop"}
    config, feed = made(mock, unique, tmp_path, queue_max_messages=5, **policies), NullFlow()
    async with running(config, feed) as publisher:
        publisher.publish(book("snapshot", 0))
        publisher.publish(book("delta", 1))
        await all_ended(publisher)
        feed.replaced_epochs["BTCUSDT"] = book("invalid", 2)
        with mock.down():
            for number in range(8):
                publisher.publish(ticker(number))
            for number in range(6):
                publisher.publish(book("delta" if number else "snapshot", number, epoch=2))
            assert account(publisher, config) == TopicAccount(events=9, acknowledged=2, dropped=6, in_flight=1)
        await aeventually(lambda: feed.asked == ["overflow BTCUSDT"], "the feed is asked")
        if broke:
            publisher.publish(book("invalid", 6, epoch=2))
            publisher.publish(book("snapshot", 0, epoch=3))
        else:
            publisher.publish(book("snapshot", 6, epoch=2))
        await all_ended(publisher)
        found = [
            (event.epoch, event.book_seq, event.action)
            for event in events_of(config, config.orderbook_topic)
            if isinstance(event, OrderBook)
        ]
        new = (3, 0) if broke else (2, 6)
        assert found == [(1, 0, "snapshot"), (1, 1, "delta"), (1, 2, "invalid"), (*new, "snapshot")]
        assert sums_agree(publisher)
        assert await publisher.close(10) == 0


@pytest.mark.parametrize("policy", ["block", "spill", "invalidate"])
async def test_a_record_that_never_fits_ends_as_failed_and_holds_nobody_up(
    policy: str, mock: MockCluster, unique: str, tmp_path: Path
) -> None:
    config, feed = made(mock, unique, tmp_path, when_full_orderbook=policy), NullFlow()
    async with running(config, feed) as publisher:
        publisher.publish(book("snapshot", 0, "BIG-USDT", levels=LEVELS))
        for number in range(50):
            publisher.publish(book("delta" if number else "snapshot", number))
            publisher.publish(ticker(number))
        await all_ended(publisher)
        assert account(publisher, config) == TopicAccount(events=51, acknowledged=50, failed=1)
        assert publisher.accounting()[config.ticker_topic].failed == 0
        assert await publisher.close(10) == 0


async def test_a_record_on_disk_that_never_fits_is_counted_by_the_next_start_and_holds_nobody_up(
    mock: MockCluster, unique: str, tmp_path: Path
) -> None:
    before = config_for(mock.bootstrap, unique, spill_dir=tmp_path)  # where it fits
    topics_on(mock, before)
    async with running(before, NullFlow()) as publisher:
        with mock.down():
            publisher.publish(book("snapshot", 0, "BIG-USDT", levels=LEVELS))
            publisher.publish(book("delta", 1, "BIG-USDT"))
            publisher.publish(book("snapshot", 0))
            assert await publisher.close(0) == 0
    config = before.model_copy(update={"queue_max_bytes": 1 << 20})
    async with running(config, NullFlow()) as publisher:
        publisher.publish(book("delta", 1))
        publisher.publish(ticker(0))
        await all_ended(publisher)
        recovered = publisher.recovered()
        assert (recovered.acknowledged, recovered.failed, recovered.dropped, recovered.waiting) == (1, 1, 1, 0)
        assert account(publisher, config) == TopicAccount(events=1, acknowledged=1)
        assert await publisher.close(10) == 0


async def test_a_book_that_is_too_large_is_asked_for_less_and_less_often(
    mock: MockCluster, unique: str, tmp_path: Path
) -> None:
    config, feed = made(mock, unique, tmp_path), NullFlow()
    async with running(config, feed) as publisher:
        (waits, asked_at) = [], asyncio.get_running_loop().time()
        for epoch in range(12):
            publisher.publish(book("snapshot", 0, levels=LEVELS, epoch=epoch))
            (lane,) = publisher._ledger.books()
            lane.restart_at = 0.0  # that time has come
            publisher._restart_books()
            waits.append(lane.restart_at - asked_at)
            publisher.publish(book("snapshot", 9, levels=LEVELS, epoch=epoch))  # a keyframe
            publisher.publish(book("snapshot", 9, levels=LEVELS + 1, epoch=epoch))  # and another one
        assert len(feed.asked) == 12
        assert waits == sorted(waits)
        assert waits[0] < 20
        assert 500 < waits[-1] < 700
        assert account(publisher, config) == TopicAccount(events=36, failed=36)


@pytest.mark.parametrize("workers", [1, 65])
def test_a_queue_that_a_large_message_cannot_fit_in_is_refused(workers: int) -> None:
    with pytest.raises(SettingsError, match="KAFKA_QUEUE_MAX_BYTES"):
        Share(0, workers).kafka(KafkaConfig(queue_max_bytes=1_048_575) if workers == 1 else KafkaConfig())
