"""What a member of a group sees of the others in what they have promised."""

import time
from typing import Any
from unittest.mock import Mock

import pytest
from confluent_kafka import KafkaError, TopicPartition
from msgspec import json

from kafka.mock_cluster import MockCluster
from support import eventually
from tickwire.config.alike import marks
from tickwire.config.feed_config import FeedConfig
from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import KafkaFailed
from tickwire.kafka.sharing import member as sharing_member
from tickwire.kafka.sharing.member import Member, Promise
from tickwire.kafka.sharing.membership import Membership


def test_settings_of_other_members_that_are_not_ours_are_known() -> None:
    ours, config = Membership(), KafkaConfig()
    mine, other = (marks([FeedConfig(symbols=(name,))], config) for name in ("A-X", "B-X"))
    said = {0: other, 1: mine, 2: mine}
    asked: list[set[int]] = []

    def committed(parts: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        asked.append({at.partition for at in parts})
        texts = {at.partition: json.encode(Promise(7, "another", said[at.partition])).decode() for at in parts}
        return [TopicPartition("t", number, 0, metadata=text) for number, text in texts.items()]

    member: Any = Member(config, "g", "us", 3, ours, Mock(marks=lambda: mine))
    member._consumer = Mock(committed=committed)
    ours.give(0, 0)  # whoever had it before may have had other settings
    member._compare()
    assert (asked, member._differing) == ([{1, 2}], set())
    said[2] = other
    member._compare()
    assert member._differing == {"FEED_SYMBOLS"}


def test_the_settings_are_looked_at_when_they_are_compared_and_not_with_every_promise() -> None:
    marks_ = iter(["at the start", "later"])
    member: Any = Member(KafkaConfig(), "g", "us", 1, Membership(), Mock(marks=lambda: next(marks_)))
    commit = Mock()
    member._consumer = Mock(committed=lambda _parts, timeout: [], commit=commit)
    for _ in range(3):
        member._commit({0: 7})
    member._compare()
    member._commit({0: 7})
    said = [json.decode(call.kwargs["offsets"][0].metadata, type=Promise).marks for call in commit.call_args_list]
    assert said == ["at the start"] * 3 + ["later"]


def test_a_topic_that_has_grown_is_not_shared_by_two_counts() -> None:
    member: Any = Member(KafkaConfig(), "g", "us", 3, Membership(), Mock())
    member._on_assign(Mock(), [TopicPartition("t", 2)])
    with pytest.raises(KafkaFailed, match="more partitions than the 3"):
        member._on_assign(Mock(), [TopicPartition("t", 1), TopicPartition("t", 3)])


def losing(
    *, sure: bool = False, stood_still: bool = False, denied: bool = False, outage: bool = False
) -> tuple[Membership, Any]:
    """What a member that loses its only part still serves, and what it was asked to serve no longer."""
    ours, served = Membership(), Mock(outage=lambda: outage)
    member: Any = Member(KafkaConfig(), "g", "us", 1, ours, served)
    ours.give(0, 0)
    if sure:
        ours.kept(ours.due(1), time.monotonic())
    if stood_still:
        member._turn_at -= 10
        member._awake(time.monotonic())
    if denied:
        member._heard(KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED))
    member._on_lost(Mock(), [TopicPartition("t", 0)])
    return ours, served


@pytest.mark.parametrize("outage", [False, True])
def test_while_nobody_answers_for_the_group_its_books_go_on(outage: bool) -> None:
    ours, served = losing(outage=outage)
    assert ours.parts == ours.lost == {0}
    served.give_up.assert_not_called()


@pytest.mark.parametrize("how", ["sure", "stood_still", "denied"])
def test_what_the_group_has_taken_away_or_may_have_while_we_stood_still_is_given_up_at_once(how: str) -> None:
    ours, served = losing(**{how: True})
    assert ours.parts == frozenset()
    served.give_up.assert_called_once_with({0})


class Clock:
    """In place of the module ``time`` of a member."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now


def test_a_member_whose_topic_stays_away_for_a_session_ends_and_one_whose_topic_is_back_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    monkeypatch.setattr(sharing_member, "time", clock)
    member: Any = Member(KafkaConfig(), "g", "us", 1, Membership(), Mock(marks=str, outage=lambda: False))
    member._consumer = Mock()
    missing = KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)

    def hear(*answers: KafkaError | None, every: float = 1.0) -> None:
        for answer in answers:
            clock.now += every
            member._commit({0: 7})
            member._answered(answer, [])
            member._look(clock.now)

    hear(*[missing] * 6, None, *[missing] * 6)
    hear(*[missing] * 6, every=4.0)  # now and then, as nodes say it that have just started
    clock.now += 100  # of a member without parts, which asks nothing
    member._look(clock.now)
    with pytest.raises(KafkaFailed, match=r"tickwire\.shares\.g is not in Kafka any more"):
        hear(*[missing] * 8)


def test_the_client_says_how_far_it_is_with_its_place(mock: MockCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sharing_member._SETTINGS, "statistics.interval.ms", 50)
    mock.create_topic("tickwire.shares.g", 1)
    served = Mock(outage=lambda: False, floor=lambda: 0, marks=lambda: "")
    member = Member(KafkaConfig(brokers=mock.bootstrap), "g", "us", 1, Membership(), served)
    assert member.client_state == ", "
    member.start()
    try:
        eventually(lambda: member.joined and member.client_state == "up, steady", "it has its place", 30)
    finally:
        member.leave()
