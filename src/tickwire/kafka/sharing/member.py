"""A member of the group: a thread that takes part in it, and tells which parts come and go."""

import logging
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from math import inf
from typing import NamedTuple, Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from msgspec import DecodeError, Struct, json

from tickwire.config.alike import differing
from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import KafkaFailed, TickwireError
from tickwire.kafka.admin.rights import Need, require
from tickwire.kafka.admin.topics import Topics
from tickwire.kafka.clients import consumer_config, make
from tickwire.kafka.codes import DENIED, MISSING, PLACE_LOST, final_error, for_good
from tickwire.kafka.sharing.membership import SESSION_S, Membership

logger = logging.getLogger(__name__)

PARTS = 64
"""Partitions of the topic if we create it: the maximum number of members with symbols."""

HAND_OVER_S = 8.0
"""Time for the last records to be acknowledged in a hand-over."""

_POLL_S = 0.05
_PROMISE_S = 1.0
_REST_S = 10.0  # after a rebalance, until each part has a promise of its new owner
_COMPARE_S = 60.0
_ANSWER_S = 10.0  # the client answers earlier, if need be with an error
_ASK_S = 1.0
_KEEP_S = 2.0  # for the last promise before a part is released
_LOOK_S = 0.05
_STOOD_STILL_S = 3.0
_MISSED_AGAIN_S = 3.0  # promises are sent every second, and each is refused while the topic is missing
_LEAVE_S = 10.0

_SETTINGS = {
    "session.timeout.ms": int(SESSION_S * 1000),
    "heartbeat.interval.ms": 500,  # how soon members notice a rebalance
    # How long others wait for a member that hands over; one that takes longer is excluded.
    "max.poll.interval.ms": 30_000,
    "socket.timeout.ms": 5_000,  # less than a session: a node that is silent is given up in time to ask another one
    "statistics.interval.ms": 10_000,
}


class Served(Protocol):
    """Serves the parts. Called in the member's thread; each call returns when it is done or its time is over."""

    def outage(self) -> bool:
        """Whether Kafka acknowledges nothing now."""

    def floor(self) -> int:
        """An upper bound of this machine's epochs."""

    def marks(self) -> str:
        """The marks of our settings, see :func:`~tickwire.config.alike.marks`."""

    def hand_over(self, parts: frozenset[int], seconds: float) -> None:
        """Stop serving these, and wait until Kafka has acknowledged their last records."""

    def give_up(self, parts: frozenset[int]) -> None:
        """Stop serving these at once: others may have them. Send no more records of their books."""

    def changed(self, *, rebalanced: bool) -> None:
        """The parts may have changed; *rebalanced*: members came or went."""

    def failed(self, error: TickwireError) -> None:
        """End the run: this member cannot go on."""


class Promise(Struct, frozen=True):
    """The metadata of a commit: *member* has no epoch above *epoch*. *marks* are those of its settings."""

    epoch: int
    member: str
    marks: str = ""


class _Place(Struct, frozen=True):
    state: str = ""
    join_state: str = ""


class _Statistics(Struct, frozen=True):
    """What we read of the client's statistics (librdkafka's STATISTICS.md)."""

    cgrp: _Place = _Place()


class _Sent(NamedTuple):
    at: float
    promises: Mapping[int, int]


def topic_of(group: str) -> str:
    """The name of a group's topic, which is also the name of its Kafka group."""
    return f"tickwire.shares.{group}"


def prepare(config: KafkaConfig, group: str) -> int:
    """Make sure that the topic of a group exists and that we may read it; return its number of parts. Blocks.

    Raises :exc:`~tickwire.errors.KafkaFailed`.
    """
    name, topics = topic_of(group), Topics(config)
    if topics.view().embedded:
        raise KafkaFailed(
            "The embedded broker does not keep the metadata of commits, which --group needs: use Apache Kafka "
            "(`tickwire broker --apache`), or --workers instead of --group."
        )
    topics.ensure([name], partitions=PARTS)
    parts = topics.view().topics[name].partitions
    require(topics.cluster, config, [Need("READ", "topic", name), Need("READ", "group", name)])
    return parts


class Member(threading.Thread):
    """Takes part in *group* from :meth:`start` to :meth:`leave`, and notifies *served*; *name* is unique.

    The group's topic has *count* parts.
    """

    def __init__(
        self, config: KafkaConfig, group: str, name: str, count: int, membership: Membership, served: Served
    ) -> None:
        super().__init__(name="tickwire-group", daemon=True)
        self._config, self._group, self._topic = config, group, topic_of(group)
        self._ours, self._served = membership, served
        self._name, self._every = name, frozenset(range(count))
        self._sent: deque[_Sent] = deque()
        self._promise_at = 0.0
        self._assigned: set[int] = set()  # assigned by Kafka now
        self._unknown: set[int] = set()  # those of them whose last promise is not known yet
        self._told: set[int] = set()  # error codes already logged
        self._compare_at = inf
        self._missing_since, self._missing_at = inf, -inf  # when Kafka first and last said that there is no topic
        self._marks = served.marks()
        self._turn_at, self._stood_at = time.monotonic(), -inf
        self._differing: set[str] = set()
        self._stopping, self._settled = threading.Event(), threading.Event()
        self.joined = False  # an assignment came, even an empty one
        self._place = _Place()

    @property
    def client_state(self) -> str:
        """How far the client is with its place in the group, in librdkafka's words; seconds old."""
        return f"{self._place.state}, {self._place.join_state}"

    def stop(self) -> None:
        """Hand over no parts singly from now on, because :meth:`leave` follows."""
        self._stopping.set()

    def leave(self) -> None:
        """Leave the group, so that others get our parts at once; blocks. Call it when all records are acknowledged."""
        self._stopping.set()
        self._settled.set()
        self.join(_LEAVE_S)
        if self.is_alive():
            logger.warning("group.leave_hangs group=%s seconds=%g (others wait %g s)", self._group, _LEAVE_S, SESSION_S)

    def run(self) -> None:
        """Take part in the group until :meth:`leave`."""
        try:
            self._serve()
        except TickwireError as e:
            self._served.failed(e)
        except KafkaException as e:
            self._served.failed(for_good(e.args[0], self._topic))
        except Exception as e:
            logger.exception("group.defect group=%s", self._group)
            self._served.failed(KafkaFailed(f"A defect ended this member of {self._group} ({e!r}): run again."))

    def _serve(self) -> None:
        settings = consumer_config(self._config, self._topic) | _SETTINGS
        settings["client.id"] = f"{self._config.client_id}-tickwire-group"
        settings |= {"on_commit": self._answered, "error_cb": self._heard, "stats_cb": self._note_place}
        self._consumer = make(Consumer, settings)
        self._consumer.subscribe(
            [self._topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )
        try:
            while not self._settled.is_set():
                message = self._consumer.poll(_POLL_S)
                if message is not None and (error := message.error()) is not None:
                    self._heard(error)
                    final = final_error(error, self._topic, message.partition(), message.offset())
                    if final is not None and error.code() not in DENIED:  # a right may come back
                        raise final
                now = time.monotonic()
                self._awake(now)
                self._look(now)
        finally:
            parts = self._ours.parts
            self._keep_ends(parts)  # before closing: in callbacks during close() Kafka does not answer any more
            self._ours.take(parts)
            self._consumer.close()

    def _look(self, now: float) -> None:
        """Do what is due."""
        if self._missing_at - self._missing_since > SESSION_S:
            raise KafkaFailed(
                f"The topic {self._topic} is not in Kafka any more, and with it the promises of epochs have gone: stop "
                f"all members of the group {self._group}, then start them again, which creates it."
            )
        if self._unknown:
            self._learn()
        overdue = self._ours.overdue(now, outage=self._served.outage())
        if overdue:
            self._give_up(overdue, "the group has not given them to us again")
        if self._sent and now - self._sent[0].at > _ANSWER_S:
            self._sent.clear()
        if not self._sent and now >= self._promise_at:
            self._promise_at = now + _PROMISE_S
            if promises := self._ours.due(int(time.time() * 1000)):
                self._commit(promises)
        if now >= self._compare_at:
            self._compare_at = now + _COMPARE_S
            self._compare()

    # Promises

    def _commit(self, promises: Mapping[int, int]) -> None:
        said = {n: json.encode(Promise(epoch, self._name, self._marks)).decode() for n, epoch in promises.items()}
        offsets = [TopicPartition(self._topic, number, 0, metadata=text) for number, text in said.items()]
        self._sent.append(_Sent(time.monotonic(), promises))
        try:
            self._consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException as e:  # no coordinator now, or we are no member
            self._sent.pop()
            self._heard(e.args[0])

    def _answered(self, error: KafkaError | None, partitions: Sequence[TopicPartition]) -> None:
        sent = self._sent.popleft() if self._sent else None
        problem = error or next((p.error for p in partitions if p.error is not None), None)
        if problem is not None:
            self._heard(problem)
        elif sent is not None:
            self._told.clear()
            self._missing_since = inf
            self._ours.kept(sent.promises, sent.at)
            self._served.changed(rebalanced=False)

    def _learn(self) -> None:
        """Ask for the last promises of newly assigned parts, and serve these."""
        try:
            answers = self._consumer.committed(self._of(self._unknown), timeout=_ASK_S)
        except KafkaException as e:
            self._heard(e.args[0])
            return
        known = {p.partition: _read(p.metadata) for p in answers if p.error is None}
        again = {n for n, promise in known.items() if promise.member == self._name and self._ours.find(n)}
        lost = self._ours.parts & known.keys() - again
        if lost:
            self._give_up(frozenset(lost), "another member had them meanwhile")
        for number, promise in known.items():
            if number not in again:
                self._ours.give(number, max(promise.epoch, self._served.floor()))
        self._unknown -= known.keys()
        self._promise_at = 0.0
        self._served.changed(rebalanced=False)

    def _keep_ends(self, parts: Iterable[int]) -> None:
        """Promise the last epochs begun, and wait until Kafka has that; without it the next owner's epochs run ahead.

        Commit answers are not delivered in a callback during a poll, so the committed metadata is queried.
        """
        ends = self._ours.end(parts)
        until = time.monotonic() + _KEEP_S
        if not ends:
            return
        self._commit(ends)
        while (left := until - time.monotonic()) > 0:
            try:
                stored = self._consumer.committed(self._of(ends), timeout=left)
                if all(p.error is None and _read(p.metadata).epoch == ends[p.partition] for p in stored):
                    return
            except KafkaException as e:
                self._heard(e.args[0])
            time.sleep(_LOOK_S)
        words = "Kafka did not confirm in time; the next owner's epochs run ahead of its clock by seconds"
        logger.warning("group.ends_not_kept group=%s parts=%d (%s)", self._group, len(ends), words)

    def _compare(self) -> None:
        """Log the settings in which other members differ from this one."""
        try:
            answers = self._consumer.committed(self._of(self._every - self._ours.parts), timeout=_ASK_S)
        except KafkaException as e:
            self._heard(e.args[0])
            return
        theirs = {_read(p.metadata).marks for p in answers if p.error is None} - {""}
        self._marks = self._served.marks()  # the symbols may have changed (SIGHUP)
        names = {name for marks in theirs for name in differing(self._marks, marks)}
        if names and names != self._differing:
            told = self._group, ",".join(sorted(names))
            logger.warning("group.settings_differ group=%s what=%r (from another member's: give all the same)", *told)
        self._differing = names

    # Callbacks during a poll

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if not self._every.issuperset(p.partition for p in partitions):
            raise KafkaFailed(
                f"The topic {self._topic} has more partitions than the {len(self._every)} it had at the start of this "
                "member, which moves symbols to other shares: stop all members of the group, then start them again."
            )
        # The topic has no records; offset 0 saves a query of its end.
        consumer.incremental_assign([TopicPartition(self._topic, p.partition, 0) for p in partitions])
        consumer.pause([TopicPartition(self._topic, p.partition) for p in partitions])
        self._assigned.update(p.partition for p in partitions)
        self._unknown.update(p.partition for p in partitions)
        if gone := self._ours.lost - self._assigned:
            self._give_up(gone, "others have them")
        self.joined = True
        self._compare_at = time.monotonic() + _REST_S
        self._served.changed(rebalanced=True)

    def _on_revoke(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        parts = self._forget(partitions)
        self._ours.end(parts)
        if self._stopping.is_set():
            self._settled.wait(HAND_OVER_S)
        else:
            self._served.hand_over(parts, HAND_OVER_S)
        self._keep_ends(parts)
        self._ours.take(parts)
        self._served.changed(rebalanced=False)

    def _on_lost(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        parts = self._forget(partitions)
        now = time.monotonic()
        # If the coordinator did not answer for a session, probably nobody else has the parts: serve them until it
        # answers, but at most for another session once Kafka acknowledges records.
        silent = self._awake(now) and not self._ours.sure(now) and not self._told & DENIED
        if silent or self._served.outage():
            self._ours.lose(parts)
            logger.warning("group.away group=%s parts=%d (no answer; served on for now)", self._group, len(parts))
        else:
            self._ours.doubt()
            self._give_up(parts, "the group has taken them away")
        self._served.changed(rebalanced=False)

    def _awake(self, now: float) -> bool:
        """Whether this thread did not stand still (a frozen process) during the last session; called every turn."""
        if now - self._turn_at > _STOOD_STILL_S:
            self._stood_at = now
        self._turn_at = now
        return now - self._stood_at > SESSION_S

    def _note_place(self, statistics: str) -> None:
        self._place = json.decode(statistics, type=_Statistics).cgrp

    def _forget(self, partitions: Iterable[TopicPartition]) -> frozenset[int]:
        parts = frozenset(p.partition for p in partitions)
        self._assigned -= parts
        self._unknown -= parts
        return parts

    def _give_up(self, parts: frozenset[int], why: str) -> None:
        logger.warning("group.lost group=%s parts=%d (%s)", self._group, len(parts), why)
        self._ours.end(parts)
        self._served.give_up(parts)
        self._ours.take(parts)

    def _of(self, parts: Iterable[int]) -> list[TopicPartition]:
        return [TopicPartition(self._topic, number) for number in sorted(parts)]

    def _heard(self, error: KafkaError) -> None:
        """Log a client error, each code once until a commit is accepted; the client recovers by itself.

        Lost membership is reported to a callback, and refused commits during a rebalance are normal: neither is logged.
        """
        if error.code() in MISSING:
            self._miss(time.monotonic())
        if error.code() not in self._told and error.code() not in PLACE_LOST:
            self._told.add(error.code())
            logger.warning("group.trouble group=%s code=%s error=%r", self._group, error.name(), error.str())

    def _miss(self, now: float) -> None:
        """Note that Kafka says that there is no topic; once alone it may be a node that has just started."""
        if self._missing_since == inf or now - self._missing_at > _MISSED_AGAIN_S:
            self._missing_since = now
        self._missing_at = now


def _read(metadata: str | None) -> Promise:
    try:
        return json.decode(metadata or "", type=Promise)
    except DecodeError:  # no promise yet, or metadata of other software
        return Promise(0, "")
