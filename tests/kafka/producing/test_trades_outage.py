"""Trades in an outage, on a mock cluster: each policy does what it says, and every trade is accounted for."""

from pathlib import Path
from typing import Any

import pytest

from kafka.mock_cluster import MockCluster
from kafka.publishing import config_for, numbers_of, running, sums_agree, topics_on, trade
from support import aeventually
from tickwire.kafka.producing.flow import NullFlow
from tickwire.kafka.producing.ledger import TopicAccount

COUNT = 100


@pytest.mark.parametrize(("policy", "arrive"), [("spill", range(COUNT)), ("block", range(COUNT)), ("drop", range(20))])
async def test_what_the_queue_cannot_hold_waits_in_its_order_or_is_dropped_and_counted(
    policy: str, arrive: range, mock: MockCluster, unique: str, tmp_path: Path
) -> None:
    values: dict[str, Any] = {"queue_max_messages": 20, "when_full_trades": policy, "spill_dir": tmp_path}
    config, feed = config_for(mock.bootstrap, unique, **values), NullFlow()
    topics_on(mock, config)
    async with running(config, feed) as publisher:
        with mock.down():
            for number in range(COUNT):
                publisher.publish(trade(number))
                assert sums_agree(publisher)
            account = publisher.accounting()[config.trades_topic]
            assert (account.spilled, account.dropped) == {"spill": (80, 0), "block": (0, 0), "drop": (0, 80)}[policy]
        assert await publisher.close(30) == 0
        assert sums_agree(publisher)
    assert numbers_of(config, config.trades_topic) == {"BTC-USDT": list(arrive)}
    assert feed.asked == (["pause", "resume"] if policy == "block" else [])


async def test_a_trade_that_the_disk_does_not_give_back_has_failed(
    mock: MockCluster, unique: str, tmp_path: Path
) -> None:
    config = config_for(mock.bootstrap, unique, queue_max_messages=20, spill_dir=tmp_path)
    topics_on(mock, config)
    async with running(config, NullFlow()) as publisher:
        with mock.down():
            for number in range(COUNT):
                publisher.publish(trade(number))
            (segment,) = publisher.place.folder.glob("*.spill")
            data = bytearray(segment.read_bytes())
            data[-len(data) // 2] ^= 1
            segment.write_bytes(data)
        await aeventually(
            lambda: publisher.accounting()[config.trades_topic].acknowledged == COUNT - 1, "the others", 30
        )
        assert publisher.accounting()[config.trades_topic] == TopicAccount(
            events=COUNT, acknowledged=COUNT - 1, failed=1
        )
        assert await publisher.close(30) == 0
