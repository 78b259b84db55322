"""The verdict over a whole soak: what never happened, and each figure that is wrong, turns it red."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from faults.checker import Content, Place
from soak.actors import switches
from soak.findings import Findings, Numbers
from soak.memory import Sample
from soak.recovery import Recovery, table

SNAPSHOT, DELTA = (Content("kraken|A-B", 1, kind, 1, n, 1, 1) for n, kind in enumerate(("snapshot", "delta")))
LEVELS = {"bids": [["1", "2"]], "asks": [["3", "4"]]}
HAPPENED = [("collector", how) for how in ("killed", "frozen", "ended")] + [("disk", "full"), ("clock", "right again")]


def account(**numbers: int) -> dict[str, Any]:
    names = ("events", "acknowledged", "conflated", "dropped", "failed", "spilled", "in_flight")
    topic = dict.fromkeys(names, 0) | {"events": 2, "acknowledged": 2} | numbers
    counts = {"frames_received": 2, "frames_rejected": {}, "callback_errors": 0}
    return {"events": {"orderbook": topic["events"]}, "topics": {"books": topic}} | counts


@pytest.fixture
def good() -> Findings:
    log = {Place("books", 0, 0): SNAPSHOT, Place("books", 0, 1): DELTA}
    rebuilt = {"jumps": 0, "books": {"kraken|A-B": LEVELS | {"depth": None}}}
    return Findings(
        seconds=600.0,
        reports={"kraken": account()},
        numbers={"kraken": Numbers(0, 0, 0, 0)},
        log=log,
        resent=(),
        readers=[],
        handled=list(log),
        committed={("books", 0): 2},
        kills=1,
        members=[rebuilt],
        auditor=rebuilt,
        poison=[],
        letters=[],
        own={"kraken": {"A-B": LEVELS}},
        faults={"kraken": Counter(switches("kraken"))},
        brokers=Counter(killed=1),
        samples={"produce-kraken": [Sample(at * 2.0, 60_000, 30) for at in range(300)]},
        queue=10,
        collected={"bybit": []},
        steps_s={},
        full="okx",
        recoveries=[Recovery(*names, 1.0) for names in HAPPENED],
        seed=1,
    )


def test_where_all_is_well_nothing_is_said(good: Findings) -> None:
    assert good.violations() == []
    assert "passed" in list(good.lines())[-1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"reports": {"kraken": account(events=3, acknowledged=3)}},  # lost
        {"reports": {"kraken": account(events=3, dropped=1)}},  # its disk was not full
        {"log": {Place("books", 0, 0): SNAPSHOT}},
        {
            "log": {Place("books", 0, 0): SNAPSHOT, Place("books", 0, 1): SNAPSHOT._replace(epoch=2, received_us=10**7)}
        },  # no invalid
        {"collected": {"bybit": [account(failed=1)]}},
        {"handled": []},
        {"auditor": {"jumps": 1, "books": {"kraken|A-B": LEVELS | {"depth": None}}}},
        {"own": {"kraken": {"A-B": LEVELS | {"bids": [["1", "9"]]}}}},
        {"samples": {"x": [Sample(at * 2.0, 60_000 + 20 * at, 30) for at in range(300)]}},
        {"samples": {"x": [Sample(at * 2.0, 60_000, 30 + at // 10) for at in range(300)]}},
        {"brokers": Counter()},
        {"faults": {"kraken": Counter()}},
        *({"recoveries": [Recovery(*names, 1.0) for names in HAPPENED if names != left]} for left in HAPPENED),
    ],
)
def test_each_figure_that_is_wrong_turns_it_red(good: Findings, wrong: dict[str, Any]) -> None:
    found = replace(good, **wrong)
    assert found.violations() != []
    assert list(found.lines())[-1] == "Soak FAILED."


def test_the_slowest_recovery_of_each_kind_is_shown() -> None:
    lines = list(table([Recovery("disk", "full", seconds) for seconds in (2.0, 9.5, 3.0)]))
    assert lines[1].split() == ["disk:", "full", "3", "9.5", "3.0"]


def test_what_the_client_library_sent_again_is_no_damage_and_is_counted(good: Findings) -> None:
    again = {Place("books", 0, 2): SNAPSHOT, Place("books", 0, 3): DELTA}
    twice = replace(good, log={**good.log, **again}, handled=[*good.handled, *again], committed={("books", 0): 4})
    assert twice.violations() != []
    known = replace(twice, resent=again.keys())
    assert known.violations() == []
    assert any("twice: 2, by the client library 2" in line for line in known.lines())
