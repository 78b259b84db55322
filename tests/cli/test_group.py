"""A member of a group between Kafka and the feeds: when it says that something is handed over."""

import asyncio
import time
from typing import Any, cast
from unittest.mock import Mock

import pytest

from tickwire.cli.group import Group
from tickwire.config.kafka_config import KafkaConfig
from tickwire.config.share import GroupShare, part_of
from tickwire.wire.roster import Change


class Sent:
    """What is asked of a publisher, noted in order; *left* looks find something that is not acknowledged."""

    outage = recovering = False

    def __init__(self, left: int) -> None:
        self.left, self.calls = left, list[str]()

    def settled(self, _of: Any) -> bool:
        self.calls.append("settled?")
        self.left -= 1
        return self.left < 0

    def overtaken(self, of: Any) -> None:
        self.calls.append(f"overtaken {of(b'toy|A-X')} {of(b'toy|B-X')}")

    def given_away(self, of: Any) -> None:
        self.calls.append(f"given away {of(b'toy|A-X')}")

    def taken_back(self, _of: Any) -> None:
        self.calls.append("taken back")


def group(left: int = 0) -> tuple[Group, Any, list[Any], Sent]:
    """One that serves all 8 shares, its member's side, what its feed was given, and what was sent."""
    sent, shares = Sent(left), list[Any]()

    def change_share(share: GroupShare) -> Change:
        shares.append(share.parts)
        return Change([], [])

    feed = Mock(change_share=change_share)
    publisher = Mock(handing_over=sent, place=Mock(epochs=None))
    ours = Group("test", KafkaConfig(), cast("Any", publisher))
    served: Any = ours
    served._feeds, served._count = {"toy": feed}, 8
    served._serve(frozenset(range(8)), "given")
    sent.calls.clear()
    shares.clear()
    return ours, served, shares, sent


async def test_what_is_handed_over_ends_first_and_is_in_kafka_when_it_is_said() -> None:
    ours, served, shares, sent = group(left=2)
    served._loop = asyncio.get_running_loop()
    await asyncio.to_thread(ours.hand_over, frozenset({1, 2}), 10.0)
    assert shares == [frozenset(range(8)) - {1, 2}]
    away = f"given away {part_of(b'toy|A-X', 8) in {1, 2}}"
    assert sent.calls == ["taken back", away, "settled?", "settled?", "settled?"]


async def test_a_hand_over_that_kafka_does_not_acknowledge_ends_and_its_books_are_not_sent_behind_the_next_ones() -> (
    None
):
    ours, served, _, sent = group(left=10**9)
    served._loop = asyncio.get_running_loop()
    began, part = time.monotonic(), part_of(b"toy|A-X", 8)
    await asyncio.to_thread(ours.hand_over, frozenset({part}), 0.05)
    assert time.monotonic() - began >= 0.05
    assert sent.calls[-1] == f"overtaken True {part_of(b'toy|B-X', 8) == part}"


async def test_of_what_is_lost_nothing_is_sent_any_more_not_even_that_it_is_invalid() -> None:
    ours, served, shares, sent = group()
    served._loop = asyncio.get_running_loop()
    part = part_of(b"toy|A-X", 8)
    await asyncio.to_thread(ours.give_up, frozenset({part}))
    assert sent.calls == [f"overtaken True {part_of(b'toy|B-X', 8) == part}", "taken back", "given away True"]
    assert shares == [frozenset(range(8)) - {part}]


@pytest.mark.parametrize("parts", [(), (3,)])
async def test_what_did_not_change_is_not_served_anew(parts: tuple[int, ...]) -> None:
    ours, served, shares, _ = group()
    served._loop = asyncio.get_running_loop()
    await asyncio.to_thread(ours.give_up, frozenset(parts))
    await asyncio.to_thread(ours.give_up, frozenset(parts))
    assert len(shares) == len(parts)


def test_a_member_that_is_not_in_the_group_says_what_it_waits_for() -> None:
    ours, served, _, sent = group()
    said = [ours.waits_for()]
    sent.recovering = True
    said.append(ours.waits_for())
    served._member = Mock(joined=False, client_state="up, wait-join")
    said.append(ours.waits_for())
    served._member.joined = True
    assert [*said, ours.waits_for()] == [
        "answers about the group's topic",
        "records of an earlier run that are on disk",
        "a place in the group (the client says: up, wait-join)",
        None,
    ]
