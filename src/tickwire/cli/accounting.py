"""Checks the sums of a run: what the exchange sent, the outcomes, what the consumer got. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tickwire import metrics
from tickwire.metrics_page import Page, by_label, total

_OF_PUBLISHER = ("recovered", "spill_folder")  # shared by all exchanges
_STAGES = (*metrics.OUTCOMES, "in_flight", "unsettled")


class Check(NamedTuple):
    """One comparison of two numbers that must be equal."""

    what: str
    left: object
    right: object

    @property
    def ok(self) -> bool:
        """Whether both are equal."""
        return self.left == self.right


def judge(
    produced: Mapping[str, Any],
    consumed: Mapping[str, Any],
    sent: int | None,
    books: Mapping[str, Mapping[str, Any]] | None,
) -> Iterator[Check]:
    """Yield every comparison of a run; *sent* and *books* are from the simulated exchanges, None with a real one."""
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
    """The counts of messages by stage; *asked* are the topics of the requested channels.

    With several exchanges, stages before Kafka are listed for each.

    Zeros are left out, except the counts that show that a run did its work.
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
    """The last break of each book that had one, unfinished ones first: the reason, and how long or since when."""
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
    """Sum the outcomes of records over all topics."""
    accounts = list(produced["topics"].values())
    return {name: sum(account[name] for account in accounts) for name in accounts[0] if name != "events"}


def same_book(own: Mapping[str, Any], rebuilt: Mapping[str, Any] | None) -> bool:
    """Compare the promised number of levels; a book that was not rebuilt or is empty is different."""
    if rebuilt is None or not own["bids"]:
        return False
    depth = rebuilt["depth"]
    return all(own[side][:depth] == rebuilt[side][:depth] for side in ("bids", "asks"))


def report_of(page: Page) -> dict[str, Any]:
    """The accounting of a killed process, from its last metrics.

    ``unsettled`` are events without an outcome: they were in memory, and are lost unless Kafka has them, or on disk,
    where the next process finds them.
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
    """Merge the accountings of exchanges that share a publisher; a single one stays as it is.

    Books are named by record key, such as ``kraken|BTC-USD``, and ``exchanges`` has the accounting of each.
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
    """Add up several accountings; the spill folders become one text.

    For each book the last report that has it counts.
    """
    added: dict[str, Any] = report_of({})
    for report in reports:
        _add(added, {name: value for name, value in report.items() if name != "books"})
        added["books"] |= report.get("books", {})
    return added


def _add(into: dict[str, Any], report: Mapping[str, Any]) -> None:
    for name, value in report.items():
        if name == "books":  # each book belongs to one process; after a restart the last report counts
            into.setdefault(name, {}).update(value)
        elif isinstance(value, Mapping):
            _add(into.setdefault(name, {}), value)
        elif isinstance(value, int):
            into[name] = into.get(name, 0) + value
        elif value is not None and value not in (before := into.get(name) or ""):
            into[name] = f"{before}, {value}" if before else value
