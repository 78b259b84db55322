"""The demo's verdict turns wrong for every way in which a message can be missing."""

import copy
from typing import Any

import pytest

from tickwire.cli.accounting import add_reports, judge, of_exchanges, report_of, stages, troubles
from tickwire.config.kafka_config import KafkaConfig
from tickwire.losses import droppable, last_line, losses
from tickwire.metrics_page import Family

BOOK = {"bids": [["1.00", "2"]], "asks": [["1.01", "3"]]}


def a_good_run() -> dict[str, Any]:
    return {
        "produced": {
            "frames_received": 12,
            "frames_rejected": {"malformed": 0},
            "events": {"ticker": 4, "orderbook": 6},
            "topics": {
                topic: {"events": n, "acknowledged": n, "failed": 0, "dropped": 0, "in_flight": 0}
                for topic, n in (("ticks.v1.raw", 4), ("orderbook.v1.raw", 6))
            },
        },
        "consumed": {
            "consumed": {"ticks.v1.raw": 4, "orderbook.v1.raw": 6},
            "dead_lettered": {},
            "jumps": 0,
            "books": {"binance|BTC-USDT": {"valid": False, "depth": 1000, **copy.deepcopy(BOOK)}},
        },
        "sent": 12,
        "books": {"binance|BTC-USDT": copy.deepcopy(BOOK)},
    }


def test_a_run_without_loss_is_good() -> None:
    assert all(check.ok for check in judge(**a_good_run()))


def test_a_live_run_is_judged_without_the_exchanges_own_numbers() -> None:
    run = a_good_run() | {"sent": None, "books": None}
    assert all(check.ok for check in judge(**run))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("produced", "frames_received"), 11),
        (("produced", "frames_rejected", "malformed"), 1),
        (("produced", "events", "ticker"), 5),
        (("produced", "topics", "ticks.v1.raw", "acknowledged"), 9),
        (("produced", "topics", "ticks.v1.raw", "dropped"), 1),
        (("produced", "topics", "ticks.v1.raw", "in_flight"), 1),
        (("consumed", "consumed", "ticks.v1.raw"), 3),
        (("consumed", "dead_lettered", "ticks.v1.raw"), 1),
        (("consumed", "jumps"), 1),
        (("consumed", "books", "binance|BTC-USDT", "bids"), [["1.00", "2.0"]]),
        (("consumed", "books"), {}),
        (("books", "binance|BTC-USDT", "bids"), []),
    ],
)
def test_one_number_off_is_found(path: tuple[str, ...], value: object) -> None:
    run = a_good_run()
    target = run
    for name in path[:-1]:
        target = target[name]
    target[path[-1]] = value
    assert not all(check.ok for check in judge(**run))


TOPICS = {"ticker": "ticks.v1.raw", "orderbook": "orderbook.v1.raw"}
OUTCOMES = ("events", "acknowledged", "conflated", "dropped", "failed", "spilled", "in_flight")


def accounting(recovered: dict[str, int] | None = None, **ticks: int) -> dict[str, Any]:
    """What a feed says, where the records of tickers ended as *ticks* and there were no others."""
    topics = {topic: dict.fromkeys(OUTCOMES, 0) for topic in TOPICS.values()}
    topics["ticks.v1.raw"] |= ticks | {"events": sum(ticks.values())}
    return {
        "frames_received": 12,
        "frames_rejected": {"malformed": 0},
        "events": {"ticker": sum(ticks.values()), "orderbook": 0},
        **{stage: sum(account[stage] for account in topics.values()) for stage in OUTCOMES[1:]},
        "topics": topics,
        "recovered": recovered or {},
        "spill_folder": "folder",
    }


def test_only_what_was_asked_for_and_what_is_not_0_has_a_row() -> None:
    report = accounting(acknowledged=3, failed=1)
    assert stages(report, {"ticker": "ticks.v1.raw"}) == {
        "frames received": 12,
        "events (ticker)": 4,
        "ticks.v1.raw acknowledged": 3,
        "ticks.v1.raw failed": 1,
    }
    assert stages(report, TOPICS)["orderbook.v1.raw acknowledged"] == 0


@pytest.mark.parametrize("outcome", ["failed", "dropped", "in_flight"])
def test_a_record_that_is_lost_is_a_loss(outcome: str) -> None:
    assert not losses(accounting(acknowledged=3, conflated=2, spilled=1))
    [sentence] = losses(accounting(None, acknowledged=3, **{outcome: 7}))
    assert sentence.startswith("7 records are LOST")


@pytest.mark.parametrize("outcome", ["failed", "dropped", "lost"])
def test_a_record_of_an_earlier_run_that_is_lost_is_a_loss(outcome: str) -> None:
    assert not losses(accounting({"records": 9, "acknowledged": 2, "waiting": 7}))
    [sentence] = losses(accounting({"records": 9, "acknowledged": 2, outcome: 7}))
    assert sentence.startswith("7 records")


def test_what_a_setting_chose_to_drop_is_no_loss() -> None:
    report = accounting(acknowledged=3, dropped=7)
    assert not losses(report, ["ticks.v1.raw"])
    assert losses(report, ["orderbook.v1.raw"])


def test_dropping_is_chosen_topic_by_topic() -> None:
    assert droppable(KafkaConfig()) == []
    assert droppable(KafkaConfig(when_full_ticker="drop")) == ["ticks.v1.raw"]
    assert droppable(KafkaConfig(when_full_orderbook="invalidate")) == ["orderbook.v1.raw"]


def test_the_last_line_says_what_is_lost_and_what_waits() -> None:
    assert last_line(accounting(acknowledged=3)) == "Nothing remains to be delivered."
    line = last_line(accounting(failed=2, spilled=5))
    assert "2 records are LOST" in line
    assert "5 records wait in folder" in line


def test_the_books_of_several_processes_are_put_together() -> None:
    ours = {"BTC-USDT": {"state": "valid", "troubles": 1, "last_seconds": 0.5}}
    theirs = {"ETH-USDT": {"state": "valid", "troubles": 0, "last_seconds": None}}
    assert add_reports([{"books": ours}, {"books": theirs}, {"books": ours}])["books"] == ours | theirs


def of_one(count: int, **more: Any) -> dict[str, Any]:
    """The accounting of one exchange's feed."""
    return {
        "frames_received": count,
        "frames_rejected": {"malformed": count},
        "events": {"ticker": count, "trade": 0},
        "acknowledged": count,
        "topics": {"ticks.v1.raw": {"events": count, "acknowledged": count}},
        "books": {"BTC-USD": {"state": "valid", "last_reason": None}},
        "recovered": {"records": 7, "acknowledged": 7},
        "spill_folder": "spill/a+b/1",
    } | more


def test_the_accounting_of_several_exchanges_is_their_sum_with_the_part_of_each() -> None:
    together = of_exchanges({"a": of_one(3), "b": of_one(4)})
    assert (together["frames_received"], together["events"], together["acknowledged"]) == (
        7,
        {"ticker": 7, "trade": 0},
        7,
    )
    assert together["topics"] == {"ticks.v1.raw": {"events": 7, "acknowledged": 7}}
    assert together["recovered"] == {"records": 7, "acknowledged": 7}  # the publisher's, which is one
    assert together["spill_folder"] == "spill/a+b/1"
    assert set(together["books"]) == {"a|BTC-USD", "b|BTC-USD"}
    assert [part["frames_received"] for part in together["exchanges"].values()] == [3, 4]
    assert of_exchanges({"a": of_one(3)}) == of_one(3)

    of_workers = add_reports([together, together])
    assert (of_workers["frames_received"], of_workers["exchanges"]["b"]["events"]["ticker"]) == (14, 8)
    rows = stages(of_workers, {"ticker": "ticks.v1.raw"})
    assert rows == {
        "a: frames received": 6,
        "a: events (ticker)": 6,
        "b: frames received": 8,
        "b: events (ticker)": 8,
        "ticks.v1.raw acknowledged": 14,
        "a: frames rejected (malformed)": 6,
        "b: frames rejected (malformed)": 8,
        "from an earlier run: records": 14,
        "from an earlier run: acknowledged": 14,
    }


def test_what_a_killed_process_had_counted_is_of_its_exchanges_too() -> None:
    page = {"feed": Family("counter", "")}
    for exchange, count in (("a", 3.0), ("b", 4.0)):
        page["feed"].values["feed_frames_received_total", (("exchange", exchange),)] = count
        page["feed"].values["feed_events_total", (("exchange", exchange), ("type", "ticker"))] = count
    report = report_of(page)
    assert report["frames_received"] == 7
    assert {name: part["events"] for name, part in report["exchanges"].items()} == {
        "a": {"ticker": 3},
        "b": {"ticker": 4},
    }
    del page["feed"].values["feed_frames_received_total", (("exchange", "b"),)]
    assert "exchanges" not in report_of(page)


def test_the_last_trouble_of_each_book_has_its_reason_and_how_long_it_took_or_since_when_it_lasts() -> None:
    since = "2026-01-31T12:00:00.000+00:00"
    whole = {"state": "valid", "since": since, "troubles": 0, "last_reason": None, "last_seconds": None, "detail": ""}
    mended = whole | {"troubles": 2, "last_reason": "gap", "last_seconds": 0.44}
    broken = whole | {"state": "resyncing", "troubles": 1, "last_reason": "refused", "detail": "no such pair"}
    assert troubles({"books": {"A-USD": mended, "B-USD": whole, "C-USD": broken}}) == [
        {"book": "C-USD", "last trouble": "refused (no such pair)", "lasted": f"since {since}", "troubles": "1"},
        {"book": "A-USD", "last trouble": "gap", "lasted": "0.4 s", "troubles": "2"},
    ]
