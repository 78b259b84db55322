"""The table of kinds fits what it names: events, settings, and the places of records that find no room."""

from typing import get_args

import pytest

from tickwire.config.kafka_config import KafkaConfig
from tickwire.events.types import MarketEvent
from tickwire.kafka.producing.publisher import Publisher
from tickwire.records.kinds import KINDS, Kind, topics_by_kind

each_kind = pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])


def test_every_event_has_a_row() -> None:
    assert [kind.event for kind in KINDS] == list(get_args(MarketEvent))


@each_kind
def test_a_kind_is_named_as_in_its_values(kind: Kind) -> None:
    assert kind.event.__struct_config__.tag == kind.name


@each_kind
def test_what_is_written_is_read(kind: Kind) -> None:
    assert kind.schema.encode() in kind.read


def test_the_topics_of_the_settings_are_those_of_the_kinds() -> None:
    config = KafkaConfig(ticker_topic="a", orderbook_topic="b", trades_topic="c")
    assert topics_by_kind(config) == {"ticker": "a", "orderbook": "b", "trade": "c"}
    assert config.topics == tuple(topics_by_kind(config).values())


@each_kind
def test_every_policy_has_a_place_for_records_without_room(kind: Kind) -> None:
    policies = get_args(KafkaConfig.model_fields[kind.when_full].annotation)
    configs = [KafkaConfig.model_validate({kind.when_full: policy}) for policy in policies]
    places = [Publisher(config)._waits[topics_by_kind(config)[kind.name]] for config in configs]
    assert len({type(place) for place in places}) == len(policies) == 3
