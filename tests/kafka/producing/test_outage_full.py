"""Outages with no room left in memory or on disk, on a mock cluster: losses are counted, and no book has a hole."""

import time
from pathlib import Path

import pytest

from kafka.mock_cluster import MockCluster
from kafka.producing.outage_support import SYMBOLS, made
from kafka.publishing import book, events_of, numbers_of, publish_round, running, sums_agree, ticker
from support import aeventually
from tickwire.events.types import Action, OrderBook
from tickwire.kafka.producing.flow import NullFlow
from tickwire.kafka.producing.publisher import Publisher


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
