"""What a member of a group sees of the others in what they have promised."""

from typing import Any
from unittest.mock import Mock

from confluent_kafka import TopicPartition
from msgspec import json

from tickwire.config.alike import marks
from tickwire.config.feed_config import FeedConfig
from tickwire.config.kafka_config import KafkaConfig
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
