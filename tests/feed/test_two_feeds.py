"""Several feeds of one program, at once and one after another: apart, and in order in one folder."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from feed.conftest import MakeFeed
from feed.simulator_support import publishing
from feed.toy_server import ToyServer, subscribed
from kafka.mock_cluster import MockCluster
from support import aeventually
from tickwire.errors import SpillInUse, SubscriptionRefused
from tickwire.simulator.server import SimulatedExchange


async def test_two_feeds_of_one_process_work_and_fail_alone(make_feed: MakeFeed) -> None:
    async with ToyServer() as server, ToyServer() as failing:
        one, other = make_feed(server), make_feed(failing)
        events: list[list[Any]] = [[], []]
        for feed, its in zip((one, other), events, strict=True):
            feed.add_callback(its.append)

        async def fail() -> None:
            async with other:
                peer = await subscribed(failing)
                await peer.say_book("AX", "whole", 1)
                await aeventually(lambda: events[1], "the other's book")
                await peer.say(name="AX", no="orderbook")
                await asyncio.Event().wait()

        async with one:
            peer = await subscribed(server)
            await peer.say_book("AX", "whole", 1)
            with pytest.raises(SubscriptionRefused):
                await fail()
            await peer.say_book("AX", "change", 2)
            await aeventually(lambda: len(events[0]) == 2, "the change")
    assert [[e.action for e in its] for its in events] == [["snapshot", "delta", "invalid"], ["snapshot", "invalid"]]
    assert [feed.accounting()["events"]["orderbook"] for feed in (one, other)] == [3, 2]


async def test_two_exchanges_in_one_task_group(tmp_path: Path) -> None:
    with MockCluster() as kafka:
        kafka.create_topic("ticks.v1.raw")
        kafka.create_topic("orderbook.v1.raw")
        async with SimulatedExchange("binance", rate=100) as one, SimulatedExchange("kraken", rate=100) as other:
            feeds = [publishing(exchange, kafka.bootstrap, tmp_path) for exchange in (one, other)]
            async with asyncio.TaskGroup() as group:
                for feed in feeds:
                    group.create_task(feed.run())
                await aeventually(lambda: all(f.accounting()["acknowledged"] > 50 for f in feeds), "records of both")
                for feed in feeds:
                    await feed.stop()
    for feed in feeds:
        counts = feed.accounting()
        assert sum(counts["events"].values()) == counts["acknowledged"]


async def test_a_feed_that_is_stopped_while_kafka_is_asked_gives_its_folder_back(tmp_path: Path) -> None:
    with MockCluster() as kafka:
        kafka.create_topic("ticks.v1.raw")
        kafka.create_topic("orderbook.v1.raw")
        kafka.set_round_trip(100)
        async with SimulatedExchange("binance", rate=100) as exchange:
            stopped, following = (publishing(exchange, kafka.bootstrap, tmp_path) for _ in range(2))
            publisher = stopped._publishing._publisher
            assert publisher is not None
            asked, really_open = threading.Event(), publisher.open

            def noticed_open() -> None:
                asked.set()
                really_open()

            publisher.open = noticed_open  # type: ignore[method-assign]
            running = asyncio.create_task(stopped.run())
            await aeventually(asked.is_set, "Kafka is asked")
            await stopped.stop()
            await running
            kafka.set_round_trip(0)
            async with following:
                await aeventually(lambda: following.accounting()["acknowledged"] > 10, "records of the second feed")


async def test_two_feeds_of_one_exchange_with_other_symbols_and_a_third_with_one_of_them(tmp_path: Path) -> None:
    with MockCluster() as kafka:
        kafka.create_topic("ticks.v1.raw")
        kafka.create_topic("orderbook.v1.raw")
        async with SimulatedExchange("binance", symbols=3, rate=100) as exchange:
            names = list(exchange.books(1))
            one, other, third = (
                publishing(exchange, kafka.bootstrap, tmp_path, symbols=part)
                for part in (names[:2], names[2:], names[1:])
            )
            async with one, other:
                await aeventually(
                    lambda: all(f.accounting()["acknowledged"] > 20 for f in (one, other)), "both publish"
                )
                with pytest.raises(SpillInUse, match="publishes"):
                    await third.run()


def raise_epoch(folder: Path, last: int) -> None:
    """Let a folder be as a run leaves it whose clock was an hour ahead."""
    kept = folder / "epoch"
    assert int(kept.read_text()) == last
    kept.write_text(str(last + 3_600_000))


async def test_epochs_grow_over_a_restart_with_a_clock_that_was_an_hour_ahead(tmp_path: Path) -> None:
    epochs: list[list[int]] = []
    with MockCluster() as kafka:
        kafka.create_topic("ticks.v1.raw")
        kafka.create_topic("orderbook.v1.raw")
        async with SimulatedExchange("binance", rate=100) as exchange:
            for _ in range(3):
                feed = publishing(exchange, kafka.bootstrap, tmp_path, channels=["orderbook"])
                seen: list[int] = []
                feed.add_callback(lambda event, seen=seen: seen.append(event.epoch))
                async with feed:
                    await aeventually(lambda seen=seen: len(seen) > 10, "order books")  # type: ignore[misc]
                epochs.append(seen)
                raise_epoch(Path(feed.accounting()["spill_folder"]), max(seen))
    first, second, third = epochs
    assert min(second) > max(first) + 3_600_000
    assert min(third) > max(second) + 3_600_000
