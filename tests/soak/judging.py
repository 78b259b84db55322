"""The accounting of a soak, from journals, reports and the exchanges' own books. Pure: sentences are violations."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from faults.checker import Content, Place
from tickwire.cli.accounting import same_book, total_outcomes
from tickwire.kafka.consuming.processing import MAX_UNCOMMITTED

Books = Mapping[str, Mapping[str, Any]]


class Stored(NamedTuple):
    """What a producer's key prefix has in a topic: records, and different messages among them."""

    records: int
    messages: int

    @property
    def duplicates(self) -> int:
        """Records that were there before."""
        return self.records - self.messages


def stored(log: Mapping[Place, Content]) -> dict[tuple[str, str], Stored]:
    """Count the log by exchange and topic. A message is named by its key, its time of arrival and its numbers."""
    records: Counter[tuple[str, str]] = Counter()
    messages: dict[tuple[str, str], set[Content]] = defaultdict(set)
    for place, content in log.items():
        whose = content.key.partition("|")[0], place.topic
        records[whose] += 1
        messages[whose].add(content)
    return {whose: Stored(count, len(messages[whose])) for whose, count in records.items()}


def judge_producer(
    exchange: str, report: Mapping[str, Any], found: Mapping[tuple[str, str], Stored], replaced: int, queue: int
) -> list[str]:
    """Compare a producer's accounting with the log. Copies may come of a producer that was *replaced* only."""
    wrong = []
    events, outcomes = sum(report["events"].values()), total_outcomes(report)
    if events != sum(outcomes.values()):
        wrong.append(f"{exchange}: {events} events, but {sum(outcomes.values())} outcomes: {outcomes}")
    wrong += [
        f"{exchange}: {outcomes[name]} records {name.replace('_', ' ')}, expected none"
        for name in ("dropped", "failed", "spilled", "in_flight")
        if outcomes[name]
    ]
    if report["callback_errors"]:
        wrong.append(f"{exchange}: {report['callback_errors']} errors of callbacks")
    for topic, account in report["topics"].items():
        there = found.get((exchange, topic), Stored(0, 0))
        if account["acknowledged"] != there.messages:
            wrong.append(f"{exchange}: {account['acknowledged']} acknowledged, {there.messages} messages in {topic}")
        if there.duplicates > replaced * queue:
            wrong.append(f"{exchange}: {there.duplicates} copies in {topic}, {replaced} producers were replaced")
    return wrong


def judge_order(log: Mapping[Place, Content]) -> list[str]:
    """Check that each key is in order: times never fall, a book's numbers grow by one from its snapshot.

    A book's ``received_us`` may fall: changes that wait for their snapshot came before it.
    """
    wrong: list[str] = []
    keys: dict[tuple[str, int, str], list[Content]] = defaultdict(list)
    for place, content in sorted(log.items()):
        keys[place.topic, place.partition, content.key].append(content)
    for (topic, _, key), contents in keys.items():
        first = list(dict.fromkeys(contents))
        stored_at = [content.timestamp_ms or 0 for content in first]
        tickers_at = [content.received_us or 0 for content in first if content.epoch is None]
        if stored_at != sorted(stored_at) or tickers_at != sorted(tickers_at):
            wrong.append(f"{key} in {topic}: times go back")
        wrong += _judge_book(key, [content for content in first if content.epoch is not None])
    whose = Counter((topic, key) for topic, _, key in keys)
    return wrong + [f"{key} in {topic} is in more than one partition" for (topic, key), n in whose.items() if n > 1]


def _judge_book(key: str, contents: Sequence[Content]) -> list[str]:
    wrong = []
    epoch, expected = -1, 0
    for content in contents:
        begins = content.epoch != epoch
        if begins and ((content.epoch or 0) < epoch or content.action != "snapshot"):
            wrong.append(f"{key}: epoch {content.epoch} begins with {content.action} after epoch {epoch}")
        expected = 0 if begins else expected + 1
        if content.book_seq != expected:
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
