"""Outages, on a mock cluster: what does not fit into the queue waits on disk, in order, over restarts."""

import asyncio
import os
import threading
from pathlib import Path

import pytest
from confluent_kafka import KafkaError

from kafka.mock_cluster import PRODUCE, MockCluster
from kafka.producing.outage_support import SYMBOLS, made
from kafka.publishing import book, metric, numbers_of, publish_round, running, sums_agree
from support import aeventually
from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import SpillUnusable
from tickwire.kafka.clients import producer_config
from tickwire.kafka.producing import producer_link
from tickwire.kafka.producing.flow import NullFlow
from tickwire.kafka.producing.ledger import TopicAccount
from tickwire.kafka.producing.publisher import Publisher


def assert_all_there(config: KafkaConfig, rounds: int) -> None:
    assert numbers_of(config, config.orderbook_topic) == {symbol: list(range(rounds)) for symbol in SYMBOLS}
    for numbers in numbers_of(config, config.ticker_topic).values():
        assert numbers == sorted(set(numbers))
        assert numbers[-1] == rounds - 1


async def test_what_the_queue_cannot_hold_is_delivered_after_the_outage_in_order(
    mock: MockCluster, unique: str, tmp_path: Path
) -> None:
    config, feed = made(mock, unique, tmp_path), NullFlow()
    async with running(config, feed) as publisher:
        with mock.down():
            for number in range(100):
                publish_round(publisher, number)
                assert sums_agree(publisher)
            assert publisher.accounting()[config.orderbook_topic].spilled > 250
            assert publisher.accounting()[config.ticker_topic].conflated > 250
            await aeventually(lambda: metric("kafka_spill_records") == publisher._buffer.records, "the metric")
        for number in range(100, 200):  # while it drains
            publish_round(publisher, number)
            assert sums_agree(publisher)
            await asyncio.sleep(0.002)
        await aeventually(lambda: not len(publisher._buffer), "the disk is drained", 30)
        for number in range(200, 250):
            publish_round(publisher, number)
            await asyncio.sleep(0.001)
        assert await publisher.close(30) == 0
        assert sums_agree(publisher)
        accounting = publisher.accounting()
    assert accounting[config.orderbook_topic] == TopicAccount(events=750, acknowledged=750)
    tickers = accounting[config.ticker_topic]
    assert tickers.acknowledged + tickers.conflated == 750
    assert sum(map(len, numbers_of(config, config.ticker_topic).values())) == tickers.acknowledged
    assert_all_there(config, 250)
    assert feed.asked == []
    assert metric("kafka_records_total", topic=config.ticker_topic, outcome="conflated") == tickers.conflated


async def test_the_loop_keeps_its_turns_while_the_disk_stands_still(
    mock: MockCluster, unique: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = made(mock, unique, tmp_path, spill_max_bytes=800_000, spill_fsync_ms=0, queue_max_bytes=1 << 20)
    feed, rounds = NullFlow(), 200
    standing, moves, fsync = threading.Event(), threading.Event(), os.fsync
    on_loop: list[bool] = []

    def files() -> int:
        return len(list(tmp_path.rglob("*.spill")))

    def stalled(fd: int) -> None:
        on_loop.append(threading.current_thread() is threading.main_thread())
        standing.set()
        moves.wait(10)
        fsync(fd)

    async with running(config, feed) as publisher:
        with mock.down():
            monkeypatch.setattr(os, "fsync", stalled)
            for number in range(rounds):  # more than one file on disk has
                publish_round(publisher, number)
                await asyncio.sleep(0)
                if number == rounds // 10:
                    await aeventually(standing.is_set, "the disk to be asked")
            assert publisher.accounting()[config.orderbook_topic].spilled > 500
            assert sums_agree(publisher)
            assert files() == 1
            assert publisher.place.epochs is not None
            publisher.place.epochs.given(1_700_000_000_000)
            moves.set()
            await aeventually(lambda: files() > 1, "the next file")
        await aeventually(lambda: not publisher._buffer.records, "the disk is drained", 30)
        await aeventually(lambda: not files(), "the files go")
        assert await publisher.close(30) == 0
        assert not any(on_loop)
    assert_all_there(config, rounds)
    assert (feed.asked, feed.errors) == ([], [])


async def test_the_loop_does_not_wait_while_the_disk_takes_what_is_left_at_the_end(
    mock: MockCluster, unique: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_loop, fsync = list[bool](), os.fsync

    def asked(fd: int) -> None:
        on_loop.append(threading.current_thread() is threading.main_thread())
        fsync(fd)

    async with running(made(mock, unique, tmp_path), NullFlow()) as publisher:
        with mock.down():
            publish_round(publisher, 0)
            monkeypatch.setattr(os, "fsync", asked)
            assert await publisher.close(0) == 0
    assert on_loop
    assert not any(on_loop)


async def test_what_is_left_at_the_end_is_sent_first_by_the_next_start(
    mock: MockCluster, unique: str, tmp_path: Path
) -> None:
    config, feed = made(mock, unique, tmp_path), NullFlow()
    with mock.down():
        for start in range(3):
            async with running(config, feed, offline_start=True) as publisher:
                for number in range(start * 50, start * 50 + 50):
                    publish_round(publisher, number)
                assert await publisher.close(0.1) == 0
                assert sums_agree(publisher)
                assert publisher.accounting()[config.orderbook_topic].spilled == 150
            assert metric("kafka_records_in_flight", topic=config.orderbook_topic) == 0
    async with running(config, feed) as publisher:
        assert publisher.recovered().records >= 450
        for number in range(150, 160):
            publish_round(publisher, number)
            assert sums_agree(publisher)
        assert await publisher.close(30) == 0
        recovered = publisher.recovered()
        assert (recovered.acknowledged, recovered.waiting) == (recovered.records, 0)
        assert publisher.accounting()[config.orderbook_topic] == TopicAccount(events=30, acknowledged=30)
    assert_all_there(config, 160)
    assert publisher._buffer.records == 0


async def test_records_in_the_queue_at_the_end_come_before_those_on_disk(
    mock: MockCluster, unique: str, tmp_path: Path
) -> None:
    config, feed = made(mock, unique, tmp_path), NullFlow()
    async with running(config, feed) as publisher:
        with mock.down():
            for number in range(50):
                publish_round(publisher, number)
            assert publisher._link.busy == 20
            assert await publisher.close(0.1) == 0
            assert publisher.accounting()[config.orderbook_topic].spilled == 150
    async with running(config, feed) as publisher:
        assert await publisher.close(30) == 0
    assert_all_there(config, 50)


async def test_a_start_without_kafka_sends_when_kafka_comes(mock: MockCluster, unique: str, tmp_path: Path) -> None:
    config, feed = made(mock, unique, tmp_path), NullFlow()
    mock.set_down()
    async with running(config, feed, offline_start=True) as publisher:
        for number in range(30):
            publish_round(publisher, number)
        assert publisher.accounting()[config.orderbook_topic] == TopicAccount(events=90, spilled=90)
        mock.set_up()
        await aeventually(lambda: publisher.accounting()[config.orderbook_topic].acknowledged == 90, "delivered", 30)
        assert await publisher.close(10) == 0
    assert_all_there(config, 30)


async def test_a_folder_that_cannot_be_used_is_named(mock: MockCluster, unique: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    publisher = Publisher(made(mock, unique, tmp_path / "file"))
    with pytest.raises(SpillUnusable, match="KAFKA_SPILL_DIR"):
        await asyncio.to_thread(publisher.open)


async def test_a_second_publisher_on_one_folder_is_refused(mock: MockCluster, unique: str, tmp_path: Path) -> None:
    config = made(mock, unique, tmp_path)
    async with running(config, NullFlow()) as publisher:
        second = Publisher(config)
        with pytest.raises(SpillUnusable, match=r"is using it.*KAFKA_SPILL_DIR"):
            await asyncio.to_thread(second.open)
        other = Publisher(config, source="kraken")
        await asyncio.to_thread(other.open)
        other._buffer.close([], [])
        await publisher.close(1)


@pytest.mark.parametrize(
    "code", [KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.UNKNOWN]
)
async def test_lost_producers_under_load_cost_no_record_and_no_order(
    code: int, mock: MockCluster, unique: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The mock refuses one request and stores those behind it; Kafka, which looks at sequences and epochs, refuses all.
    one_by_one = {"max.in.flight.requests.per.connection": 1}
    monkeypatch.setattr(producer_link, "producer_config", lambda config: producer_config(config) | one_by_one)
    config, feed = made(mock, unique, tmp_path, queue_max_messages=5000), NullFlow()
    mock.set_round_trip(20)
    async with running(config, feed) as publisher:
        for number in range(300):
            if number % 100 == 50:
                mock.push_request_errors(PRODUCE, code)
            publish_round(publisher, number)
            assert sums_agree(publisher)
            await asyncio.sleep(0.002)
        assert await publisher.close(30) == 0
        account = publisher.accounting()[config.orderbook_topic]
        assert account == TopicAccount(events=900, acknowledged=900)
    assert feed.errors == []
    for symbol, numbers in numbers_of(config, config.orderbook_topic).items():
        assert list(dict.fromkeys(numbers)) == list(range(300)), symbol


async def test_a_producer_that_is_lost_again_and_again_ends_the_run_and_keeps_the_records(
    mock: MockCluster, unique: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(producer_link, "_FIRST_WAIT_S", 0.001)
    config, feed = made(mock, unique, tmp_path), NullFlow()
    async with running(config, feed) as publisher:
        # Each of the thirteen producers asks once for every partition that has a record: more than all of them need.
        mock.push_request_errors(PRODUCE, *[KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER] * 1000)
        publish_round(publisher, 0)
        await aeventually(lambda: feed.errors, "the feed is told", 60)
        publish_round(publisher, 1)
        assert await publisher.close(1) == 0
        assert publisher.accounting()[config.orderbook_topic] == TopicAccount(events=6, spilled=6)
    assert len(feed.errors) == 1
    mock.clear_request_errors(PRODUCE)
    async with running(config, NullFlow()) as publisher:
        assert await publisher.close(30) == 0
    assert_all_there(config, 2)


async def test_a_refused_record_of_the_disk_lets_no_delta_follow_it(
    mock: MockCluster, unique: str, tmp_path: Path
) -> None:
    config, feed = made(mock, unique, tmp_path, queue_max_bytes=1 << 20), NullFlow()
    mock.set_down()
    async with running(config, feed, offline_start=True) as publisher:
        publisher.publish(book("snapshot", 0, "A-USDT", levels=40_000))
        for number in range(1, 600):
            publisher.publish(book("delta", number, "A-USDT"))
        publisher.publish(book("snapshot", 0, "A-USDT", epoch=2))
        publisher.publish(book("delta", 1, "A-USDT", epoch=2))
        mock.set_up()
        await aeventually(lambda: not publisher._buffer.records, "the disk is drained", 30)
        assert await publisher.close(10) == 0
        account = publisher.accounting()[config.orderbook_topic]
        assert account == TopicAccount(events=602, acknowledged=2, failed=1, dropped=599)
    assert numbers_of(config, config.orderbook_topic) == {"A-USDT": [0, 1]}
    assert feed.asked == ["overflow AUSDT"]


async def test_damage_on_disk_is_counted_and_the_rest_is_delivered_in_order(
    mock: MockCluster, unique: str, tmp_path: Path
) -> None:
    config, feed = made(mock, unique, tmp_path), NullFlow()
    with mock.down():
        async with running(config, feed, offline_start=True) as publisher:
            for number in range(50):
                publisher.publish(book("delta" if number else "snapshot", number, "A-USDT"))
            assert await publisher.close(0) == 0
    (segment,) = publisher.place.folder.glob("*.spill")
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(data)
    async with running(config, feed) as publisher:
        assert await publisher.close(30) == 0
        recovered = publisher.recovered()
        assert (recovered.records, recovered.lost, recovered.acknowledged) == (50, 1, 49)
    (numbers,) = numbers_of(config, config.orderbook_topic).values()
    assert len(numbers) == 49
    assert numbers == sorted(numbers)
