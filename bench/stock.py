"""The bare chain with the serializers of confluent-kafka instead of JSON. ``python -m bench.stock SPEC``.

They need ``pip install 'confluent-kafka[avro,protobuf,schemaregistry]'``.
"""

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvloop
from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf.descriptor_pb2 import FileDescriptorSet  # type: ignore[import-untyped]
from google.protobuf.descriptor_pool import DescriptorPool  # type: ignore[import-untyped]
from google.protobuf.message_factory import GetMessageClass  # type: ignore[import-untyped]
from grpc_tools import protoc

from bench.bare import Chain, run
from tickwire.schemas import schema_text

_TOPICS = {"ticker": "ticks.v1.raw", "orderbook": "orderbook.v1.raw"}
_NAMES = {"ticker": "tickwire.Ticker", "orderbook": "tickwire.OrderBook"}


class StockChain(Chain):
    """One connection's frames through a stock serializer to the producer."""

    def __init__(self, spec: dict[str, Any], producer: Producer) -> None:
        super().__init__(spec, producer)
        self._encode = stock_encoder(spec["channel"], spec["format"], spec["registry"])


def stock_encoder(kind: str, form: str, registry: str) -> Callable[[Any], bytes]:
    """The function that turns an event of *kind*, with the fields of ours, into a value by the stock serializer."""
    make = _avro if form == "avro" else _protobuf
    serialize = make(kind, SchemaRegistryClient({"url": registry}))
    context = SerializationContext(_TOPICS[kind], MessageField.VALUE)
    return lambda event: serialize(event, context)


def _fields(event: Any) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__struct_fields__}


def _avro(kind: str, registry: Any) -> Callable[..., Any]:
    def to_dict(event: Any, _: Any) -> dict[str, Any]:
        fields = _fields(event)
        if kind == "orderbook":
            for side in ("bids", "asks"):
                fields[side] = [{"price": price, "size": size} for price, size in fields[side]]
        return fields

    serialize: Callable[..., Any] = AvroSerializer(registry, schema_text(kind, "avro"), to_dict)
    return serialize


def _protobuf(kind: str, registry: Any) -> Callable[..., Any]:
    message = _message(kind)
    # Its own form of the schema is registered under another name, once, before the measurement.
    named = {"subject.name.strategy": lambda context, _: f"stock-{context.topic}", "use.deprecated.format": False}
    serialize = ProtobufSerializer(message, registry, named)

    def from_event(event: Any, context: Any) -> Any:
        fields = {name: value for name, value in _fields(event).items() if value is not None}
        if kind == "orderbook":
            fields["action"] = f"ACTION_{event.action.upper()}"
            for side in ("bids", "asks"):
                fields[side] = [{"price": price, "size": size} for price, size in fields[side]]
        return serialize(message(**fields), context)

    return from_event


def _message(kind: str) -> Any:
    """The class of a kind's messages."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / f"{kind}.proto").write_text(schema_text(kind, "protobuf"))
        protoc.main(["protoc", f"-I{name}", f"--descriptor_set_out={name}/found", f"{kind}.proto"])
        pool = DescriptorPool()
        for file in FileDescriptorSet.FromString((folder / "found").read_bytes()).file:
            pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName(_NAMES[kind]))


if __name__ == "__main__":
    uvloop.run(run(json.loads(sys.argv[1]), StockChain))
