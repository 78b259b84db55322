"""The consumer under test in a process of its own; its handler, its commits and its dead letters go to a journal.

The argument is JSON, see :class:`Settings`. Records that are no market events are rejected. SIGTERM ends it in order.
"""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import confluent_kafka
import msgspec

from faults.journal import Journal
from faults.lifeline import end_with_parent
from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import TickwireError


class Settings(msgspec.Struct, kw_only=True):
    """What to do. ``client`` are properties of librdkafka that win over ours.

    ``die`` names a step (``before_handling``, ``after_handling``, ``after_dead_letter``, ``before_commit``,
    ``after_commit``) and how many times it comes until the process kills itself there. ``hold`` is the number of a
    handled record after which the handler waits until the file ``held`` exists.
    """

    journal: str
    report: str
    who: str
    kafka: dict[str, Any]
    topics: list[str]
    client: dict[str, Any] = {}
    die: tuple[str, int] = ("", 0)
    hold: int = -1
    held: str = ""
    slow_ms: float = 0.0
    texts: bool = False  # journal every event's JSON text, too
    most_backoff: float = 5.0  # seconds


class Steps:
    """Counts the steps, and dies at the one that was asked for."""

    def __init__(self, step: str, count: int) -> None:
        self._step, self._left = step, count

    def at(self, step: str) -> None:
        if step == self._step:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def patch_library(settings: Settings, journal: Journal, steps: Steps) -> None:
    """Let ``Consumer`` and ``Producer`` journal commits before they are sent, and dead letters as they arrive."""
    consumer_class, producer_class = confluent_kafka.Consumer, confluent_kafka.Producer

    class NotingConsumer(consumer_class):  # type: ignore[misc, valid-type]
        def __init__(self, properties: dict[str, Any]) -> None:
            super().__init__(properties | settings.client)

        def commit(self, message: Any = None, offsets: Any = None, asynchronous: bool = True) -> Any:
            steps.at("before_commit")
            for p in offsets or ():
                journal.write("commit", settings.who, p.topic, p.partition, p.offset)
            answer = super().commit(offsets=offsets, asynchronous=asynchronous)
            steps.at("after_commit")
            return answer

    class NotingProducer(producer_class):  # type: ignore[misc, valid-type]
        def produce(self, topic: str, value: Any, key: Any, *, headers: Any, on_delivery: Any) -> None:
            source = dict(headers)

            def note(error: Any, delivered: Any) -> None:
                if error is None:
                    place = (int(source[name]) for name in ("source_partition", "source_offset"))
                    journal.write("dead_letter", settings.who, source["source_topic"].decode(), *place)
                    steps.at("after_dead_letter")
                on_delivery(error, delivered)

            super().produce(topic, value, key, headers=headers, on_delivery=note)

    confluent_kafka.Consumer = NotingConsumer  # type: ignore[assignment, misc]
    confluent_kafka.Producer = NotingProducer  # type: ignore[misc]


class Handler:
    """Journals a record once it is handled."""

    def __init__(self, settings: Settings, journal: Journal, steps: Steps) -> None:
        self._settings, self._journal, self._steps = settings, journal, steps
        self._count = 0

    def __call__(self, record: Any) -> None:
        settings = self._settings
        self._count += 1
        self._steps.at("before_handling")
        text = msgspec.json.encode(record.event).decode()  # raises when it is none
        if settings.texts:
            self._journal.write("text", record.topic, record.partition, record.offset, text)
        if self._count == settings.hold:
            self._journal.write("holding", settings.who, record.topic, record.partition, record.offset)
            while not Path(settings.held).exists():
                time.sleep(0.01)
        if settings.slow_ms:
            time.sleep(settings.slow_ms / 1000)
        self._journal.write("handled", settings.who, record.topic, record.partition, record.offset)
        self._steps.at("after_handling")

    def revoked(self, topic: str, partition: int) -> None:
        self._journal.write("revoked", self._settings.who, topic, partition)


def note_waiting(settings: Settings, journal: Journal) -> None:
    """Journal each wait for the schema registry, and let none be longer than asked for."""
    from tickwire.kafka.consuming import processing  # noqa: PLC0415 - after Consumer was replaced

    wait_for = processing.Processor._wait_for_registry

    def wait_and_note(self: Any, assigned: Any, where: str, error: Any) -> float:
        seconds = wait_for(self, assigned, where, error)
        journal.write("waits", settings.who, *assigned.partition, _public_name(error))
        return seconds

    processing.MOST_BACKOFF_SECONDS = settings.most_backoff
    processing.Processor._wait_for_registry = wait_and_note  # type: ignore[method-assign]


def main() -> None:
    end_with_parent()
    settings = msgspec.json.decode(sys.argv[1], type=Settings)
    journal = Journal(settings.journal)
    steps = Steps(*settings.die)
    patch_library(settings, journal, steps)
    from tickwire.kafka.consuming.consumer import run_kafka_consumer  # noqa: PLC0415 - after Consumer was replaced

    note_waiting(settings, journal)
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    journal.write("started", settings.who)
    report: dict[str, Any] = {"error": None}
    try:
        result = run_kafka_consumer(
            KafkaConfig(enabled=True, **settings.kafka),
            topics=settings.topics,
            handler=Handler(settings, journal, steps),
            stopping=stopping.is_set,
        )
        report |= result.to_json()
    except TickwireError as error:
        report |= {"error": _public_name(error), "sentence": str(error)}
    journal.write("ended", settings.who)
    journal.sync()
    Path(settings.report).write_text(json.dumps(report))
    sys.exit(1 if report["error"] else 0)


def _public_name(error: TickwireError) -> str:
    """What users know the error as."""
    return next(kind.__name__ for kind in type(error).__mro__ if not kind.__name__.startswith("_"))


if __name__ == "__main__":
    main()
