"""The accounting of a soak, from journals, reports and the exchanges' own books. Pure: sentences are violations."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from faults.checker import Content, Place
from tickwire.cli.accounting import same_book, total_outcomes
from tickwire.kafka.consuming.processing import MAX_UNCOMMITTED

# OKX is asked for a snapshot over REST and over the socket at once where the socket's is two seconds late; on a busy
# machine the second one was seen to come 1.2 s behind the first.
REPLACED_US = 2_000_000

Books = Mapping[str, Mapping[str, Any]]


class Stored(NamedTuple):
    """What a producer's key prefix has in a topic: records, different messages among them, and where copies are."""

    records: int
    messages: int
    copies: Sequence[tuple[Place, Place]] = ()  # the first one, and one that came later
    resent: int = 0  # of them, those that the client library sent again

    @property
    def duplicates(self) -> int:
        """Records that were there before."""
        return self.records - self.messages


def stored(log: Mapping[Place, Content], resent: Collection[Place] = ()) -> dict[tuple[str, str], Stored]:
    """Count the log by exchange and topic. A message is named by its key, its time of arrival and its numbers."""
    records: Counter[tuple[str, str]] = Counter()
    messages: dict[tuple[str, str], dict[Content, Place]] = defaultdict(dict)
    copies: dict[tuple[str, str], list[tuple[Place, Place]]] = defaultdict(list)
    for place, content in sorted(log.items()):
        whose = content.key.partition("|")[0], place.topic
        records[whose] += 1
        if (first := messages[whose].setdefault(content, place)) is not place:
            copies[whose].append((first, place))
    return {
        whose: Stored(count, len(messages[whose]), copies[whose], sum(again in resent for _, again in copies[whose]))
        for whose, count in records.items()
    }


def judge_producer(
    exchange: str,
    report: Mapping[str, Any],
    found: Mapping[tuple[str, str], Stored],
    replaced: int,
    queue: int,
    *,
    full: bool = False,
) -> list[str]:
    """Compare a producer's accounting with the log. Copies come of *replaced* producers and of the client library only.

    One whose disk was *full* has dropped records, and says so; other ones have not.
    """
    wrong = []
    events, outcomes = sum(report["events"].values()), total_outcomes(report)
    if events != sum(outcomes.values()):
        wrong.append(f"{exchange}: {events} events, but {sum(outcomes.values())} outcomes: {outcomes}")
    wrong += [
        f"{exchange}: {outcomes[name]} records {name.replace('_', ' ')}, expected none"
        for name in ("dropped", "failed", "spilled", "in_flight")
        if outcomes[name] and not (full and name == "dropped")
    ]
    if report["callback_errors"]:
        wrong.append(f"{exchange}: {report['callback_errors']} errors of callbacks")
    for topic, account in report["topics"].items():
        there = found.get((exchange, topic), Stored(0, 0))
        if account["acknowledged"] != there.messages:
            wrong.append(f"{exchange}: {account['acknowledged']} acknowledged, {there.messages} messages in {topic}")
        if there.duplicates - there.resent > replaced * queue:
            copies = "; ".join(f"{a.partition}: {a.offset}, {b.offset}" for a, b in there.copies[:5])
            wrong.append(
                f"{exchange}: {there.duplicates} copies in {topic} (partition: offsets {copies}), "
                f"{there.resent} by the client library, {replaced} producers were replaced"
            )
    return wrong


def judge_collectors(
    exchange: str, reports: Iterable[Mapping[str, Any]], found: Mapping[tuple[str, str], Stored]
) -> list[str]:
    """Compare the accounting of members that ended in order with the log. One that was killed left none.

    What an end left on its disk is the next life's.
    """
    wrong = []
    acknowledged: Counter[str] = Counter()
    for report in reports:
        events, outcomes = sum(report["events"].values()), total_outcomes(report)
        if events != sum(outcomes.values()):
            wrong.append(f"{exchange}: {events} events of a member, but {sum(outcomes.values())} outcomes: {outcomes}")
        wrong += [
            f"{exchange}: {outcomes[name]} records of a member {name.replace('_', ' ')}, expected none"
            for name in ("dropped", "failed", "in_flight")
            if outcomes[name]
        ]
        acknowledged.update({topic: account["acknowledged"] for topic, account in report["topics"].items()})
    return wrong + [
        f"{exchange}: members had {count} acknowledged, {there} messages in {topic}"
        for topic, count in acknowledged.items()
        if count > (there := found.get((exchange, topic), Stored(0, 0)).messages)
    ]


def judge_order(
    log: Mapping[Place, Content],
    steps_s: Mapping[str, int] | None = None,
    shared: Collection[str] = (),
    full: Collection[str] = (),
) -> list[str]:
    """Check that each key is in order: times never fall, a book's numbers grow by one from its snapshot.

    A book's ``received_us`` may fall: changes that wait for their snapshot came before it. Times fall where the clock
    was set: *steps_s* has the least step of an exchange, and half of one is no other reason's. Of *shared* exchanges,
    which members read in turn, a member that was frozen or killed writes some changes of old epochs late: there each
    epoch is whole, and none begins behind a newer one. Where a disk was *full*, what it refused is a hole; behind it
    stands ``invalid`` or a snapshot. Times that Kafka did not take are those of sending there.
    """
    wrong: list[str] = []
    keys: dict[tuple[str, int, str], list[Content]] = defaultdict(list)
    for place, content in sorted(log.items()):
        keys[place.topic, place.partition, content.key].append(content)
    for (topic, _, key), contents in keys.items():
        first = list(dict.fromkeys(contents))
        book = [content for content in first if content.epoch is not None]
        exchange = key.partition("|")[0]
        if exchange in shared:
            wrong += _judge_shared_book(key, book)
            continue
        if exchange in full:
            wrong += _judge_book(key, book, full=True)
            continue
        step_ms = 1000 * (steps_s or {}).get(exchange, 0)
        stored_at = [content.timestamp_ms or 0 for content in first]
        tickers_at = [(content.received_us or 0) // 1000 for content in first if content.epoch is None]
        if _goes_back(stored_at, step_ms) or _goes_back(tickers_at, step_ms):
            wrong.append(f"{key} in {topic}: times go back")
        wrong += _judge_book(key, book)
    whose = Counter((topic, key) for topic, _, key in keys)
    return wrong + [f"{key} in {topic} is in more than one partition" for (topic, key), n in whose.items() if n > 1]


def _goes_back(times_ms: Sequence[int], step_ms: int) -> bool:
    """Whether a time is before the one in front, by less than half a step of the clock, if that was set."""
    falls = [early - late for early, late in pairwise(times_ms) if late < early]
    return any(not step_ms or fall < step_ms / 2 for fall in falls)


def _judge_shared_book(key: str, contents: Sequence[Content]) -> list[str]:
    epochs: dict[int, list[Content]] = defaultdict(list)
    for content in contents:
        epochs[content.epoch or 0].append(content)
    wrong = [sentence for whole in epochs.values() for sentence in _judge_book(key, whole)]
    return wrong + [
        f"{key}: epoch {late} begins behind epoch {early}" for early, late in pairwise(epochs) if late < early
    ]


def unannounced(log: Mapping[Place, Content], shared: Collection[str] = ()) -> tuple[int, list[str]]:
    """Count the epochs of books that were ended with ``invalid``, and name those that broke without one.

    A book that stands may be replaced by another snapshot of it, as where the socket's comes after the one of REST:
    that is no break, and takes less than :data:`REPLACED_US`. Of *shared* exchanges none is named: nobody can say it
    for a member that was killed.
    """
    last: dict[str, Content] = {}
    announced, silent = 0, list[str]()
    for _, content in sorted(log.items()):
        if content.epoch is None:
            continue
        before = last.get(content.key)
        last[content.key] = content
        if before is None or before.epoch == content.epoch:
            continue
        announced += before.action == "invalid"
        replaced = 0 <= (content.received_us or 0) - (before.received_us or 0) < REPLACED_US
        if before.action != "invalid" and not replaced and content.key.partition("|")[0] not in shared:
            silent.append(f"{content.key}: epoch {before.epoch} ends without invalid")
    return announced, silent


def holes(log: Mapping[Place, Content], exchanges: Collection[str]) -> int:
    """Count the breaks in ``book_seq`` that a reader of the books of *exchanges* may see."""
    last: dict[str, Content] = {}
    found = 0
    for _, content in sorted(log.items()):
        if content.epoch is None or content.key.partition("|")[0] not in exchanges:
            continue
        before = last.get(content.key)
        if before is not None and before.epoch == content.epoch:
            found += (content.book_seq or 0) > (before.book_seq or 0) + 1
        else:
            found += content.book_seq != 0
        last[content.key] = content
    return found


def _judge_book(key: str, contents: Sequence[Content], *, full: bool = False) -> list[str]:
    wrong = []
    epoch, expected = -1, 0
    for content in contents:
        begins = content.epoch != epoch
        if begins and ((content.epoch or 0) < epoch or content.action != "snapshot"):
            wrong.append(f"{key}: epoch {content.epoch} begins with {content.action} after epoch {epoch}")
        expected = 0 if begins else expected + 1
        said = full and content.action != "delta" and (content.book_seq or 0) > expected
        if content.book_seq != expected and not said:
            wrong.append(f"{key}: epoch {content.epoch} has a hole: {content.book_seq} instead of {expected}")
        epoch, expected = content.epoch or 0, content.book_seq or 0
    return wrong


class Reading(NamedTuple):
    """What a group of consumers did with the log: records never seen, and seen again."""

    unseen: int
    again: int


def judge_group(
    places: Collection[Place],
    handled: Iterable[Place],
    committed: Mapping[tuple[str, int], int],
    kills: int,
) -> tuple[Reading, list[str]]:
    """Check that the group got every record and committed it, and that a kill repeats no more than is documented."""
    times = Counter(handled)
    unseen = [place for place in places if place not in times]
    reading = Reading(len(unseen), sum(times.values()) - len(times))
    partitions = {(place.topic, place.partition) for place in places}
    wrong = []
    if unseen:
        wrong.append(f"{len(unseen)} records were never handled, the first is {min(unseen)}")
    if strangers := times.keys() - set(places):
        wrong.append(f"{len(strangers)} records were handled that are not in the log, the first is {min(strangers)}")
    # A killed member leaves its partitions, which may be all of them, each with so many records not committed.
    bound = kills * MAX_UNCOMMITTED * len(partitions)
    if reading.again > bound:
        wrong.append(f"{reading.again} records were handled again after {kills} kills, expected at most {bound}")
    for topic, partition in sorted(partitions):
        end = 1 + max(place.offset for place in places if place[:2] == (topic, partition))
        if committed.get((topic, partition)) != end:
            wrong.append(f"{topic}-{partition} ends at {end}, committed is {committed.get((topic, partition))}")
    return reading, wrong


def judge_letters(poison: Collection[Place], letters: Sequence[Place], kills: int) -> list[str]:
    """Check that every bad record became a dead letter, and nothing else did; once, but for what a kill repeats."""
    wrong = []
    if missing := set(poison) - set(letters):
        wrong.append(f"{len(missing)} bad records have no dead letter, the first is {min(missing)}")
    if others := set(letters) - set(poison):
        wrong.append(f"{len(others)} good records became dead letters, the first is {min(others)}")
    if not kills and len(letters) > len(set(letters)):
        wrong.append(f"{len(letters) - len(set(letters))} bad records have more than one dead letter")
    return wrong


def judge_books(who: str, exchange: str, books: Books, rebuilt: Books) -> list[str]:
    """Compare the books that *who* rebuilt from Kafka with those of the exchange."""
    return [
        f"{who}: the book {exchange}|{symbol} is not the exchange's"
        for symbol, book in books.items()
        if not same_book(book, rebuilt.get(f"{exchange}|{symbol}"))
    ]


def merge_books(reports: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Join the books of a group's members; the one who took a partition over last waits for its next snapshot."""
    found: dict[str, Mapping[str, Any]] = {}
    for report in reports:
        found |= {key: book for key, book in report["books"].items() if book["bids"]}
    return found
