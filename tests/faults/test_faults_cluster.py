"""Three nodes of Apache Kafka that are killed, frozen and restarted under load. Rows: ROWS.md."""

import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient

from faults.checker import check_reading
from faults.conftest import MakeBench
from faults.test_faults_consuming import finish
from faults.test_faults_publishing import assert_all_delivered
from faults.workbench import Bench, Child, coordinator, of_topic
from support import eventually
from tickwire.broker import ApacheCluster
from tickwire.config.kafka_config import KafkaConfig
from tickwire.kafka.clients import consumer_config, find_ends, make

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

GIVEN_UP_S = 25.0  # 16 as `docs/delivery.md` says, with room for a slow machine


@pytest.fixture
def cluster_bench(three_nodes: ApacheCluster, make_bench: MakeBench) -> Bench:
    bench = make_bench(three_nodes.bootstrap)
    bench.files = three_nodes.folder
    bench.create_topics()
    bench.start_witness()
    return bench


def leader(bench: Bench, topic: str, partition: int = 0) -> int:
    """The node that leads a partition."""
    metadata: Any = AdminClient({"bootstrap.servers": bench.bootstrap}).list_topics(topic, timeout=20)
    return int(metadata.topics[topic].partitions[partition].leader)


def in_sync(bench: Bench) -> bool:
    """Whether every copy of our topics is up to date."""
    metadata: Any = AdminClient({"bootstrap.servers": bench.bootstrap, "log_level": 0}).list_topics(timeout=20)
    return all(len(p.isrs) == 3 for topic in bench.topics for p in metadata.topics[topic].partitions.values())


def await_in_sync(bench: Bench) -> None:
    eventually(lambda: in_sync(bench), "all copies are in sync", 90)


def test_row_01_the_leader_is_killed(three_nodes: ApacheCluster, cluster_bench: Bench) -> None:
    child = cluster_bench.start_producer()
    victim = leader(cluster_bench, cluster_bench.books)
    three_nodes.kill(victim)
    cluster_bench.await_caught_up(child, 90)
    three_nodes.restart(victim)
    await_in_sync(cluster_bench)
    assert_all_delivered(cluster_bench, child)


@pytest.mark.slow_fault
def test_row_02_every_node_is_restarted_in_turn(three_nodes: ApacheCluster, cluster_bench: Bench) -> None:
    child = cluster_bench.start_producer()
    for node in (1, 2, 3):
        three_nodes.restart(node)
        await_in_sync(cluster_bench)
        cluster_bench.await_acknowledged(200, child, 90)
    assert_all_delivered(cluster_bench, child)


@pytest.mark.slow_fault
def test_row_03_a_frozen_leader_is_given_up_and_the_others_take_what_it_had(
    three_nodes: ApacheCluster, cluster_bench: Bench
) -> None:
    """What it had in its sockets it reads when it goes on; none of that is stored twice."""
    child = cluster_bench.start_producer()
    victim = leader(cluster_bench, cluster_bench.books)
    three_nodes.freeze(victim)
    begun = time.monotonic()
    try:
        cluster_bench.await_caught_up(child, GIVEN_UP_S)
        cluster_bench.until(lambda: time.monotonic() - begun > 30, child, "30 seconds", 40)
    finally:
        three_nodes.thaw(victim)
    await_in_sync(cluster_bench)
    assert_all_delivered(cluster_bench, child)


@pytest.mark.slow_fault
def test_row_03_tools_that_read_wait_until_another_node_leads(three_nodes: ApacheCluster, cluster_bench: Bench) -> None:
    child = cluster_bench.start_producer()
    assert child.stop() == 0
    config, places = KafkaConfig(**cluster_bench.kafka), [(cluster_bench.books, number) for number in range(2)]
    consumer = make(Consumer, consumer_config(config, "tool") | {"enable.partition.eof": True})
    ends = find_ends(consumer, places)
    victim = leader(cluster_bench, cluster_bench.books)
    three_nodes.freeze(victim)
    try:
        assert find_ends(consumer, places) == ends
    finally:
        three_nodes.thaw(victim)
        consumer.close()
    await_in_sync(cluster_bench)


@pytest.mark.slow_fault
def test_row_08_two_of_three_nodes_are_gone_and_come_back(three_nodes: ApacheCluster, cluster_bench: Bench) -> None:
    child = cluster_bench.start_producer()
    for node in (1, 2):
        three_nodes.kill(node)
    cluster_bench.await_sent(5_000, child)
    three_nodes.restart(1, 2)
    cluster_bench.await_caught_up(child, 120)
    await_in_sync(cluster_bench)
    assert_all_delivered(cluster_bench, child)


@pytest.mark.slow_fault
def test_row_37_commits_go_on_when_the_node_that_manages_the_group_freezes(
    three_nodes: ApacheCluster, cluster_bench: Bench
) -> None:
    load = cluster_bench.start_producer()
    child = cluster_bench.start_consumer("one")
    cluster_bench.until(lambda: stored(cluster_bench) > 100, child, "commits")
    victim = coordinator(cluster_bench.bootstrap, cluster_bench.group)
    three_nodes.freeze(victim)
    try:
        done = handled(cluster_bench)
        cluster_bench.until(lambda: stored(cluster_bench) > done, child, "commits go on")
    finally:
        three_nodes.thaw(victim)
    await_in_sync(cluster_bench)
    assert load.stop() == 0
    log, violations = cluster_bench.log()
    ticks = of_topic(log, cluster_bench.ticks)
    finish(cluster_bench, child, {n: 1 + max(p.offset for p in ticks if p.partition == n) for n in range(2)})
    assert violations + check_reading(ticks, cluster_bench.reading.update(), duplicates=None) == []


STORM = {"session.timeout.ms": 6_000, "heartbeat.interval.ms": 1_000}


def handled(bench: Bench) -> int:
    return sum(1 for _ in bench.reading.of("handled"))


def stored(bench: Bench) -> int:
    """How many records the group has committed."""
    return sum(bench.committed(bench.ticks, 2).values())


def takes_part(bench: Bench, who: str) -> bool:
    return any(entry[0] == who for entry in bench.reading.of("handled"))


@pytest.mark.slow_fault
@pytest.mark.parametrize("end", [Child.stop, Child.kill])
def test_row_20_members_join_and_leave_under_load(bench: Bench, end: Callable[[Child], object]) -> None:
    """Nothing is skipped and no commit runs ahead, whoever has which partition."""
    bench.create_topics(bench.ticks, partitions=4)
    bench.create_topics(bench.books)
    bench.start_witness()
    load = bench.start_producer(keys=16, rate=800)
    steady = bench.start_consumer("steady", client=STORM)
    for turn in range(5):
        guest_name = f"guest{turn}"
        guest = bench.start_consumer(guest_name, client=STORM)
        Bench.until(lambda: takes_part(bench, guest_name), guest, "it takes part", 60)  # noqa: B023
        end(guest)
        before = handled(bench)
        Bench.until(lambda: handled(bench) > before + 200, steady, "the others go on")  # noqa: B023
    assert load.stop() == 0
    log, violations = bench.log()
    ticks = [place for place in log if place.topic == bench.ticks]
    ends = {n: 1 + max((p.offset for p in ticks if p.partition == n), default=-1) for n in range(4)}
    finish(bench, steady, ends)
    assert violations + check_reading(ticks, bench.reading.update(), duplicates=None) == []


@pytest.mark.slow_fault
def test_row_20_a_frozen_member_commits_nothing_after_it_was_replaced(bench: Bench) -> None:
    bench.create_topics(bench.ticks, partitions=2)
    bench.create_topics(bench.books)
    load = bench.start_producer(keys=16, rate=400)
    frozen = bench.start_consumer("frozen", client=STORM)
    Bench.until(lambda: handled(bench) > 200, frozen, "some records")
    frozen.process.send_signal(signal.SIGSTOP)
    heir = bench.start_consumer("heir", client=STORM)
    Bench.until(lambda: takes_part(bench, "heir"), heir, "it takes over", 60)
    before = handled(bench)
    Bench.until(lambda: handled(bench) > before + 500, heir, "it goes on")
    frozen.process.send_signal(signal.SIGCONT)
    assert load.stop() == 0
    log, violations = bench.log()
    ticks = [place for place in log if place.topic == bench.ticks]
    bench.await_committed(bench.ticks, {n: 1 + max(p.offset for p in ticks if p.partition == n) for n in range(2)})
    assert frozen.stop() == 0
    assert heir.stop() == 0
    assert violations + check_reading(ticks, bench.reading.update(), duplicates=None) == []
