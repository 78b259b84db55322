"""Replays dead letters: sends them back to their topics, at least once, in the order of each key.

Handled letters are committed batch by batch after their acknowledgement, so a killed run repeats at most
:data:`BATCH_RECORDS` records and loses none. A run ends at the letters that were there when it began.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from confluent_kafka import KafkaError

from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import KafkaFailed, TickwireError
from tickwire.kafka.admin.rights import Need, require
from tickwire.kafka.admin.topics import Topics
from tickwire.kafka.causes import said
from tickwire.kafka.dead_letters.headers import rfc3339
from tickwire.kafka.dead_letters.reader import DeadLetterReader, Range
from tickwire.kafka.dead_letters.replay.group import GROUP, ReplayGroup
from tickwire.kafka.dead_letters.replay.handled import METADATA_BYTES
from tickwire.kafka.dead_letters.replay.outbox import NOT_SENT, Outbox, Parcel
from tickwire.kafka.dead_letters.replay.recall import sent_before
from tickwire.kafka.dead_letters.replay.routes import ReplayRules, Route, Router, quarantine_topic, replay_headers
from tickwire.kafka.dead_letters.selection import DeadLetter

logger = logging.getLogger(__name__)

BATCH_RECORDS = 100
_BATCH_BYTES = 8 * 1024 * 1024
_SLICE_S = 0.2

End: TypeAlias = Literal["end", "limit", "signal", "failure"]


@dataclass(slots=True)
class ReplayReport:
    """The results of a run. In a dry run nothing is sent."""

    replay_id: str
    executed: bool
    routes: Counter[tuple[Route, str]] = field(default_factory=Counter)  # selected letters by route and error type
    sent: Counter[str] = field(default_factory=Counter)  # acknowledged, by topic
    earlier: int = 0  # handled by an earlier run
    not_selected: int = 0
    ended: End = "failure"
    positions: dict[int, int] = field(default_factory=dict)  # everything before these offsets is handled
    ranges: list[Range] = field(default_factory=list)


class ReplayFull(TickwireError):
    """Too many letters were replayed out of order to be remembered."""

    def __str__(self) -> str:
        return (
            "Stopped, because which dead letters were left out no longer fits into what Kafka keeps with an offset "
            f"({METADATA_BYTES} bytes): replay or purge the older ones, then run again."
        )


class Replay:
    """One run; :attr:`report` has its results, also after an error."""

    def __init__(
        self,
        config: KafkaConfig,
        rules: ReplayRules,
        *,
        execute: bool,
        replay_id: str,
        stopping: Callable[[], bool] = lambda: False,
        looked: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> None:
        """*looked* is called with the number of offsets read so far and in all."""
        self._config = config
        self._rules = rules
        self._stopping = stopping
        self._looked = looked
        self.report = ReplayReport(replay_id, execute)
        self._batch: list[tuple[DeadLetter, Route]] = []
        self._batch_bytes = self._chosen = 0
        self._quarantine_ready = False
        self._begin = 0.0
        self._recalled: set[str] | None = None

    def run(self) -> ReplayReport:
        """Read from where earlier runs ended to the current ends, and send what the rules select.

        Raises :exc:`~tickwire.errors.UsageError` for a target that is not allowed, ``ReplayBusy``,
        :exc:`ReplayFull` and :exc:`~tickwire.errors.KafkaFailed` at the first record that cannot be sent.
        """
        topic, report = self._config.dlq_topic, self.report
        self._topics = Topics(self._config)
        view = self._topics.view()
        self._router = Router(self._config, self._rules, view.topics)
        with ExitStack() as stack:
            self._reader = reader = stack.enter_context(DeadLetterReader(self._config, topic))
            if not reader.ranges:
                report.ended = "end"
                return report
            needed = Need("READ" if report.executed else "DESCRIBE", "group", GROUP)
            require(self._topics.cluster, self._config, [needed])
            self._group = ReplayGroup(self._config, topic)
            stack.callback(self._group.close)
            if report.executed and not self._group.join(set(reader.ranges), self._stopping):
                report.ended = "signal"
                return report
            self._handled = self._group.handled({n: (part.start, part.end) for n, part in reader.ranges.items()})
            reader.start_at({number: handled.position for number, handled in self._handled.items()})
            report.ranges = list(reader.ranges.values())
            if view.embedded:
                self._recalled = sent_before(self._config, view.topics)
            if report.executed:
                self._group.test(self._handled)
                self._outbox = Outbox(self._config)
            self._begin = time.monotonic()
            try:
                self._read_all()
            finally:
                report.positions = {number: handled.position for number, handled in self._handled.items()}
        return report

    def _read_all(self) -> None:
        total = sum(part.end - part.start for part in self.report.ranges)
        done = 0
        ended: End = "end"
        for part in self.report.ranges:
            if (ended := self._read(part, done, total)) != "end":
                break
            done += part.end - part.start
        if self.report.executed:
            self._flush()
            self._group.commit(self._handled)
        self.report.ended = ended

    def _read(self, part: Range, done: int, total: int) -> End:
        handled, expected = self._handled[part.partition], part.start
        for record in self._reader.read(part):
            if self._stopping():
                part.reached = record.offset
                return "signal"
            handled.add(expected, record.offset)  # offsets without a record
            expected = record.offset + 1
            self._looked(done + expected - part.start, total)
            if record.offset in handled:
                self.report.earlier += 1
                continue
            letter = DeadLetter.of(record)
            if self._recalled is not None and letter.id in self._recalled:
                self.report.earlier += 1
                handled.add(record.offset, record.offset + 1)
                continue
            if not self._rules.selection.matches(letter):
                self.report.not_selected += 1
                continue
            route = self._router.route(letter)
            if route.action != "stay":
                if self._chosen == self._rules.limit:
                    part.reached = record.offset
                    return "limit"
                self._chosen += 1
                if self.report.executed:
                    self._take(letter, route)
            self.report.routes[route, letter.ours.get("error_type", "")] += 1
        handled.add(expected, part.end)
        return "end"

    def _take(self, letter: DeadLetter, route: Route) -> None:
        self._batch.append((letter, route))
        self._batch_bytes += len(letter.record.value or b"")
        rate = self._rules.rate
        most = BATCH_RECORDS if rate is None else max(1, min(BATCH_RECORDS, int(rate)))
        if len(self._batch) >= most or self._batch_bytes >= _BATCH_BYTES:
            self._flush()

    def _flush(self) -> None:
        """Send the batch, wait for its acknowledgements, then commit what was acknowledged."""
        batch, self._batch, self._batch_bytes = self._batch, [], 0
        if not batch:
            return
        self._wait_for_rate()
        self._group.check()
        after = {number: handled.copy() for number, handled in self._handled.items()}
        for letter, _ in batch:
            after[letter.record.partition].add(letter.record.offset, letter.record.offset + 1)
        if self._recalled is None and not all(map(self._group.has_room, after.values())):
            raise ReplayFull
        if not self._quarantine_ready and any(route.action == "quarantine" for _, route in batch):
            self._topics.ensure([quarantine_topic(self._config)], self._quarantine_settings)
            self._quarantine_ready = True
        errors = self._outbox.send([self._parcel(letter, route) for letter, route in batch])
        failed = self._note(batch, errors)
        self._group.commit(self._handled)
        if failed is not None:
            raise failed

    def _quarantine_settings(self) -> dict[str, str]:
        """Settings that keep letters for ever and take all that the dead-letter topic takes."""
        largest = self._topics.describe(self._config.dlq_topic).largest_message
        room = {} if largest is None else {"max.message.bytes": str(largest)}
        return {"cleanup.policy": "delete", "retention.ms": "-1"} | room

    def _parcel(self, letter: DeadLetter, route: Route) -> Parcel:
        if route.action == "quarantine":
            return Parcel(letter.record, route.topic, [*letter.record.headers])  # unchanged
        headers = replay_headers(letter, self.report.replay_id, rfc3339(time.time()))
        return Parcel(letter.record, route.topic, headers)

    def _note(self, batch: list[tuple[DeadLetter, Route]], errors: list[KafkaError | None]) -> KafkaFailed | None:
        """Note the results; return the first failure."""
        failed = None
        for (letter, route), error in zip(batch, errors, strict=True):
            record = letter.record
            if error is None:
                self._handled[record.partition].add(record.offset, record.offset + 1)
                self.report.sent[route.topic] += 1
            elif failed is None and error is not NOT_SENT:
                failed = KafkaFailed(
                    f"The dead letter at partition {record.partition} offset {record.offset} could not be sent to "
                    f"{route.topic} ({said(error)}), so the replay stopped: correct that and run again."
                )
        return failed

    def _wait_for_rate(self) -> None:
        """Wait until the rate allows the next batch, or a signal comes."""
        if self._rules.rate is None:
            return
        due = self._begin + sum(self.report.sent.values()) / self._rules.rate
        while (left := due - time.monotonic()) > 0 and not self._stopping():
            self._group.check()
            time.sleep(min(left, _SLICE_S))
