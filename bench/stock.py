"""The bare chain with the serializers of confluent-kafka in place of JSON. ``python -m bench.stock SPEC``.

They need ``pip install 'confluent-kafka[avro,protobuf,schemaregistry]'``.
"""

import base64
import json
import sys
from collections.abc import Callable
from typing import Any

import uvloop
from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pool, message_factory  # type: ignore[import-untyped]

from bench.bare import Chain, OrderBook, run
from tickwire.schemas import schema_text

_TOPICS = {"ticker": "ticks.v1.raw", "orderbook": "orderbook.v1.raw"}
_FOUND = {"auto.register.schemas": False}  # as the product does it


class StockChain(Chain):
    """One connection's frames through a stock serializer to the producer."""

    def __init__(self, spec: dict[str, Any], producer: Producer) -> None:
        super().__init__(spec, producer)
        kind = spec["channel"]
        registry = SchemaRegistryClient({"url": spec["registry"]})
        make = _avro if spec["format"] == "avro" else _protobuf
        serialize, context = make(kind, registry), SerializationContext(_TOPICS[kind], MessageField.VALUE)
        self._encode = lambda event: serialize(event, context)


def _fields(event: Any) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__struct_fields__}


def _avro(kind: str, registry: Any) -> Callable[..., Any]:
    def to_dict(event: Any, _: Any) -> dict[str, Any]:
        fields = _fields(event)
        if type(event) is OrderBook:
            for side in ("bids", "asks"):
                fields[side] = [{"price": price, "size": size} for price, size in fields[side]]
        return fields

    serialize: Callable[..., Any] = AvroSerializer(registry, schema_text(kind, "avro"), to_dict, _FOUND)
    return serialize


def _protobuf(kind: str, registry: Any) -> Callable[..., Any]:
    pool = descriptor_pool.Default()
    file = pool.AddSerializedFile(base64.b64decode(schema_text(kind, "descriptor")))
    message = message_factory.GetMessageClass(pool.FindFileByName(file.name).message_types_by_name[_NAMES[kind]])
    serialize = ProtobufSerializer(message, registry, _FOUND | {"use.deprecated.format": False})

    def from_event(event: Any, context: Any) -> Any:
        fields = {name: value for name, value in _fields(event).items() if value is not None}
        if type(event) is OrderBook:
            fields["action"] = f"ACTION_{event.action.upper()}"
            for side in ("bids", "asks"):
                fields[side] = [{"price": price, "size": size} for price, size in fields[side]]
        return serialize(message(**fields), context)

    return from_event


_NAMES = {"ticker": "Ticker", "orderbook": "OrderBook"}


if __name__ == "__main__":
    uvloop.run(run(json.loads(sys.argv[1]), StockChain))
