"""The schema registry under load: killed, emptied, answering nonsense; nothing is lost, and nothing is read wrong."""

from collections.abc import Iterator
from typing import Any

import pytest

from faults.checker import Message, Place, Sending, check_reading
from faults.witness_process import read_messages
from faults.workbench import Bench, Child
from registry_support import Scripted, avro, client, proto, scripted
from support import eventually, free_port
from tickwire.config.kafka_config import KafkaConfig
from tickwire.registry.subjects import our_subjects, register
from tickwire.registry_errors import RegistryFailed

STATIC = {"group.instance.id": "one", "session.timeout.ms": 30_000}
RUNS = ("two", "three")  # of the producer, which no kill -9 ended


class Registered:
    """Tickers in Avro and books in Protobuf, in a registry that may be killed."""

    def __init__(self, bench: Bench) -> None:
        self._bench, self.port = bench, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        formats = {"ticker_format": "avro", "orderbook_format": "protobuf"}
        self.kafka: dict[str, Any] = {"schema_registry_url": self.url, "dlq_enabled": True} | formats
        bench.create_topics()
        bench.create_topics(bench.letters, partitions=1)

    def start(self) -> Child:
        """An empty one."""
        child = self._bench.start("registry_process", str(self.port))

        def answers() -> bool:
            try:
                client(self.url).subjects()
            except RegistryFailed:
                return False
            return True

        eventually(answers, "the registry answers")
        return child

    def register(self) -> None:
        """Give it what it should have."""
        for subject in our_subjects(KafkaConfig(**self._bench.kafka | self.kafka)):
            register(client(self.url), subject)

    def produce(self, run: str) -> Child:
        return self._bench.start_producer(self.kafka, run, texts=True, look_seconds=0.3)

    def consume(self, who: str) -> Child:
        settings = {"topics": self._bench.topics, "client": STATIC, "texts": True, "most_backoff": 0.2}
        return self._bench.start_consumer(who, self.kafka, **settings)


def handled(bench: Bench) -> int:
    return sum(1 for _ in bench.reading.of("handled"))


def await_handled(bench: Bench, more: int, child: Child) -> None:
    wanted = handled(bench) + more
    bench.until(lambda: handled(bench) >= wanted, child, f"{more} more handled")


def await_waits(bench: Bench, why: str, child: Child) -> None:
    bench.until(lambda: why in {e[-1] for e in bench.reading.of("waits")}, child, f"it waits: {why}")


@pytest.mark.kafka
def test_row_29_a_registry_killed_under_load_costs_nothing_and_may_be_away_when_both_sides_start(bench: Bench) -> None:
    registered = Registered(bench)
    registry = registered.start()
    registered.register()
    producer, consumer = registered.produce("one"), registered.consume("a")
    await_handled(bench, 100, consumer)
    registry.kill()  # both know their ids, and go on
    await_handled(bench, 200, consumer)
    producer.kill()  # the next has its ids from disk; the next consumer has none, and waits
    assert consumer.stop() == 0
    before = handled(bench)
    producer, consumer = registered.produce("two"), registered.consume("b")
    await_waits(bench, "RegistryAway", consumer)
    assert handled(bench) == before
    registered.start()
    registered.register()
    await_handled(bench, 100, consumer)
    assert producer.stop() == 0
    check_all(bench, consumer)


@pytest.mark.kafka
@pytest.mark.slow_fault
def test_row_29_a_registry_that_answers_nonsense_and_comes_back_empty_under_load_costs_nothing(bench: Bench) -> None:
    registered = Registered(bench)
    registry = registered.start()
    registered.register()
    producer = registered.produce("one")
    registry.kill()
    producer.kill()
    with scripted(registered.port) as script:
        script.says(500, b"{}")
        producer, consumer = registered.produce("two"), registered.consume("a")
        for answer in nonsense(script):
            asked = len(script.asked)
            Bench.until(lambda: len(script.asked) >= asked + 3, consumer, f"it asks three times: {answer}")  # noqa: B023
        bench.await_acknowledged(50, producer)
        script.pause_s = 0.0
        script.says(302, b"", Location="http://127.0.0.1:9/elsewhere")  # which does not pass by waiting
        assert consumer.process.wait(30) == 1
        assert consumer.report["error"] == "NoRegistry"

    registry = registered.start()  # and others are first
    others = client(registered.url)
    assert [others.register("a-value", avro("trade")), others.register("b-value", proto())] == [1, 2]
    assert producer.process.wait(30) is not None
    assert "its id 1 of subject" in producer.report["error"]
    consumer = registered.consume("b")
    await_waits(bench, "SchemaSwapped", consumer)
    assert handled(bench) == 0

    registry.kill()
    registered.start()
    registered.register()
    producer = registered.produce("three")
    await_handled(bench, 100, consumer)
    assert producer.stop() == 0
    check_all(bench, consumer)


def nonsense(script: Scripted) -> Iterator[str]:
    """Have a registry answer in every way that may pass."""
    script.says(500, {"error_code": 50001, "message": "Error in the backend data store"})
    yield "an error"
    script.says(200, b"<html>one moment, please</html>", Content_Type="text/html")
    yield "a page"
    script.says(404, {"error_code": 40403, "message": "Schema not found"})
    yield "an unknown id"
    script.says(200, b" " * 100_000)
    script.pause_s = 0.05
    yield "a slow answer"


def check_all(bench: Bench, consumer: Child) -> None:
    """Count every record: what is in the log was read once, with the text that was sent, and nothing is a letter."""
    log = {
        Place(message.topic(), message.partition(), message.offset())
        for message in read_messages(bench.bootstrap, bench.topics)
    }
    bench.until(lambda: handled(bench) >= len(log), consumer, "it has read everything")
    assert consumer.stop() == 0
    assert check_reading(log, bench.reading.update()) == []
    assert list(bench.reading.of("dead_letter")) == []
    sent = {Message(*entry[:3]): entry[3] for entry in bench.sending.of("text")}
    found = {entry[3] for entry in bench.reading.of("text")}
    acknowledged = Sending.from_entries(bench.sending.update()).acknowledged
    assert acknowledged
    assert {sent[message] for message in acknowledged} <= found
    assert found <= set(sent.values())
    lost = [message for message, text in sent.items() if message.key.startswith(RUNS) and text not in found]
    assert lost == []
