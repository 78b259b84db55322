#!/usr/bin/env bash
# confluent-kafka 2.16.1: ProtobufDeserializer reads any message of a file as the one that it was made for.
#
# Expected: Confluent's framing says in each value which message of its file it is; one that is not the deserializer's type is
# an error, as another type is with Avro.
# Seen: the index is read and thrown away. An Ask, whose fields have other numbers than those of a Bid, is read as a Bid:
# its size is the price and its price the size, without an error. In a topic of several types compare the index yourself.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check 'confluent-kafka[protobuf,schemaregistry]==2.16.1'
"$work/venv/bin/python" - <<'EOF'
import confluent_kafka
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

file = descriptor_pb2.FileDescriptorProto(name="quotes.proto", package="finding", syntax="proto3")
for name, fields in (("Bid", ("price", "size")), ("Ask", ("size", "price"))):
    message = file.message_type.add(name=name)
    for number, field in enumerate(fields, 1):
        message.field.add(name=field, number=number, type="TYPE_STRING", label="LABEL_OPTIONAL")
pool = descriptor_pool.DescriptorPool()
pool.Add(file)
Bid, Ask = (message_factory.GetMessageClass(pool.FindMessageTypeByName(f"finding.{name}")) for name in ("Bid", "Ask"))

ask = Ask(price="65000.10", size="2")
index = bytes([2, 2])  # zigzag: one number follows, and it is 1, the second message of the file
value = b"\0" + (1).to_bytes(4, "big") + index + ask.SerializeToString()
read = ProtobufDeserializer(Bid, {})(value, SerializationContext("quotes", MessageField.VALUE))
print("confluent-kafka", confluent_kafka.__version__)
print("written: Ask price", ask.price, "size", ask.size)
print("read:   ", type(read).__name__, "price", read.price, "size", read.size)
assert (type(read).__name__, read.price, read.size) == ("Bid", "2", "65000.10"), read
EOF
