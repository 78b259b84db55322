"""``PYTHONPATH=tests python -m schemas.pages`` writes the pages that are made of the schemas; tests keep them so.

``docs/asyncapi.json`` is an AsyncAPI 3 document (https://www.asyncapi.com/docs/reference/specification/v3.0.0) of the
topics, ``docs/schema-reference.md`` has every field in every form.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tickwire.config.kafka_config import KafkaConfig
from tickwire.records.formats import CONTENT_TYPES
from tickwire.records.kinds import KINDS, Kind, topics_by_kind
from tickwire.schemas import schema_text

DOCS = Path(__file__).parents[2] / "docs"
_SCHEMA_FORMATS = {
    "json": "application/schema+json;version=draft-07",
    "avro": "application/vnd.apache.avro+json;version=1.9.0",
    "protobuf": "application/vnd.google.protobuf;version=3",
}
_FRAMING = (
    "In front of the {name} body stand the byte 0 and the id of the schema in the registry (four bytes, the highest "
    "first){index}."
)
_INDEX = {"avro": "", "protobuf": ", and one byte 0 for the first message of the file"}


def asyncapi() -> str:
    """The AsyncAPI document."""
    topics = topics_by_kind(KafkaConfig())
    messages = {f"{kind.name}_{name}": _message(kind, name) for kind in KINDS for name in CONTENT_TYPES}
    document = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "tickwire",
            "version": "1",
            "description": "Exchange market data in Kafka. The names of the topics are those of the default settings; "
            "each is written in the format of its setting, and may hold records of several.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {
            kind.name: {
                "address": topics[kind.name],
                "description": _doc(kind),
                "messages": {name: _ref("components", "messages", f"{kind.name}_{name}") for name in CONTENT_TYPES},
            }
            for kind in KINDS
        },
        "operations": {
            f"publish_{kind.name}": {"action": "send", "channel": _ref("channels", kind.name)} for kind in KINDS
        },
        "components": {"messages": messages},
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _ref(*path: str) -> dict[str, str]:
    return {"$ref": "#/" + "/".join(path)}


def _doc(kind: Kind) -> str:
    return str(json.loads(schema_text(kind.name, "avro"))["doc"])


def _message(kind: Kind, name: str) -> dict[str, Any]:
    text, content_type = schema_text(kind.name, name), CONTENT_TYPES[name].decode()
    headers = {"content-type": {"const": content_type}, "schema": {"const": kind.schema}}
    message = {
        "name": f"{kind.name}_{name}",
        "contentType": content_type,
        "headers": {"type": "object", "properties": headers, "required": list(headers)},
        "payload": {
            "schemaFormat": _SCHEMA_FORMATS[name],
            "schema": text if name == "protobuf" else json.loads(text),
        },
        "bindings": {"kafka": {"key": {"type": "string", "description": "exchange|symbol"}}},
    }
    if name in _INDEX:
        message["description"] = _FRAMING.format(name=name.capitalize(), index=_INDEX[name])
    return message


def reference() -> str:
    """The page with every field."""
    lines = [
        "# Schema reference",
        "",
        (
            "Every field of every message in Avro, Protobuf and JSON, for those who write readers. Generated from the "
            "files in `src/tickwire/schemas/` by `PYTHONPATH=tests python -m schemas.pages`. [Message "
            "format](message-format.md) explains the messages, [schemas](schemas.md) the registry."
        ),
    ]
    for kind in KINDS:
        schema = json.loads(schema_text(kind.name, "avro"))
        name = f"{schema['namespace']}.{schema['name']}"
        lines += ["", f"## `{name}`", "", f"{schema['doc']} Header `schema`: `{kind.schema}`."]
        lines += ["", "| field | Avro | Protobuf | JSON | meaning |", "| --- | --- | --- | --- | --- |"]
        lines += list(_rows(kind, schema["fields"]))
    return "\n".join(lines) + "\n"


def _rows(kind: Kind, fields: list[dict[str, Any]]) -> Iterator[str]:
    declared = {
        line.split(" = ")[0].rpartition(" ")[2]: line.strip().rstrip(";")
        for line in schema_text(kind.name, "protobuf").splitlines()
        if " = " in line and line.startswith("  ") and not line.startswith("   ")
    }
    properties = json.loads(schema_text(kind.name, "json"))["properties"]
    yield f'| `type` | | | `"{kind.name}"` | {properties["type"]["description"]} The others have it in the schema. |'
    for field in fields:
        name, rule = field["name"], properties[field["name"]]
        avro = field["type"] if isinstance(field["type"], list) else [field["type"]]
        written = " or ".join("array of Level" if isinstance(part, dict) else part for part in reversed(avro))
        several = rule.get("type", rule.get("enum"))
        said = " or ".join(several) if isinstance(several, list) else several
        level = field["type"]["items"] if isinstance(field["type"], dict) else {}
        said = "array of [price, size]" if said == "array" else said
        yield f"| `{name}` | {written} | `{declared[name]}` | {said} | {field['doc']} |"
        for number, part in enumerate(level["fields"] if isinstance(level, dict) and level else [], 1):
            inner, said = part["name"], part["doc"]
            yield f"| `{name}[].{inner}` | string | `string {inner} = {number}` | string | {said} |"


PAGES = {"asyncapi.json": asyncapi, "schema-reference.md": reference}

if __name__ == "__main__":
    for page, text in PAGES.items():
        (DOCS / page).write_text(text(), encoding="utf-8")
