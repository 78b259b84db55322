"""Whether the sums of a run agree: what the exchange sent, what became of it, what the consumer got. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tickwire.metrics_page import Page, by_label, total

_OF_PUBLISHER = ("recovered", "spill_folder")  # which exchanges share
_STAGES = ("acknowledged", "conflated", "dropped", "failed", "spilled", "in_flight", "unsettled")


class Check(NamedTuple):
    """One comparison: what must equal what."""

    what: str
    left: object
    right: object

    @property
    def ok(self) -> bool:
        """Tell whether both sides are the same."""
        return self.left == self.right


def judge(
    produced: Mapping[str, Any],
    consumed: Mapping[str, Any],
    sent: int | None,
    books: Mapping[str, Mapping[str, Any]] | None,
) -> Iterator[Check]:
    """Give every comparison of a run; *sent* and *books* are the exchanges' own, None where nobody can know them."""
    if sent is not None:
        yield Check("frames the exchange sent = frames received", sent, produced["frames_received"])
    events = sum(produced["events"].values())
    outcomes = total_outcomes(produced)
    acknowledged = outcomes["acknowledged"]
    yield Check("events = " + " + ".join(outcomes).replace("_", " "), events, sum(outcomes.values()))
    yield Check("events = acknowledged", events, acknowledged)
    yield Check("frames rejected = 0", sum(produced["frames_rejected"].values()), 0)
    total = sum(consumed["consumed"].values())
    yield Check("acknowledged = consumed", acknowledged, total)
    yield Check("dead letters = 0", sum(consumed["dead_lettered"].values()), 0)
    yield Check("breaks in book_seq = 0", consumed["jumps"], 0)
    if books is not None:
        equal = [key for key in books if same_book(books[key], consumed["books"].get(key))]
        yield Check("books rebuilt from Kafka = books of the exchange", len(equal), len(books))


def stages(accounting: Mapping[str, Any], asked: Mapping[str, str]) -> dict[str, int]:
    """Where every message went, a stage each; *asked* are the topics of the channels that were asked for.

    Stages before Kafka are those of each exchange, where there are several.

    What is 0 is left out, but for what says that a run did its work.
    """
    parts = {f"{exchange}: ": part for exchange, part in accounting.get("exchanges", {}).items()} or {"": accounting}
    expected, counted = dict[str, int](), dict[str, int]()
    for of, part in parts.items():
        expected[f"{of}frames received"] = part["frames_received"]
        expected |= {f"{of}events ({kind})": part["events"].get(kind, 0) for kind in asked}
        counted |= {f"{of}frames rejected ({reason})": n for reason, n in part["frames_rejected"].items()}
        counted |= {f"{of}events ({kind})": n for kind, n in part["events"].items()}
    expected |= {f"{topic} acknowledged": 0 for topic in asked.values()}
    counted |= {
        **{
            f"{topic} {outcome.replace('_', ' ')}": n
            for topic, account in accounting["topics"].items()
            for outcome, n in account.items()
            if outcome != "events"
        },
        **{f"from an earlier run: {outcome}": n for outcome, n in accounting["recovered"].items()},
    }
    return expected | {stage: n for stage, n in counted.items() if n}


def troubles(accounting: Mapping[str, Any]) -> list[dict[str, str]]:
    """The last trouble of each book that had one, those that are not over first: why, and how long or since when."""
    books = {symbol: book for symbol, book in accounting["books"].items() if book["last_reason"] is not None}
    return [
        {
            "book": symbol,
            "last trouble": book["last_reason"] + (f" ({book['detail']})" if book["detail"] and open_ else ""),
            "lasted": f"since {book['since']}" if open_ else f"{book['last_seconds']:.1f} s",
            "troubles": str(book["troubles"]),
        }
        for open_ in (True, False)
        for symbol, book in books.items()
        if (book["state"] != "valid") is open_
    ]


def total_outcomes(produced: Mapping[str, Any]) -> dict[str, int]:
    """Add up how records ended, over all topics."""
    accounts = list(produced["topics"].values())
    return {name: sum(account[name] for account in accounts) for name in accounts[0] if name != "events"}


def same_book(own: Mapping[str, Any], rebuilt: Mapping[str, Any] | None) -> bool:
    """Compare as many levels as are promised; a book that was never rebuilt or is empty is not the same."""
    if rebuilt is None or not own["bids"]:
        return False
    depth = rebuilt["depth"]
    return all(own[side][:depth] == rebuilt[side][:depth] for side in ("bids", "asks"))


def report_of(page: Page) -> dict[str, Any]:
    """What a process had accounted for by its metrics when it was killed.

    ``unsettled`` are events that had not ended then: in memory, and lost if Kafka does not have them, or on disk, where
    the next process finds them.
    """
    topics: dict[str, dict[str, int]] = {}
    for topic, open_ in by_label(page, "kafka_records_in_flight", "topic").items():
        outcomes = by_label(page, "kafka_records_total", "outcome", topic=topic)
        events = sum(outcomes.values()) + open_
        topics[topic] = {"events": events, **outcomes, "in_flight": 0, "unsettled": open_}
    recovered = by_label(page, "kafka_spill_recovered_total", "outcome")
    exchanges = by_label(page, "feed_frames_received_total", "exchange")
    parts = {"exchanges": {name: _taken_in(page, exchange=name) for name in exchanges}} if len(exchanges) > 1 else {}
    return {
        **_taken_in(page),
        **{stage: sum(account.get(stage, 0) for account in topics.values()) for stage in _STAGES},
        "topics": topics,
        "recovered": {"records": sum(recovered.values()), **recovered},
        "spill_folder": None,
        "books": {},
        **parts,
    }


def _taken_in(page: Page, **labels: str) -> dict[str, Any]:
    return {
        "frames_received": total(page, "feed_frames_received_total", **labels),
        "frames_rejected": by_label(page, "feed_frames_rejected_total", "reason", **labels),
        "events": by_label(page, "feed_events_total", "type", **labels),
        "callback_errors": total(page, "feed_callback_errors_total", **labels),
    }


def of_exchanges(reports: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """One accounting of those of several exchanges that share a publisher; of one exchange its own.

    A book is named as its records are, such as ``kraken|BTC-USD``, and ``exchanges`` has the part of each.
    """
    (*_, last) = reports.values()
    if len(reports) == 1:
        return dict(last)
    whole = {name: last[name] for name in _OF_PUBLISHER}
    parts = {
        exchange: {name: report[name] for name in report if name not in whole} for exchange, report in reports.items()
    }
    books = {f"{exchange}|{symbol}": book for exchange, part in parts.items() for symbol, book in part["books"].items()}
    return {**add_reports(list(parts.values())), "books": books, **whole, "exchanges": parts}


def add_reports(reports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One accounting of several; the folders of records that wait on disk become one text.

    Of a book the last report counts that has it.
    """
    added: dict[str, Any] = report_of({})
    for report in reports:
        _add(added, {name: value for name, value in report.items() if name != "books"})
        added["books"] |= report.get("books", {})
    return added


def _add(into: dict[str, Any], report: Mapping[str, Any]) -> None:
    for name, value in report.items():
        if name == "books":  # each is one process's; of one that was started again, the last one's
            into.setdefault(name, {}).update(value)
        elif isinstance(value, Mapping):
            _add(into.setdefault(name, {}), value)
        elif isinstance(value, int):
            into[name] = into.get(name, 0) + value
        elif value is not None and value not in (before := into.get(name) or ""):
            into[name] = f"{before}, {value}" if before else value
