"""An independent reader: everything that topics hold, from the first record on, into a journal. Uses none of our code.

Arguments: bootstrap, journal, topics. It reads until it is killed.
"""

import json
import sys
import time
from collections.abc import Iterator
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from faults.journal import Entry, Journal
from faults.lifeline import end_with_parent

_PROPERTIES = {
    "group.id": "witness",  # never joined, nothing is committed
    "enable.auto.commit": False,
    "auto.offset.reset": "earliest",
    "allow.auto.create.topics": False,
    "fetch.wait.max.ms": 100,
    "log_level": 0,
}


def seen(message: Any) -> Entry:
    """Make a journal's entry of one record."""
    try:
        event = json.loads(message.value())
    except (TypeError, ValueError):
        event = {}
    book = [event.get(name) for name in ("action", "epoch", "book_seq", "received_us")]
    key = (message.key() or b"").decode()
    place = message.topic(), message.partition(), message.offset()
    return ["seen", *place, key, event.get("sequence", -1), *book, message.timestamp()[1]]


def assign_all(consumer: Consumer, topics: list[str]) -> list[TopicPartition]:
    """Take every partition of *topics* from the beginning."""
    deadline = time.monotonic() + 30
    while True:
        try:
            known = consumer.list_topics(timeout=5).topics
        except KafkaException:
            known = {}
        if all(topic in known and known[topic].partitions for topic in topics):
            partitions = [TopicPartition(topic, number, 0) for topic in topics for number in known[topic].partitions]
            consumer.assign(partitions)
            return partitions
        if time.monotonic() > deadline:
            raise SystemExit(f"no topics {topics}")


def read_everything(bootstrap: str, topics: list[str], seconds: float = 60.0) -> Iterator[Entry]:
    """Read all that topics hold now, as entries of a journal."""
    return map(seen, read_messages(bootstrap, topics, seconds))


def read_messages(bootstrap: str, topics: list[str], seconds: float = 60.0) -> Iterator[Any]:
    """Read all that topics hold now."""
    consumer = Consumer(_PROPERTIES | {"bootstrap.servers": bootstrap, "enable.partition.eof": True})
    left = {(p.topic, p.partition) for p in assign_all(consumer, topics)}
    deadline = time.monotonic() + seconds
    while left:
        message = consumer.poll(0.5)
        assert time.monotonic() < deadline, f"no end of {left} within {seconds} s"
        if message is None:
            continue
        error = message.error()
        if error is None:
            yield message
        elif error.code() == KafkaError._PARTITION_EOF:
            left.discard((message.topic() or "", message.partition() or 0))
    consumer.close()


def main() -> None:
    end_with_parent()
    bootstrap, path, *topics = sys.argv[1:]
    journal = Journal(path)
    consumer = Consumer(_PROPERTIES | {"bootstrap.servers": bootstrap})
    assign_all(consumer, topics)
    journal.write("ready")
    synced = time.monotonic()
    while True:
        message = consumer.poll(0.2)
        if message is not None and message.error() is None:
            journal.write(*seen(message))
        if time.monotonic() - synced > 0.2:
            journal.sync()
            synced = time.monotonic()


if __name__ == "__main__":
    main()
