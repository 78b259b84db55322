#!/usr/bin/env bash
# msgspec 0.22.0: a tagged Struct accepts a message without its tag; in a union of two the same message is refused.
#
# Expected: tag="match" makes the tag part of the message's shape wherever the type is used.
# Seen: decoded as Match alone, {"price":"1"} is a Match, although a wrong tag is an error; as Match | Other it is an error. A
# decoder that began with one kind of message therefore takes every other that has its fields, until a second kind joins.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check msgspec==0.22.0
"$work/venv/bin/python" - <<'EOF'
import msgspec

print("msgspec", msgspec.__version__)


class Match(msgspec.Struct, tag_field="type", tag="match"):
    price: str


class Other(msgspec.Struct, tag_field="type", tag="other"):
    price: str


def decode(text: bytes, kind: object) -> str:
    try:
        return repr(msgspec.json.decode(text, type=kind))
    except msgspec.ValidationError as error:
        return f"refused: {error}"


alone, wrong = decode(b'{"price":"1"}', Match), decode(b'{"type":"other","price":"1"}', Match)
union = decode(b'{"price":"1"}', Match | Other)
print(f"no tag, alone: {alone}\nwrong tag, alone: {wrong}\nno tag, in a union: {union}")
assert alone == "Match(price='1')", alone
assert wrong.startswith("refused"), wrong
assert union.startswith("refused"), union
EOF
