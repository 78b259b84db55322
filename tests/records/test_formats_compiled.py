"""The compiled forms that write and read Avro and Protobuf, held against the Python forms on what is odd."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from record_support import FORMATS, events
from tickwire.compiled import native, python_forms
from tickwire.errors import RecordRejected
from tickwire.events.types import MarketEvent
from tickwire.records.kinds import KIND_OF

pytestmark = pytest.mark.skipif(native is None, reason="there is no compiled part")

ENCODERS = {"avro": "AvroEncoder", "protobuf": "ProtobufEncoder"}
READERS = {"avro": "AvroReader", "protobuf": "ProtobufReader"}
HEAD = {"avro": 5, "protobuf": 6}  # bytes in front of a body
every_event = st.one_of(*events.values())


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, str, bytes]:
    event, name = draw(every_event), draw(st.sampled_from(FORMATS))
    kind = KIND_OF[type(event)].name
    value = bytearray(python_forms[ENCODERS[name]](kind, 7)(msgspec.json.encode(event)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(HEAD[name], len(value)))
        value[at : at + draw(st.integers(0, 4))] = draw(st.binary(max_size=4))
    return kind, name, bytes(value)


@given(value=damaged())
def test_both_forms_of_the_code_say_the_same_of_damaged_values(value: tuple[str, str, bytes]) -> None:
    kind, name, data = value
    says: list[MarketEvent | str] = []
    for form in (getattr(native, READERS[name]), python_forms[READERS[name]]):
        try:
            says.append(form(kind)(data))
        except RecordRejected as e:
            says.append(str(e))
    assert says[0] == says[1]


@st.composite
def damaged_text(draw: st.DrawFn) -> tuple[str, bytes]:
    event = draw(every_event)
    text = bytearray(msgspec.json.encode(event))
    for _ in range(draw(st.integers(1, 2))):
        at = draw(st.integers(0, len(text)))
        more = st.sampled_from(
            [b"", b" ", b"0", b"-", b'"', b"\\", b"\xff", b"null", b"[", b"]", b",", b"1.0", b"9" * 18]
        )
        text[at : at + draw(st.integers(0, 2))] = draw(more)
    return KIND_OF[type(event)].name, bytes(text)


@pytest.mark.parametrize("encoder", ENCODERS.values())
@given(text=damaged_text())
def test_both_forms_of_the_code_say_the_same_of_text_that_we_do_not_write(
    encoder: str, text: tuple[str, bytes]
) -> None:
    kind, data = text
    says: list[bytes | str] = []
    for form in (getattr(native, encoder), python_forms[encoder]):
        try:
            says.append(form(kind, 1)(data))
        except (msgspec.DecodeError, UnicodeDecodeError, OverflowError, AttributeError) as e:
            says.append(str(e))
    assert says[0] == says[1]
