"""Every event ends once and is counted; on a mock cluster that fails on demand."""

import asyncio

import pytest
from confluent_kafka import KafkaError

from kafka.mock_cluster import PRODUCE, MockCluster
from kafka.publishing import book, config_for, metric, running, ticker, topics_on, trade
from support import aeventually, free_port
from tickwire import metrics
from tickwire.errors import KafkaFailed
from tickwire.kafka.producing import when_full as module
from tickwire.kafka.producing.flow import NullFlow
from tickwire.kafka.producing.ledger import RecoveredAccount, TopicAccount
from tickwire.kafka.producing.memory import MemoryPublisher
from tickwire.kafka.producing.publisher import Publisher

TOO_LARGE = KafkaError.MSG_SIZE_TOO_LARGE
LITTLE = {"queue_max_bytes": 1 << 20}  # for a snapshot of 40,000 levels a side it is too little
BLOCK = {"when_full_ticker": "block", "when_full_orderbook": "block"}


each_kind = pytest.mark.parametrize("kind", [Publisher, MemoryPublisher])


@each_kind
async def test_what_is_published_is_acknowledged_and_accounted_for(
    kind: type[Publisher | MemoryPublisher], mock: MockCluster, unique: str
) -> None:
    config, feed = config_for(mock.bootstrap, unique), NullFlow()
    topics_on(mock, config)
    publisher = kind(config)
    await asyncio.to_thread(publisher.open)
    publisher.flows.join("binance", feed)
    publisher.start(asyncio.get_running_loop())

    for number in range(50):
        publisher.publish(ticker(number))
    publisher.publish(book("snapshot", 0))
    publisher.publish(trade())

    assert await publisher.close(20) == 0
    assert publisher.accounting() == {
        config.ticker_topic: TopicAccount(events=50, acknowledged=50),
        config.orderbook_topic: TopicAccount(events=1, acknowledged=1),
        config.trades_topic: TopicAccount(events=1, acknowledged=1),
    }
    labels = {"topic": config.ticker_topic, "type": "ticker", "exchange": "binance"}
    assert metric("kafka_messages_published_total", **labels) == 50
    assert metric("kafka_records_total", topic=config.ticker_topic, outcome="acknowledged") == 50
    assert metric("kafka_records_in_flight", topic=config.ticker_topic) == 0
    assert publisher.recovered() == RecoveredAccount()
    assert (feed.asked, feed.errors) == ([], [])


async def test_published_counts_acknowledgements_and_not_what_was_handed_over(mock: MockCluster, unique: str) -> None:
    config = config_for(mock.bootstrap, unique)
    topics_on(mock, config)
    async with running(config, NullFlow()) as publisher:
        publisher.publish(ticker(0))
        await aeventually(lambda: publisher.accounting()[config.ticker_topic].acknowledged == 1, "acknowledged")
        with mock.down():
            for number in range(1, 11):
                publisher.publish(ticker(number))
            await aeventually(
                lambda: metric("kafka_records_in_flight", topic=config.ticker_topic) == 10, "the metric says so"
            )
            assert await publisher.close(0.3) == 0
        assert publisher.accounting()[config.ticker_topic] == TopicAccount(events=11, acknowledged=1, spilled=10)
        assert metric("kafka_records_in_flight", topic=config.ticker_topic) == 0
        assert metric("kafka_records_total", topic=config.ticker_topic, outcome="spilled") == 10
        labels = {"topic": config.ticker_topic, "type": "ticker", "exchange": "binance"}
        assert metric("kafka_messages_published_total", **labels) == 1


async def test_an_outage_loses_nothing(mock: MockCluster, unique: str) -> None:
    config, feed = config_for(mock.bootstrap, unique), NullFlow()
    topics_on(mock, config)
    async with running(config, feed) as publisher:
        with mock.down():
            for number in range(200):
                publisher.publish(ticker(number))
            await asyncio.sleep(0)
        assert await publisher.close(30) == 0
        assert publisher.accounting()[config.ticker_topic] == TopicAccount(events=200, acknowledged=200)
    assert feed.errors == []


async def test_a_full_queue_stops_the_reading_keeps_the_order_and_loses_nothing(mock: MockCluster, unique: str) -> None:
    config, feed = config_for(mock.bootstrap, unique, queue_max_messages=10, **BLOCK), NullFlow()
    topics_on(mock, config)
    async with running(config, feed) as publisher:
        for number in range(100):
            publisher.publish(ticker(number))
        assert feed.asked == ["pause"]
        waiting = [entry.record.value for entry in publisher._waiting()]
        assert waiting == sorted(waiting, key=lambda value: int(value.split(b'"sequence":')[1].split(b",")[0]))
        assert len(waiting) == 90
        await aeventually(lambda: "resume" in feed.asked, "read again")
        assert await publisher.close(20) == 0
        assert publisher.accounting()[config.ticker_topic] == TopicAccount(events=100, acknowledged=100)
    assert feed.asked == ["pause", "resume"]
    assert metric("kafka_producer_queue_full_total", topic=config.ticker_topic) == 1
    assert metric("kafka_producer_queue_drops_total", topic=config.ticker_topic) == 0


async def test_after_the_longest_block_tickers_are_dropped_and_reading_goes_on(mock: MockCluster, unique: str) -> None:
    config, feed = config_for(mock.bootstrap, unique, queue_max_messages=5, max_block_ms=0, **BLOCK), NullFlow()
    topics_on(mock, config)
    async with running(config, feed) as publisher:
        with mock.down():
            for number in range(10):
                publisher.publish(ticker(number))
            await aeventually(lambda: feed.asked == ["pause", "resume"], "reading goes on")
            for number in range(10, 15):
                publisher.publish(ticker(number))
            account = publisher.accounting()[config.ticker_topic]
            assert account == TopicAccount(events=15, dropped=5, in_flight=10)
        assert await publisher.close(30) == 0
        assert publisher.accounting()[config.ticker_topic] == TopicAccount(events=15, acknowledged=10, dropped=5)
    assert metric("kafka_producer_queue_drops_total", topic=config.ticker_topic) == 5
    assert metric("kafka_records_total", topic=config.ticker_topic, outcome="dropped") == 5


async def test_a_book_that_lost_a_record_starts_again_when_there_is_room(mock: MockCluster, unique: str) -> None:
    config, feed = config_for(mock.bootstrap, unique, queue_max_messages=5, max_block_ms=0, **BLOCK), NullFlow()
    topics_on(mock, config)

    async with running(config, feed) as publisher:

        def account() -> TopicAccount:
            return publisher.accounting()[config.orderbook_topic]

        with mock.down():
            publisher.publish(book("snapshot", 0))
            for number in range(1, 8):
                publisher.publish(book("delta", number))
            await aeventually(lambda: "resume" in feed.asked, "reading goes on")
            publisher.publish(book("delta", 8))  # lost
            publisher.publish(book("snapshot", 9))  # lost too: there is no room for any of it
            assert account() == TopicAccount(events=10, dropped=2, in_flight=8)
            assert "overflow BTCUSDT" not in feed.asked
        await aeventually(lambda: "overflow BTCUSDT" in feed.asked, "the feed is asked to start the book again")
        publisher.publish(book("delta", 10))
        assert account().dropped == 3, "a delta behind a hole must not go out"
        publisher.publish(book("invalid", 11))
        publisher.publish(book("delta", 12))
        assert account().dropped == 4
        publisher.publish(book("snapshot", 0, epoch=2))
        publisher.publish(book("delta", 1, epoch=2))
        assert await publisher.close(30) == 0
        assert account() == TopicAccount(events=15, acknowledged=11, dropped=4)
    assert feed.asked.count("overflow BTCUSDT") == 1


async def test_a_book_that_starts_by_itself_is_not_started_again(mock: MockCluster, unique: str) -> None:
    config, feed = config_for(mock.bootstrap, unique, **LITTLE), NullFlow()
    topics_on(mock, config)
    async with running(config, feed) as publisher:
        publisher.publish(book("snapshot", 0, levels=40_000))
        publisher.publish(book("invalid", 1))
        publisher.publish(book("delta", 2))
        publisher.publish(book("snapshot", 0, epoch=2))
        publisher.publish(book("delta", 1, epoch=2))
        assert await publisher.close(20) == 0
        account = publisher.accounting()[config.orderbook_topic]
        assert account == TopicAccount(events=5, acknowledged=2, failed=1, dropped=2)
        publisher._tick()
    assert feed.asked == []


async def test_what_waits_is_bounded(mock: MockCluster, unique: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_RECORDS", 7)
    config = config_for(mock.bootstrap, unique, queue_max_messages=5, **BLOCK)
    topics_on(mock, config)
    async with running(config, NullFlow()) as publisher:
        for number in range(20):
            publisher.publish(ticker(number))
        assert publisher.accounting()[config.ticker_topic] == TopicAccount(events=20, dropped=8, in_flight=12)


async def test_the_bytes_that_wait_are_bounded(mock: MockCluster, unique: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_BYTES", 1000)
    config = config_for(mock.bootstrap, unique, queue_max_messages=1, **BLOCK)
    topics_on(mock, config)
    async with running(config, NullFlow()) as publisher:
        publisher.publish(ticker(0))
        for number in range(10):
            publisher.publish(ticker(number))
        waiting = list(publisher._waiting())
        assert sum(len(entry.record.value) for entry in waiting) <= 1000
        assert publisher.accounting()[config.ticker_topic].dropped == 10 - len(waiting)


async def test_a_record_too_large_for_the_client_fails_alone_and_its_book_starts_again(
    mock: MockCluster, unique: str
) -> None:
    config, feed = config_for(mock.bootstrap, unique, **LITTLE), NullFlow()
    topics_on(mock, config)
    async with running(config, feed) as publisher:
        publisher.publish(book("snapshot", 0, levels=40_000))
        publisher.publish(book("delta", 1))
        publisher.publish(book("snapshot", 0, symbol="ETH-USDT"))
        publisher.publish(ticker(1))
        await aeventually(lambda: feed.asked == ["overflow BTCUSDT"], "the book starts again")
        assert await publisher.close(20) == 0
        accounting = publisher.accounting()
    assert accounting[config.orderbook_topic] == TopicAccount(events=3, acknowledged=1, failed=1, dropped=1)
    assert accounting[config.ticker_topic] == TopicAccount(events=1, acknowledged=1)
    assert metric("kafka_delivery_errors_total", topic=config.orderbook_topic) == 1
    assert feed.errors == []


async def test_a_record_that_the_broker_refuses_fails_alone(mock: MockCluster, unique: str) -> None:
    config, feed = config_for(mock.bootstrap, unique), NullFlow()
    topics_on(mock, config)
    async with running(config, feed) as publisher:
        mock.push_request_errors(PRODUCE, TOO_LARGE)
        publisher.publish(book("snapshot", 0))
        await aeventually(lambda: feed.asked == ["overflow BTCUSDT"], "the book starts again")
        publisher.publish(book("snapshot", 0, epoch=2))
        assert await publisher.close(20) == 0
        assert publisher.accounting()[config.orderbook_topic] == TopicAccount(events=2, acknowledged=1, failed=1)


async def test_a_book_that_fails_again_and_again_is_not_restarted_without_pause(mock: MockCluster, unique: str) -> None:
    config, feed = config_for(mock.bootstrap, unique, **LITTLE), NullFlow()
    topics_on(mock, config)
    async with running(config, feed) as publisher:
        for start in range(1, 4):
            publisher.publish(book("snapshot", 0, levels=40_000, epoch=start))
            publisher._restart_books()
        assert feed.asked == ["overflow BTCUSDT"]
        assert publisher._books


@pytest.mark.parametrize(
    "code", [KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED]
)
async def test_another_producer_takes_over_from_a_lost_one(code: int, mock: MockCluster, unique: str) -> None:
    config, feed = config_for(mock.bootstrap, unique, **BLOCK), NullFlow()  # which keeps all that comes meanwhile
    topics_on(mock, config)
    async with running(config, feed) as publisher:
        publisher.publish(ticker(0))
        await aeventually(lambda: publisher.accounting()[config.ticker_topic].acknowledged == 1, "acknowledged")
        mock.push_request_errors(PRODUCE, code)
        for number in range(1, 11):
            publisher.publish(ticker(number))
        await aeventually(lambda: publisher.accounting()[config.ticker_topic].acknowledged == 11, "all of them")
        for number in range(11, 16):
            publisher.publish(ticker(number))
        assert await publisher.close(20) == 0
        assert publisher.accounting()[config.ticker_topic] == TopicAccount(events=16, acknowledged=16)
    assert feed.errors == []


async def test_a_passing_error_of_the_broker_is_retried(mock: MockCluster, unique: str) -> None:
    config, feed = config_for(mock.bootstrap, unique), NullFlow()
    topics_on(mock, config)
    async with running(config, feed) as publisher:
        mock.push_request_errors(PRODUCE, KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.NOT_ENOUGH_REPLICAS, -195)
        for number in range(10):
            publisher.publish(ticker(number))
        assert await publisher.close(20) == 0
        assert publisher.accounting()[config.ticker_topic] == TopicAccount(events=10, acknowledged=10)
    assert feed.errors == []


async def test_an_exception_in_a_report_ends_the_run_instead_of_getting_lost(
    mock: MockCluster, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_seconds: float) -> None:
        raise KeyError("a defect")

    config, feed = config_for(mock.bootstrap, unique), NullFlow()
    topics_on(mock, config)
    monkeypatch.setattr(metrics.DELIVERY_SECONDS, "observe", broken)
    async with running(config, feed) as publisher:
        publisher.publish(ticker(0))
        await aeventually(lambda: feed.errors, "the feed is told")
    assert "KeyError" in str(feed.errors[0])


async def test_a_defect_in_what_the_timer_does_ends_the_run_and_reports_are_served_on(
    mock: MockCluster, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise KeyError("a defect")

    config, feed = config_for(mock.bootstrap, unique), NullFlow()
    topics_on(mock, config)
    async with running(config, feed) as publisher:
        monkeypatch.setattr(publisher._buffer, "sync", broken)
        publisher.publish(ticker(0))
        await aeventually(lambda: feed.errors, "the feed is told")
        publisher.publish(ticker(1))
        await aeventually(lambda: publisher.accounting()[config.ticker_topic].acknowledged == 2, "both are stored")
    assert "KeyError" in str(feed.errors[0])
    assert len(feed.errors) == 1


async def test_reports_are_looked_for_as_soon_as_something_is_on_its_way_and_hardly_where_nothing_is(
    mock: MockCluster, unique: str
) -> None:
    config, loop = config_for(mock.bootstrap, unique), asyncio.get_running_loop()
    topics_on(mock, config)

    def due_s() -> float:
        return publisher._timer.when() - loop.time()

    async with running(config, NullFlow()) as publisher:
        await aeventually(lambda: due_s() > 0.05, "a long wait, as nothing is on its way")
        publisher.publish(ticker(0))
        assert due_s() <= 0.01
        await aeventually(lambda: publisher.accounting()[config.ticker_topic].acknowledged == 1, "it is stored")
        await aeventually(lambda: due_s() > 0.05, "a long wait again")


async def test_open_needs_an_answer(unique: str) -> None:
    publisher = Publisher(config_for(f"nosuch.invalid:{free_port()}", unique))
    with pytest.raises(KafkaFailed, match="is unknown"):
        await asyncio.to_thread(publisher.open)


async def test_open_names_the_topic_that_is_missing_and_the_command_that_creates_it(
    mock: MockCluster, unique: str
) -> None:
    config = config_for(mock.bootstrap, unique, create_topics=False)
    mock.create_topic(config.orderbook_topic)
    publisher = Publisher(config)
    with pytest.raises(KafkaFailed, match=rf"tickwire topics --create {config.ticker_topic}"):
        await asyncio.to_thread(publisher.open)


async def test_the_loop_is_not_held_up_while_the_rest_is_delivered(mock: MockCluster, unique: str) -> None:
    config = config_for(mock.bootstrap, unique)
    topics_on(mock, config)
    async with running(config, NullFlow()) as publisher:
        with mock.down():
            publisher.publish(ticker(0))
            closing = asyncio.ensure_future(publisher.close(0.5))
            turns = 0
            while not closing.done():
                await asyncio.sleep(0)
                turns += 1
        assert await closing == 0
        assert turns > 10


async def test_a_long_linger_does_not_delay_the_end(mock: MockCluster, unique: str) -> None:
    config = config_for(mock.bootstrap, unique, linger_ms=600_000)
    topics_on(mock, config)
    async with running(config, NullFlow()) as publisher:
        publisher.publish(ticker(0))
        assert await publisher.close(20) == 0


@each_kind
async def test_counts_are_exported_together_with_those_of_the_feed(
    kind: type[Publisher | MemoryPublisher], mock: MockCluster, unique: str
) -> None:
    config = config_for(mock.bootstrap, unique)
    topics_on(mock, config)
    locked: list[bool] = []
    publisher = kind(config)
    await asyncio.to_thread(publisher.open)
    publisher.flows.join("binance", NullFlow(), lambda: locked.append(metrics.EXPORT.locked()))
    publisher.start(asyncio.get_running_loop())
    await aeventually(lambda: len(locked) >= 3, "three exports")
    await publisher.close(1)
    assert set(locked) == {True}
