"""Apache Kafka from Maven's libraries: it runs, and its nodes can be broken and mended."""

import os
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from brokers import CACHE, Kafka, StartApache
from support import eventually
from tickwire.broker import ApacheCluster
from tickwire.broker.apache import VERSION
from tickwire.broker.process import visible_nodes
from tickwire.errors import KafkaFailed, PortTaken, UsageError

pytestmark = pytest.mark.kafka

# A node that comes back is let in when its old session is over: after 9 s by default.
QUICK = {"broker.session.timeout.ms": "3000", "broker.heartbeat.interval.ms": "500"}


def create(bootstrap: str, topic: str, copies: int) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(topic, 1, copies)])[topic].result(20)


def produce(bootstrap: str, topic: str, values: list[bytes]) -> None:
    failed: list[object] = []
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "log_level": 0})
    for value in values:
        producer.produce(
            topic, value, partition=0, on_delivery=lambda error, _: failed.append(error) if error else None
        )
    assert producer.flush(30) == 0
    assert not failed


def consume(bootstrap: str, topic: str, count: int) -> list[bytes | None]:
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "none", "enable.auto.commit": False, "log_level": 0}
    )
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        values: list[bytes | None] = []

        def enough() -> bool:
            message = consumer.poll(0.5)
            if message is not None and message.error() is None:
                values.append(message.value())
            return len(values) == count

        eventually(enough, f"{count} messages", 30)
        return values
    finally:
        consumer.close()


def test_it_gives_back_what_it_was_given(kafka: Kafka, unique: str) -> None:
    topic = f"t-{unique}"
    create(kafka.bootstrap, topic, -1)
    produce(kafka.bootstrap, topic, [b"1", b"2"])
    assert consume(kafka.bootstrap, topic, 2) == [b"1", b"2"]


def test_one_node_keeps_its_data_over_a_kill_and_an_orderly_end(start_apache: StartApache) -> None:
    cluster = start_apache(properties=QUICK)
    create(cluster.bootstrap, "t", 1)
    produce(cluster.bootstrap, "t", [b"1"])
    killed = cluster.pid(1)
    cluster.kill(1)
    assert not visible_nodes(cluster.bootstrap, 0.3)
    cluster.restart(1)
    assert cluster.pid(1) != killed
    produce(cluster.bootstrap, "t", [b"2"])
    cluster.terminate(1)
    cluster.restart(1)
    assert consume(cluster.bootstrap, "t", 2) == [b"1", b"2"]


def test_three_nodes_go_on_without_the_leader_and_take_it_back(start_apache: StartApache) -> None:
    cluster = start_apache(nodes=3, properties=QUICK)
    create(cluster.bootstrap, "t", 3)
    produce(cluster.bootstrap, "t", [b"1"])
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap, "log_level": 0})
    leader = admin.list_topics("t", timeout=10).topics["t"].partitions[0].leader
    cluster.kill(leader)
    produce(cluster.bootstrap, "t", [b"2"])
    cluster.restart(leader)
    eventually(
        lambda: len(admin.list_topics("t", timeout=10).topics["t"].partitions[0].isrs) == 3, "three copies again", 40
    )
    assert consume(cluster.bootstrap, "t", 2) == [b"1", b"2"]


def test_a_frozen_node_is_silent_until_it_is_thawed(start_apache: StartApache) -> None:
    cluster = start_apache()
    cluster.freeze(1)
    assert not visible_nodes(cluster.bootstrap, 0.5)
    cluster.thaw(1)
    eventually(lambda: visible_nodes(cluster.bootstrap, 1.0), "the node answers again")
    cluster.ensure_running()


def test_extra_properties_reach_the_broker_and_wrong_ones_are_reported(start_apache: StartApache) -> None:
    cluster = start_apache(properties={"message.max.bytes": "2000"})
    producer = Producer({"bootstrap.servers": cluster.bootstrap})
    answers: list[str] = []
    create(cluster.bootstrap, "t", 1)
    producer.produce(
        "t", os.urandom(5000), on_delivery=lambda error, _: answers.append(error.name() if error else "none")
    )
    assert producer.flush(30) == 0
    assert answers == ["MSG_SIZE_TOO_LARGE"]
    with pytest.raises(KafkaFailed, match=r"node 1 .*log\.retention\.bytes"):
        start_apache(properties={"log.retention.bytes": "much"})


def test_a_node_that_is_down_cannot_be_frozen(start_apache: StartApache) -> None:
    cluster = start_apache()
    cluster.kill(1)
    with pytest.raises(UsageError, match="not running"):
        cluster.freeze(1)


def test_a_taken_port_is_named(kafka: Kafka, tmp_path: Path) -> None:
    port = int(kafka.bootstrap.split(",")[0].rsplit(":", 1)[1])
    with pytest.raises(PortTaken, match=str(port)):
        ApacheCluster(1, tmp_path, CACHE, ports=[port]).start()


def test_the_libraries_are_of_the_version_that_is_named(kafka: Kafka) -> None:
    if os.environ.get("TICKWIRE_TEST_BROKERS") is None:
        assert (CACHE / "kafka" / VERSION / "libs" / f"kafka_2.13-{VERSION}.jar").is_file()
