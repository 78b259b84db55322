"""Long sessions of every exchange that can be simulated, broken in every way: what is published is true.

What shows a break is what the exchange's table names: where it numbers nothing, a change that is lost cannot be seen.
"""

from typing import Any

import pytest

from exchanges import ways
from exchanges.broken import Session
from tickwire import exchanges, simulator

each_exchange = pytest.mark.parametrize("name", simulator.names())

HARMLESS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "doubled": {"data": ways.doubled},
    "cut": {"data": ways.cut},
    "disconnected": {"data": ways.disconnected, "often": 0.04},
    "snapshot again": {"data": ways.snapshot_again},
    "answers lost": {"said": ways.lost, "often": 0.3},
    "answers doubled": {"said": ways.doubled, "often": 0.3},
    "answers cut": {"said": ways.cut, "often": 0.3},
    "garbage": {"data": ways.garbage},
    "huge": {"data": ways.huge, "often": 0.04},
    "torn": {"data": ways.torn},
    "spelled otherwise": {"data": ways.spelled_otherwise},
    "answers spelled otherwise": {"said": ways.spelled_otherwise, "often": 0.5},
    "a stranger": {"data": ways.stranger},
    "stale snapshots": {"data": ways.disconnected, "stale": True},
    "broken bodies": {"data": ways.disconnected, "broken_body": True},
}
SEQUENCE: dict[str, dict[str, Any]] = {
    "lost": {"data": ways.lost},
    "answers late": {"said": ways.late, "often": 0.3},
    "a run lost": {"data": ways.run_lost},
    "swapped": {"data": ways.swapped},
    "replayed": {"data": ways.replayed, "often": 0.04},
    "number changed": {"data": ways.number_changed},
}
NUMBERS: dict[str, dict[str, Any]] = {
    "an answer again": {"data": ways.answer_again, "often": 0.2},
}
CHECKSUM: dict[str, dict[str, Any]] = {
    "level changed": {"data": ways.level_changed},
    "level lost": {"data": ways.level_lost},
    "emptied": {"data": ways.emptied},
    "another symbol": {"data": ways.others},
}


def played(name: str, way: dict[str, Any]) -> Session:
    """A session that is broken for a while, and then not any more."""
    session = Session(name, 7, **way)
    session.run(110)
    assert session.broke > 0 or not way
    session.heal()
    session.run(90)
    return session


@each_exchange
@pytest.mark.parametrize("way", HARMLESS)
def test_what_every_exchange_shows_makes_nothing_wrong(name: str, way: str) -> None:
    session = played(name, HARMLESS[way])
    assert session.wrong == []
    assert session.follows() == dict.fromkeys(session.books, True)


@each_exchange
@pytest.mark.parametrize("way", SEQUENCE)
def test_numbers_or_checksums_show_what_does_not_follow(name: str, way: str) -> None:
    session = played(name, SEQUENCE[way])
    if exchanges.load(name).EXCHANGE.checks:
        assert session.wrong == []
        assert session.follows() == dict.fromkeys(session.books, True)


@each_exchange
@pytest.mark.parametrize("way", NUMBERS)
def test_numbers_show_what_is_of_before(name: str, way: str) -> None:
    """A checksum does not: that of an old snapshot is right."""
    session = played(name, NUMBERS[way])
    if "sequence" in exchanges.load(name).EXCHANGE.checks:
        assert session.wrong == []
        assert session.follows() == dict.fromkeys(session.books, True)


@each_exchange
@pytest.mark.parametrize("way", CHECKSUM)
def test_checksums_show_what_is_not_as_it_was_sent(name: str, way: str) -> None:
    """At once where every message has one, as where it is the only check; otherwise with the next one."""
    session = played(name, CHECKSUM[way])
    checks = exchanges.load(name).EXCHANGE.checks
    if "checksum" in checks:
        assert session.follows() == dict.fromkeys(session.books, True)
    if checks == ("checksum",):
        assert session.wrong == []
        assert session.invalid["checksum"] > 0


@each_exchange
def test_one_symbol_that_is_refused_leaves_the_other_alone(name: str) -> None:
    one, two = Session(name, 7).books
    session = Session(name, 7, refused=frozenset({one}))
    session.run(150)
    assert session.wrong == []
    assert session.follows() == {one: False, two: True}
