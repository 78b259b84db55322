"""One publisher or group of consumers under test, a witness beside it, and the verdict over their journals."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # exported without saying so

from faults.checker import Content, Log, Place, Sending, Violation, check_accounting, check_log, read_log
from faults.journal import Journal, Tail
from faults.programs import resident_kib
from faults.segments import Segments
from faults.witness_process import read_everything
from support import eventually
from tickwire.kafka.clients import COORDINATOR_S

_TESTS = Path(__file__).parents[1]
_QUIET: dict[str, Any] = {"log_level": 0, "allow.auto.create.topics": False}


class Child:
    """A process of this folder."""

    def __init__(self, module: str, *arguments: str, report: Path | None = None) -> None:
        self._report = report
        environment = os.environ | {"PYTHONPATH": str(_TESTS)}
        command = [sys.executable, "-m", f"faults.{module}", *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment, text=True)

    def order(self, line: str) -> None:
        """Send a line to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()

    def stop(self, seconds: float = 60.0) -> int:
        """End it in order; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    @property
    def rss_kib(self) -> int:
        """Its resident memory in KiB."""
        return resident_kib(self.process.pid)

    @property
    def report(self) -> dict[str, Any]:
        """What it wrote at its end."""
        assert self._report is not None
        found: dict[str, Any] = json.loads(self._report.read_text())
        return found


class Bench:
    """Topics that nobody else uses, on the cluster at *bootstrap*."""

    def __init__(self, folder: Path, bootstrap: str, unique: str) -> None:
        self._folder = folder
        self._unique = unique
        self.files: Path | None = None  # of the cluster's nodes, if they may show what the client library sent again
        self._children: list[Child] = []
        self.bootstrap = bootstrap
        self.ticks, self.books, self.letters = f"ticks.{unique}", f"orderbook.{unique}", f"dlq.{unique}"
        self.trades = f"trades.{unique}"  # which nobody writes to
        self.sending = Tail(folder / "sending")
        self.reading = Tail(folder / "reading")
        self.witness = Tail(folder / "witness")

    @property
    def kafka(self) -> dict[str, Any]:
        """Settings of tickwire for this bench."""
        return {
            "brokers": self.bootstrap,
            "ticker_topic": self.ticks,
            "orderbook_topic": self.books,
            "trades_topic": self.trades,
            "dlq_topic": self.letters,
            "group_id": self.group,
            "topic_partitions": 2,
            "when_full_ticker": "block",
            "when_full_orderbook": "block",
            "spill_dir": str(self._folder / "spill"),
        }

    @property
    def group(self) -> str:
        """The group of the consumers under test."""
        return f"group-{self._unique}"

    @property
    def topics(self) -> list[str]:
        """The topics of market data."""
        return [self.ticks, self.books]

    def create_topics(self, *topics: str, partitions: int = 2, settings: dict[str, str] | None = None) -> None:
        """Make topics, ours unless named, with as many copies as the brokers like."""
        new = [NewTopic(topic, partitions, -1, config=settings or {}) for topic in topics or self.topics]
        admin = AdminClient({"bootstrap.servers": self.bootstrap})  # alive until it has answered
        for future in admin.create_topics(new).values():
            future.result(30)

    # Producer and witness

    def start(self, module: str, *arguments: str, report: Path | None = None) -> Child:
        """Start a process that ends with the test."""
        child = Child(module, *arguments, report=report)
        self._children.append(child)
        return child

    def start_witness(self) -> Child:
        """Start the independent reader, and return when it reads."""
        child = self.start("witness_process", self.bootstrap, str(self.witness.path), *self.topics)
        eventually(lambda: self.witness.update() or child.process.poll() is not None, "the witness is ready", 60)
        return child

    def start_producer(self, kafka: dict[str, Any] | None = None, run: str = "run", **settings: Any) -> Child:
        """Start the publisher under load, and return when its first messages are acknowledged."""
        report = self._folder / f"report-{run}"
        everything = {
            "journal": str(self.sending.path),
            "report": str(report),
            "run": run,
            "kafka": self.kafka | (kafka or {}),
        } | settings
        child = self.start("producer_process", json.dumps(everything), report=report)
        self.await_acknowledged(50, child)
        return child

    def acknowledged(self) -> int:
        """How many messages have been acknowledged so far."""
        return sum(1 for _ in self.sending.of("acked"))

    def await_acknowledged(self, more: int, child: Child, seconds: float = 60.0) -> None:
        """Wait until so many more messages are acknowledged than are now."""
        wanted = self.acknowledged() + more
        self.until(lambda: self.acknowledged() >= wanted, child, f"{more} more acknowledged", seconds)

    @staticmethod
    def until(condition: Any, child: Child, what: str, seconds: float = 60.0) -> None:
        """Wait for something while a process runs."""
        eventually(lambda: condition() or child.process.poll() is not None, what, seconds)
        assert condition(), f"{what}: the process ended with {child.process.returncode}"

    def await_sent(self, more: int, child: Child) -> None:
        """Wait until the publisher was given so many more messages than it has now."""
        wanted = sum(1 for _ in self.sending.of("sent")) + more
        self.until(lambda: sum(1 for _ in self.sending.of("sent")) >= wanted, child, f"{more} more sent")

    def await_caught_up(self, child: Child, seconds: float = 60.0) -> None:
        """Wait until every message that was sent until now is acknowledged."""
        left = set(map(tuple, self.sending.of("sent")))

        def caught_up() -> bool:
            left.difference_update(tuple(entry[:3]) for entry in self.sending.of("acked"))
            return not left

        self.until(caught_up, child, f"the {len(left)} messages sent are acknowledged", seconds)

    def log(self, topics: Sequence[str] | None = None) -> tuple[dict[Place, Content], list[Violation]]:
        """What the topics hold, read once more after the witness, and where the two disagree."""
        topics = self.topics if topics is None else list(topics)
        final = list(read_everything(self.bootstrap, topics))
        if not set(topics) <= set(self.topics) or not self.witness.path.exists():
            return read_log(final)
        ends: dict[tuple[str, int], int] = {}
        for _, topic, partition, offset, *_ in final:
            ends[topic, partition] = max(offset, ends.get((topic, partition), -1))

        def caught_up() -> bool:
            read = {(e[1], e[2], e[3]) for e in self.witness.update() if e[0] == "seen"}
            return all((*partition, offset) in read for partition, offset in ends.items())

        eventually(caught_up, "the witness has read to the end", 60)
        live = [e for e in self.witness.entries if e[0] == "seen" and e[1] in topics]
        log, violations = read_log([*live, *final])
        for name, entries in (("the final reader", final), ("the witness", live)):
            read = {Place(*e[1:4]) for e in entries}
            violations += [Violation("poll-skip", f"{name} did not get {place}") for place in log.keys() - read]
        return log, violations

    def verdict(self, child: Child | None, *, duplicates: int = 0, replaced: bool = False) -> list[Violation]:
        """Every broken promise of the sending side; *child* is the one that ended in order, if any did.

        *duplicates* and *replaced* are those of :func:`~faults.checker.check_log`.
        """
        log, violations = self.log()
        sending = Sending.from_entries(self.sending.update())
        resent = Segments(self.files).resent_of(log) if self.files is not None else ()
        violations += check_log(sending, log, duplicates=duplicates, replaced=replaced, resent=resent)
        if child is not None:
            violations += check_accounting(sending, child.report["accounting"])
        return violations

    # Consumers

    def start_consumer(self, who: str, kafka: dict[str, Any] | None = None, **settings: Any) -> Child:
        """Start a consumer under test, and return when it can be ended in order."""
        report = self._folder / f"report-{who}"
        everything = {
            "journal": str(self.reading.path),
            "report": str(report),
            "who": who,
            "kafka": self.kafka | (kafka or {}),
            "topics": [self.ticks],
        } | settings
        child = self.start("consumer_process", json.dumps(everything), report=report)
        eventually(lambda: [who] in list(self.reading.of("started")), "the consumer has started", 60)
        return child

    def committed(self, topic: str, partitions: int) -> dict[int, int]:
        """What the group has committed, asked from outside; nothing while the coordinator does not answer."""
        consumer = Consumer(_QUIET | {"bootstrap.servers": self.bootstrap, "group.id": self.group})
        try:
            answer = consumer.committed([TopicPartition(topic, n) for n in range(partitions)], timeout=10)
        except KafkaException:
            return {}
        finally:
            consumer.close()
        return {p.partition: p.offset for p in answer if p.error is None and p.offset >= 0}

    def note_committed(self, partitions: int = 2) -> None:
        """Write what the group has committed to the consumers' journal, as seen from outside."""
        journal = Journal(self.reading.path)
        for partition, offset in self.committed(self.ticks, partitions).items():
            journal.write("committed", self.ticks, partition, offset)

    def await_committed(self, topic: str, ends: dict[int, int], seconds: float = 90.0) -> None:
        """Wait until the group has committed these offsets."""
        deadline = time.monotonic() + seconds
        while (found := self.committed(topic, len(ends))) != ends:
            assert time.monotonic() < deadline, f"committed {found}, expected {ends} within {seconds} s"

    def close(self) -> None:
        """End what is left."""
        for child in self._children:
            child.kill()
            if child.process.stdin is not None:
                child.process.stdin.close()


def coordinator(bootstrap: str, group: str) -> int:
    """The node that manages a group, as soon as one does."""
    admin = AdminClient(_QUIET | {"bootstrap.servers": bootstrap})

    def asked() -> int | None:
        try:
            answer = admin.describe_consumer_groups([group], request_timeout=COORDINATOR_S)[group].result(10)
            return int(answer.coordinator.id)
        except (KafkaException, TimeoutError):
            return None

    found = eventually(asked, "a node manages the group", 60)
    assert found is not None
    return found


def of_topic(log: Log | Iterable[Place], topic: str) -> list[Place]:
    """The places of one topic."""
    return [place for place in log if place.topic == topic]
