"""Topics of Avro or Protobuf with a schema registry, for readers that know nothing else of them."""

import json
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # exported without saying so
from msgspec.structs import replace

from record_support import BOOK, EVENTS, TICKER, TRADE
from recordings import events_of, recordings
from tickwire.config.kafka_config import KafkaConfig
from tickwire.events.types import MarketEvent
from tickwire.records.codec import RecordWriter
from tickwire.records.formats import value_format
from tickwire.records.kinds import KINDS, topics_by_kind
from tickwire.registry.client import Registry
from tickwire.registry.subjects import our_subjects, register

MOST = 2**63 - 1


def all_events() -> Iterator[MarketEvent]:
    """Those of the fixtures, and what these lack: words, nulls, and numbers at the ends."""
    for recording in recordings():
        for line in events_of(recording).read_bytes().splitlines():
            kind = json.loads(line).get("type")
            if kind in EVENTS:
                yield msgspec.json.decode(line, type=type(EVENTS[kind]))
    yield replace(TICKER, symbol="ÄΩ漢😀-USDT", bid=f"{10**29}.12345678", ask="0.000000000000000001", sequence=MOST)
    yield replace(TICKER, bid=None, bid_size=None, ask=None, ask_size=None, last="0", sequence=0, exchange_us=-1)
    yield replace(BOOK, depth=None, bids=[("1.10", "0"), ("0.0000100", "0.0")], action="delta", reason=None)
    yield replace(BOOK, epoch=MOST, sequence=-MOST - 1, reason="keyframe", exchange_us=None)
    yield replace(BOOK, action="invalid", bids=[], asks=[], reason="disconnect", sequence=None)
    yield replace(TRADE, side="sell", exchange_us=None, trade_id="00123-ab", size=f"{10**15}.000000000001")


def write_topics(bootstrap: str, registry: str, form: str, events: Sequence[MarketEvent]) -> dict[str, str]:
    """Topics of one partition with the events in them, by kind, compressed as the settings have it."""
    unique = uuid.uuid4().hex[:12]
    names = {kind.topic: f"{form}.{kind.name}.{unique}" for kind in KINDS}
    config = KafkaConfig.model_validate({"schema_registry_url": registry, "value_format": form, **names})
    client = Registry(config, 20.0)
    formats = {
        subject.kind: value_format(form, subject.kind, register(client, subject).id) for subject in our_subjects(config)
    }
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for made in admin.create_topics([NewTopic(name, 1) for name in names.values()]).values():
        made.result(20)
    writer = RecordWriter(topics_by_kind(config), formats)
    # Idempotent, so that they keep their order.
    producer = Producer(
        {"bootstrap.servers": bootstrap, "enable.idempotence": True, "compression.type": config.compression}
    )
    for event in events:
        record = writer.write(event)
        producer.produce(record.topic, record.value, record.key, headers=[*record.headers])
    assert producer.flush(20) == 0
    return topics_by_kind(config)


def fields_of(event: MarketEvent) -> dict[str, Any]:
    """An event's fields as they stand in JSON, with levels as records have them."""
    fields: dict[str, Any] = json.loads(msgspec.json.encode(event))
    del fields["type"]
    for side in ("bids", "asks") if "bids" in fields else ():
        fields[side] = [{"price": price, "size": size} for price, size in fields[side]]
    return fields
