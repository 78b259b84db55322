"""Outages, on a mock cluster: what does not fit into the queue waits on disk, in order, over restarts and kills."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from confluent_kafka import KafkaError

from kafka.mock_cluster import PRODUCE, MockCluster
from kafka.publishing import (
    book,
    config_for,
    events_of,
    metric,
    numbers_of,
    publish_round,
    running,
    sums_agree,
    ticker,
    topics_on,
)
from support import aeventually
from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import SpillUnusable
from tickwire.events.types import Action, OrderBook
from tickwire.kafka.clients import producer_config
from tickwire.kafka.producing import producer_link
from tickwire.kafka.producing.flow import NullFlow
from tickwire.kafka.producing.ledger import TopicAccount
from tickwire.kafka.producing.publisher import Publisher

SYMBOLS = ("A-USDT", "B-USDT", "C-USDT")


def made(mock: MockCluster, unique: str, folder: Path, **values: Any) -> KafkaConfig:
    config = config_for(mock.bootstrap, unique, spill_dir=folder, **{"queue_max_messages": 20} | values)
    topics_on(mock, config, 2)
    return config


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


async def test_a_full_budget_invalidates_books_and_loses_no_record_between_two_others(
    mock: MockCluster, unique: str, tmp_path: Path
) -> None:
    config, feed = made(mock, unique, tmp_path, spill_max_bytes=65_536), NullFlow()
    async with running(config, feed) as publisher:
        with mock.down():
            for number in range(400):
                publish_round(publisher, number)
                assert sums_agree(publisher)
            account = publisher.accounting()[config.orderbook_topic]
            assert account.dropped > 500
            assert feed.asked == []
        await aeventually(lambda: len(feed.asked) == 3, "the books start again when there is room")
        assert sorted(feed.asked) == ["overflow AUSDT", "overflow BUSDT", "overflow CUSDT"]
        for symbol in SYMBOLS:
            publisher.publish(book("invalid", 400, symbol))
            publisher.publish(book("snapshot", 401, symbol))
            publisher.publish(book("delta", 402, symbol))
        assert await publisher.close(30) == 0
        assert sums_agree(publisher)
        account = publisher.accounting()[config.orderbook_topic]
        assert account.acknowledged + account.dropped == account.events == 1209
    for numbers in numbers_of(config, config.orderbook_topic).values():
        before = numbers[:-3]
        assert before == list(range(len(before)))
        assert numbers[-3:] == [400, 401, 402]


class Exchange(NullFlow):
    """A feed whose books begin again when they are asked to: an ``invalid``, and the snapshot of the next epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.publisher: Publisher | None = None
        self.now = dict.fromkeys(SYMBOLS, (1, 0))  # the epoch and number of each book's next message

    def say(self, action: Action, symbol: str) -> None:
        assert self.publisher is not None
        epoch, number = self.now[symbol]
        if action == "snapshot":
            epoch, number = epoch + 1, 0
        self.now[symbol] = epoch, number + 1
        self.publisher.publish(book(action, number, symbol, epoch=epoch))

    def restart(self, exchange_symbol: str, reason: str) -> None:
        super().restart(exchange_symbol, reason)
        symbol = exchange_symbol.replace("USDT", "-USDT")
        self.say("invalid", symbol)
        self.say("snapshot", symbol)


async def test_an_invalid_that_had_no_room_is_in_kafka_before_the_snapshot_that_the_exchange_sends_by_itself(
    mock: MockCluster, unique: str, tmp_path: Path
) -> None:
    config = made(mock, unique, tmp_path, when_full_orderbook="invalidate", queue_max_messages=10)
    feed, symbol = Exchange(), SYMBOLS[0]
    async with running(config, NullFlow()) as publisher:
        feed.publisher = publisher
        feed.say("snapshot", symbol)
        with mock.down():
            for _ in range(30):
                feed.say("delta", symbol)
            feed.say("invalid", symbol)
            assert publisher.accounting()[config.orderbook_topic].dropped > 20
            assert sums_agree(publisher)
        await aeventually(lambda: not publisher._link.busy, "there is room", 30)
        for action in ("snapshot", "delta"):
            feed.say(action, symbol)
        assert await publisher.close(30) == 0
        assert sums_agree(publisher)
        assert publisher.accounting()[config.orderbook_topic].events == 34
    heard = [(e.epoch, e.action) for e in events_of(config, config.orderbook_topic) if isinstance(e, OrderBook)]
    assert [change for change in heard if change != (2, "delta")] == [
        (2, "snapshot"), (2, "invalid"), (3, "snapshot"), (3, "delta"),
    ]  # fmt: skip


async def test_after_a_full_disk_every_book_is_invalid_and_whole_again_soon_after_there_is_room(
    mock: MockCluster, unique: str, small_disk: Path
) -> None:
    """Also where books began again while the disk was full: of those epochs no reader hears."""
    config, feed = made(mock, unique, small_disk / "spill"), Exchange()
    (small_disk / "filler").write_bytes(bytes(900_000))
    async with running(config, feed) as publisher:
        feed.publisher = publisher
        for symbol in SYMBOLS:
            feed.say("snapshot", symbol)
        await aeventually(lambda: publisher.accounting()[config.orderbook_topic].acknowledged == 3, "they begin")
        with mock.down():
            for _ in range(700):
                for symbol in SYMBOLS:
                    feed.say("delta", symbol)
            assert publisher.accounting()[config.orderbook_topic].dropped > 300, "the disk is full"
            for symbol in SYMBOLS[:2]:  # which lose their connection meanwhile
                for action in ("invalid", "snapshot", "delta"):
                    feed.say(action, symbol)
            assert feed.asked == []
            (small_disk / "filler").unlink()
            began = time.monotonic()
            await aeventually(lambda: len(feed.asked) == 3, "the books begin again", 15)
            assert time.monotonic() - began < 15
            for symbol in SYMBOLS:
                feed.say("delta", symbol)
            assert sums_agree(publisher)
        assert await publisher.close(30) == 0
        assert sums_agree(publisher)
    heard: dict[str, list[tuple[int, str]]] = {}
    for event in events_of(config, config.orderbook_topic):
        assert isinstance(event, OrderBook)
        heard.setdefault(event.symbol, []).append((event.epoch, event.action))
    for symbol, last in zip(SYMBOLS, (4, 4, 3), strict=True):
        changes = [change for change in heard[symbol] if change != (2, "delta")]
        assert changes == [(2, "snapshot"), (2, "invalid"), (last, "snapshot"), (last, "delta")]


async def test_a_full_disk_at_the_end_leaves_no_hole_and_says_what_is_lost(
    mock: MockCluster, unique: str, small_disk: Path
) -> None:
    config, feed = made(mock, unique, small_disk, queue_max_messages=300), NullFlow()
    async with running(config, feed) as publisher:
        with mock.down():
            for number in range(2000):
                publish_round(publisher, number)
            assert publisher.accounting()[config.orderbook_topic].dropped > 0, "the disk is full"
            lost = await publisher.close(0.1)
            assert lost > 0
            assert sums_agree(publisher)
            accounting = publisher.accounting()
            assert lost == sum(account.in_flight for account in accounting.values())
    async with running(config, feed) as publisher:
        assert await publisher.close(30) == 0
    assert numbers_of(config, config.orderbook_topic) == {}, "all that was on disk came after what is lost"


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


class Standing(NamedTuple):
    """What a publisher printed of its books after a round."""

    rounds: int
    spilled: int
    acknowledged: int
    in_memory: int


def run_until(config: KafkaConfig, killed: Callable[[Standing], bool]) -> Standing:
    """Let a process publish until it is *killed*."""
    settings = json.loads(config.model_dump_json(exclude_none=True))
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "kafka.producing.outage_process", json.dumps(settings)]
    standing = Standing(0, 0, 0, 0)
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            standing = Standing(*map(int, line.split()))
            if killed(standing):
                process.send_signal(signal.SIGKILL)
                break
    return standing


async def test_what_is_accepted_on_disk_survives_a_kill(mock: MockCluster, unique: str, tmp_path: Path) -> None:
    config = made(mock, unique, tmp_path)
    with mock.down():
        last = await asyncio.to_thread(run_until, config, lambda standing: standing.spilled > 500)
    async with running(config, NullFlow()) as publisher:
        assert publisher.recovered().records >= last.spilled > 500
        assert await publisher.close(30) == 0
    books = numbers_of(config, config.orderbook_topic)
    assert sum(map(len, books.values())) >= last.spilled
    for numbers in books.values():
        assert numbers == list(range(len(numbers)))


async def test_a_kill_in_an_outage_loses_nothing_of_a_book_and_leaves_no_hole(
    mock: MockCluster, unique: str, tmp_path: Path
) -> None:
    """What was on its way when Kafka went away is on disk as well, in front."""
    config = made(mock, unique, tmp_path, queue_max_messages=3000)
    away = False

    def killed(standing: Standing) -> bool:
        nonlocal away
        if standing.acknowledged > 100 and not away:
            away = True
            mock.set_down()
        sheltered = standing.spilled > 3000 and standing.in_memory == 0
        return away and (sheltered or standing.spilled > 30_000)

    last = await asyncio.to_thread(run_until, config, killed)
    mock.set_up()
    assert last.in_memory == 0
    async with running(config, NullFlow()) as publisher:
        assert await publisher.close(30) == 0
        assert publisher.recovered().waiting == 0
    for numbers in numbers_of(config, config.orderbook_topic).values():
        once = list(dict.fromkeys(numbers))  # what Kafka had and could not acknowledge comes a second time
        assert len(once) >= last.rounds
        assert once == list(range(len(once)))


async def test_a_kill_while_kafka_catches_up_loses_nothing_of_a_book(
    mock: MockCluster, unique: str, tmp_path: Path
) -> None:
    """What comes while Kafka takes what waited stands behind that for long, and is on disk too."""
    config = made(mock, unique, tmp_path, queue_max_messages=100_000, batch_size=1000)
    before, since_back = 0, 0

    def killed(standing: Standing) -> bool:
        nonlocal before, since_back
        if standing.acknowledged > 100 and not before:
            before = sys.maxsize
            mock.set_down()
        if standing.spilled > 1500 and before == sys.maxsize:
            before = standing.acknowledged
            mock.set_round_trip(300)
            mock.set_up()
        since_back += 0 < before < standing.acknowledged
        return since_back > 150

    last = await asyncio.to_thread(run_until, config, killed)
    mock.set_round_trip(0)
    assert last.spilled > 300
    assert last.in_memory == 0
    async with running(config, NullFlow()) as publisher:
        assert await publisher.close(30) == 0
    for numbers in numbers_of(config, config.orderbook_topic).values():
        once = list(dict.fromkeys(numbers))
        assert len(once) >= last.rounds
        assert once == list(range(len(once)))


async def test_records_that_were_written_though_on_their_way_leave_the_disk_when_they_are_acknowledged(
    mock: MockCluster, unique: str, tmp_path: Path
) -> None:
    config = made(mock, unique, tmp_path, queue_max_messages=1000)
    async with running(config, NullFlow()) as publisher:
        with mock.down():
            for number in range(50):
                publish_round(publisher, number)
            await aeventually(lambda: publisher._buffer.records == 150, "what is on its way is on disk", 20)
            for number in range(50, 100):
                publish_round(publisher, number)
                assert sums_agree(publisher)
            books = publisher.accounting()[config.orderbook_topic]
            assert (books.spilled, books.in_flight) == (300, 0)
        await aeventually(lambda: not publisher._buffer.records and not publisher._behind, "the outage is over", 30)
        publish_round(publisher, 100)
        assert publisher.accounting()[config.orderbook_topic].spilled == 0  # all is as before
        assert await publisher.close(30) == 0
        assert sums_agree(publisher)
        assert publisher.accounting()[config.orderbook_topic] == TopicAccount(events=303, acknowledged=303)
    for topic in (config.orderbook_topic, config.ticker_topic):
        assert numbers_of(config, topic) == {symbol: list(range(101)) for symbol in SYMBOLS}


async def test_an_end_while_what_is_on_its_way_is_being_written_keeps_all_of_it(
    mock: MockCluster, unique: str, tmp_path: Path
) -> None:
    config = made(mock, unique, tmp_path, queue_max_messages=1000)
    async with running(config, NullFlow()) as publisher:
        with mock.down():
            for number in range(50):
                publish_round(publisher, number)
            publisher._buffer.shelter(publisher._may_be_on_disk)
            assert await publisher.close(0) == 0
            assert sums_agree(publisher)
            assert publisher.accounting()[config.orderbook_topic] == TopicAccount(events=150, spilled=150)
    async with running(config, NullFlow()) as publisher:
        assert publisher.recovered().records == 300
        assert await publisher.close(30) == 0
    for topic in (config.orderbook_topic, config.ticker_topic):
        assert numbers_of(config, topic) == {symbol: list(range(50)) for symbol in SYMBOLS}


@pytest.mark.parametrize("policy", ["drop", "invalidate"])
async def test_policies_that_keep_nothing_count_everything(
    policy: str, mock: MockCluster, unique: str, tmp_path: Path
) -> None:
    config = made(mock, unique, tmp_path, when_full_ticker="drop", when_full_orderbook="invalidate")
    feed = NullFlow()
    async with running(config, feed) as publisher:
        with mock.down():
            for number in range(100):
                publisher.publish(ticker(number, "A-USDT"))
                if policy == "invalidate":
                    publisher.publish(book("delta" if number else "snapshot", number, "A-USDT"))
                assert sums_agree(publisher)
            assert sum(a.dropped for a in publisher.accounting().values()) == (80 if policy == "drop" else 180)
        if policy == "invalidate":
            await aeventually(lambda: feed.asked == ["overflow AUSDT"], "the book starts again")
            publisher.publish(book("invalid", 10, "A-USDT"))
            publisher.publish(book("snapshot", 0, "A-USDT", epoch=2))
        assert await publisher.close(30) == 0
        assert sums_agree(publisher)
    if policy == "invalidate":
        assert numbers_of(config, config.orderbook_topic) == {"A-USDT": [*range(11), 0]}
