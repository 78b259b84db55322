"""Whether anything was lost, repeated, reordered or committed too early, from journals alone. Pure.

The names of the violations are Jepsen's where it has one (https://github.com/jepsen-io/jepsen, ``jepsen.tests.kafka``).
Every message carries a number of its own: ``sequence``, which grows by one a key of a topic. Runs differ in their keys.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from faults.journal import Entry


class Message(NamedTuple):
    """Names a message: the *number*-th of its key."""

    topic: str
    key: str
    number: int


class Place(NamedTuple):
    """Names a place in the log."""

    topic: str
    partition: int
    offset: int


class Content(NamedTuple):
    """What stands at a place. ``action``, ``epoch`` and ``book_seq`` are those of an order book, else None."""

    key: str
    number: int
    action: str | None = None
    epoch: int | None = None
    book_seq: int | None = None
    received_us: int | None = None
    timestamp_ms: int | None = None  # Kafka's


class Violation(NamedTuple):
    """One broken promise."""

    name: str
    detail: str


Log = Mapping[Place, Content]


class Sending(NamedTuple):
    """What a producer did: messages it was given, those acknowledged (and where, if told), those refused for good.

    A message that a lost producer gave back, and that the next one delivered, is not refused. *in_doubt* is how often
    each was in flight when a producer was given up: Kafka may have it from each of them.
    """

    accepted: Sequence[Message]
    acknowledged: Mapping[Message, Place | None]
    refused: frozenset[Message]
    in_doubt: Mapping[Message, int] = MappingProxyType({})

    @classmethod
    def from_entries(cls, entries: Iterable[Entry]) -> "Sending":
        """Read ``sent``, ``acked``, ``refused`` and ``in_doubt`` entries."""
        accepted: list[Message] = []
        acknowledged: dict[Message, Place | None] = {}
        refused: set[Message] = set()
        in_doubt: Counter[Message] = Counter()
        for kind, *fields in entries:
            match kind, fields:
                case "sent", [topic, key, number]:
                    accepted.append(Message(topic, key, number))
                case "acked", [topic, key, number, partition, offset]:
                    known = offset is not None and offset >= 0
                    acknowledged[Message(topic, key, number)] = Place(topic, partition, offset) if known else None
                case "refused", [topic, key, number, *_]:
                    refused.add(Message(topic, key, number))
                case "in_doubt", [topic, key, number]:
                    in_doubt[Message(topic, key, number)] += 1
        return cls(accepted, acknowledged, frozenset(refused - acknowledged.keys()), in_doubt)


def read_log(entries: Iterable[Entry]) -> tuple[dict[Place, Content], list[Violation]]:
    """Read ``seen`` entries of one or more readers, who must agree on what stands where."""
    log: dict[Place, Content] = {}
    violations: list[Violation] = []
    for kind, *fields in entries:
        if kind == "seen":
            place, content = Place(*fields[:3]), Content(*fields[3:])
            before = log.setdefault(place, content)
            if before != content:
                violations.append(Violation("inconsistent-offsets", f"{place}: first {before}, then {content}"))
    return log, violations


def check_log(
    sending: Sending, log: Log, *, duplicates: int = 0, replaced: bool = False, resent: Collection[Place] = ()
) -> list[Violation]:
    """I1 to I3: all that was acknowledged is in the log, once, in the order of its key; books have no hidden hole.

    *duplicates* is how many messages may stand there twice. Where producers were *replaced*, each message may do so
    once more for each of them that had it in flight at its end, and no other may. The places of copies that the
    client library *resent* count for nothing but the acknowledgement.
    """
    violations: list[Violation] = []
    accepted = set(sending.accepted)
    copies: Counter[Message] = Counter()
    keys: dict[tuple[str, str], list[tuple[Place, Content]]] = defaultdict(list)
    for place, content in sorted(log.items()):
        message = Message(place.topic, content.key, content.number)
        if message not in accepted:
            violations.append(Violation("phantom", f"{message} at {place} was never sent"))
        if place in resent:
            continue
        copies[message] += 1
        keys[place.topic, content.key].append((place, content))
    violations += _check_acknowledged(sending, log, copies)
    doubts = sending.in_doubt if replaced else {}
    repeated = [message for message, count in copies.items() for _ in range(count - 1 - doubts.get(message, 0))]
    if len(repeated) > duplicates:
        violations += (Violation("duplicate", f"{message}") for message in repeated)
    for key, contents in keys.items():
        violations += _check_order(key, contents)
        violations += _check_book(key, [content for _, content in contents], sending.refused)
    return violations


def _check_acknowledged(sending: Sending, log: Log, copies: Mapping[Message, int]) -> Iterator[Violation]:
    """What was acknowledged is there, and where it was said to be."""
    for message, told in sending.acknowledged.items():
        if message not in copies:
            yield Violation("lost-write", f"{message} was acknowledged and is not in the log")
        elif told is not None and (there := log.get(told)) is not None:
            if (there.key, there.number) != (message.key, message.number):
                yield Violation("inconsistent-offsets", f"{message} was said to be at {told}: {there}")
        elif told is not None:
            yield Violation("inconsistent-offsets", f"{message} is not at {told} as said")


def _check_order(key: tuple[str, str], contents: Sequence[tuple[Place, Content]]) -> list[Violation]:
    """First occurrences grow, and a key stays in its partition."""
    violations = []
    if len({place.partition for place, _ in contents}) > 1:
        violations.append(Violation("split-key", f"{key} is in more than one partition"))
    seen: set[int] = set()
    last = -1
    for place, content in contents:
        if content.number in seen:
            continue
        if content.number < last:
            violations.append(Violation("nonmonotonic-send", f"{key}: {content.number} after {last} at {place}"))
        seen.add(content.number)
        last = max(last, content.number)
    return violations


def _check_book(key: tuple[str, str], contents: Sequence[Content], refused: frozenset[Message]) -> list[Violation]:
    """A book's numbers grow by one from its snapshot; what is missing is followed by no delta that hides it.

    Deltas that were on their way when Kafka refused the one before them cannot be called back: then the hole must be
    closed, by ``invalid`` or the next epoch.
    """
    violations: list[Violation] = []
    seen: set[int] = set()
    epoch, expected, open_hole = -1, 0, ""
    for content in contents:
        if content.epoch is None or content.book_seq is None or content.number in seen:
            continue
        seen.add(content.number)
        if content.epoch < epoch:
            violations.append(Violation("nonmonotonic-send", f"{key}: epoch {content.epoch} after {epoch}"))
        elif content.epoch > epoch and content.action == "delta":
            violations.append(Violation("hole-in-book", f"{key}: epoch {content.epoch} begins with {content}"))
        elif content.epoch == epoch and content.book_seq != expected and content.action == "delta":
            open_hole = f"{key}: epoch {epoch} goes from {expected - 1} to {content}"
            if not any((*key, number) in refused for number in range(content.number)):
                violations.append(Violation("hole-in-book", open_hole))
        if content.action != "delta":
            open_hole = ""
        epoch, expected = max(epoch, content.epoch), content.book_seq + 1
    if open_hole:
        violations.append(Violation("hole-in-book", f"{open_hole}, and nothing closes it"))
    return violations


def check_accounting(sending: Sending, account: Mapping[str, Mapping[str, int]]) -> list[Violation]:
    """I5: every message ends once, and the publisher's numbers are those of the journal, topic by topic."""
    violations = []
    for topic, numbers in account.items():
        accepted = sum(message.topic == topic for message in sending.accepted)
        acknowledged = sum(message.topic == topic for message in sending.acknowledged)
        refused = sum(message.topic == topic for message in sending.refused)
        ended = sum(count for name, count in numbers.items() if name != "events")
        for name, said, least, most in (
            ("events", numbers["events"], accepted, accepted),
            ("acknowledged", numbers["acknowledged"], acknowledged, acknowledged),
            ("failed", numbers["failed"], 0, refused),
            ("outcomes", ended, accepted, accepted),
        ):
            if not least <= said <= most:
                violations.append(Violation("accounting", f"{topic}: {name} {said}, the journal has {most}"))
    return violations


def check_reading(log: Iterable[Place], entries: Iterable[Entry], *, duplicates: int | None = 0) -> list[Violation]:
    """I1, I3, I4 of consumers: all is handled or a dead letter, in order, and commits never pass what is unfinished.

    *log* are the places that the group had to read. *duplicates* is how many records may be handled more than once in
    all, None for any number. Entries are ``handled`` and ``dead_letter`` (who, topic, partition, offset), ``revoked``
    (who, topic, partition), ``commit`` (who, topic, partition, offset: about to be committed) and ``committed``
    (topic, partition, offset: seen from outside), in the order in which they happened.
    """
    reading = _Reading(log)
    for entry in entries:
        match entry:
            case ["handled" | "dead_letter", who, topic, partition, offset]:
                reading.done(who, Place(topic, partition, offset))
            case ["revoked", who, topic, partition]:
                reading.forget(who, (topic, partition))
            case ["commit", who, topic, partition, offset]:
                reading.commit(who, (topic, partition), offset)
            case ["committed", topic, partition, offset]:
                reading.commit("Kafka", (topic, partition), offset)
    return reading.end(duplicates)


class _Reading:
    """What consumers have done so far."""

    def __init__(self, log: Iterable[Place]) -> None:
        self._offsets: dict[tuple[str, int], list[int]] = defaultdict(list)
        for topic, partition, offset in sorted(log):
            self._offsets[topic, partition].append(offset)
        self._lowest: dict[tuple[str, int], int] = defaultdict(int)  # index of the lowest unfinished offset
        self._times: Counter[Place] = Counter()
        self._last: dict[tuple[str, str, int], int] = {}
        self._commits: dict[tuple[str, str, int], int] = {}
        self._violations: list[Violation] = []

    def done(self, who: str, place: Place) -> None:
        last = self._last.get((who, place.topic, place.partition))
        if last is not None and place.offset <= last:
            self._add("nonmonotonic-poll", f"{who}: {place} after {last}")
        elif last is not None and any(last < o < place.offset for o in self._near(place)):
            self._add("poll-skip", f"{who}: {place} directly after {last}")
        self._last[who, place.topic, place.partition] = place.offset
        self._times[place] += 1

    def forget(self, who: str, partition: tuple[str, int]) -> None:
        self._last.pop((who, *partition), None)
        self._commits.pop((who, *partition), None)

    def commit(self, who: str, partition: tuple[str, int], offset: int) -> None:
        if offset < self._commits.get((who, *partition), -1):
            self._add("commit-fell", f"{who}: {partition} from {self._commits[who, *partition]} to {offset}")
        self._commits[who, *partition] = offset
        offsets, index = self._offsets[partition], self._lowest[partition]
        while index < len(offsets) and self._times[Place(*partition, offsets[index])]:
            index += 1
        self._lowest[partition] = index
        if index < len(offsets) and offsets[index] < offset:
            self._add("commit-ahead", f"{who}: {partition} at {offset} while {offsets[index]} is unfinished")

    def end(self, duplicates: int | None) -> list[Violation]:
        for partition, offsets in self._offsets.items():
            for offset in offsets:
                if not self._times[Place(*partition, offset)]:
                    self._add("unseen", f"{partition} offset {offset} was never handled")
        repeated = sum(count - 1 for count in self._times.values() if count > 1)
        if duplicates is not None and repeated > duplicates:
            self._add("duplicate", f"{repeated} records were handled again, expected at most {duplicates}")
        return self._violations

    def _near(self, place: Place) -> Sequence[int]:
        """The offset in the log right before *place*, as a list."""
        offsets = self._offsets[place.topic, place.partition]
        index = bisect_left(offsets, place.offset)
        return offsets[max(0, index - 1) : index]

    def _add(self, name: str, detail: str) -> None:
        self._violations.append(Violation(name, detail))


def names(violations: Iterable[Violation]) -> set[str]:
    """The names alone."""
    return {violation.name for violation in violations}
