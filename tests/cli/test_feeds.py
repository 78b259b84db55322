"""Several feeds and their publisher in one process."""

import asyncio
import signal
from pathlib import Path

import pytest

from kafka.mock_cluster import MockCluster
from kafka.publishing import config_for
from support import aeventually, free_port
from tickwire.cli import feeds as module
from tickwire.cli.feeds import Feeds
from tickwire.config.feed_config import FeedConfig
from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import KafkaFailed
from tickwire.kafka.spill import Disk, Owner, Work, served, settle
from tickwire.records.codec import Record, record_key
from tickwire.signals import Stop
from tickwire.simulator.server import SimulatedExchange


def config_of(exchange: str, port: int, symbols: str) -> FeedConfig:
    urls = {f"{exchange}_ws_url": f"ws://127.0.0.1:{port}", f"{exchange}_rest_url": f"http://127.0.0.1:{port}"}
    return FeedConfig.model_validate({"exchange": exchange, "symbols": symbols, "urls": urls})


def leave(config: KafkaConfig, exchange: str, symbol: str, count: int) -> None:
    """Leave records on disk, as a producer of that symbol does."""
    key = record_key(exchange, symbol)
    names = frozenset({served("ticker", key)})
    ours = Owner(cluster=None, brokers=config.brokers, topics=(config.ticker_topic,))
    home = settle(Disk(Path(str(config.spill_dir)), 1 << 20, 500), exchange, Work(names, names), ours)
    for number in range(count):
        home.log.append(Record(config.ticker_topic, key, b"%d" % number, [], number, "ticker", exchange))
    home.epochs.close()
    home.log.close()


async def test_an_exchange_whose_listing_comes_late_joins_those_that_have_begun(
    tmp_path: Path, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_FIND_S", 0.5)
    ports = free_port(), free_port()
    with MockCluster() as kafka, Stop() as stop:
        config = config_for(kafka.bootstrap, unique, spill_dir=tmp_path)
        for topic in config.topics:
            kafka.create_topic(topic, 1)
        leave(config, "kraken", "OLD-USD", 3)
        feeds = Feeds([config_of("binance", ports[0], "BTCUSDT"), config_of("kraken", ports[1], "*-USD")], config)

        def acknowledged(exchange: str) -> int:
            count: int = feeds.accounting()["exchanges"][exchange]["acknowledged"]
            return count

        async with SimulatedExchange("binance", ["BTCUSDT"], 100, port=ports[0]):
            running = asyncio.create_task(feeds.run(stop))
            await aeventually(lambda: acknowledged("binance") > 10, "records without the late one")
            assert acknowledged("kraken") == 0
            async with SimulatedExchange("kraken", ["BTC/USD"], 100, port=ports[1]):
                await aeventually(lambda: acknowledged("kraken") > 10, "records of the late one", 60)
                assert feeds.accounting()["recovered"]["acknowledged"] == 3  # of a symbol that nobody has named
                stop.hear(signal.SIGTERM)
                await running
    account = feeds.accounting()
    assert sum(account["events"].values()) == account["acknowledged"]


async def test_a_kafka_that_does_not_answer_ends_all_with_one_error(tmp_path: Path, unique: str) -> None:
    config = config_for(f"127.0.0.1:{free_port()}", unique, spill_dir=tmp_path)
    async with SimulatedExchange("binance") as one, SimulatedExchange("kraken") as other:
        configs = [
            config_of(each.name, int(each.rest_url.rpartition(":")[2]), next(iter(each.books(1))))
            for each in (one, other)
        ]
        with Stop() as stop, pytest.raises(KafkaFailed):
            await Feeds(configs, config).run(stop)
