"""Protobuf: what was written is read, what is no message is refused, whatever the bytes, and both forms agree."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exchanges.protobuf import message, number
from forms import FORMS, use
from tickwire.events import protobuf
from tickwire.events.protobuf import NUMBER, SIZED, TEXT, VARINT, Field, wire_fields
from tickwire.exchanges._mexc import FIELDS as A_REAL_ONE

LEVEL = (Field(1, "", TEXT), Field(2, "", TEXT))
INNER = (Field(1, "levels", LEVEL, many=True), Field(7, "name", TEXT))
FIELDS = (Field(3, "text", TEXT), Field(1, "n", NUMBER), Field(313, "in", INNER), Field(5, "many", NUMBER, many=True))


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> Iterator[None]:
    with use(request.param):
        yield


in_each_form = pytest.mark.usefixtures("form")


@given(st.dictionaries(st.integers(1, 2**29 - 1), st.integers(0, 2**64 - 1) | st.binary(max_size=300), max_size=12))
def test_what_was_written_is_taken_apart(fields: dict[int, int | bytes]) -> None:
    expected = [(name, VARINT if isinstance(value, int) else SIZED, value) for name, value in fields.items()]
    assert wire_fields(message(*fields.items()), 0) == expected


LEVELS = [message((1, "9.0"), (2, "1")), message((2, "2"), (1, "8")), b""]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", '{"text":"","n":0,"many":[]}'),
        (message((1, 2**62), (3, "x y")), '{"text":"x y","n":4611686018427387904,"many":[]}'),
        (message((5, 1), (5, 300), (9, "not known"), (2, 7)), '{"text":"","n":0,"many":[1,300]}'),
        (
            message((313, message(*((1, level) for level in LEVELS), (7, "z")))),
            '{"text":"","n":0,"in":{"levels":[["9.0","1"],["8","2"],["",""]],"name":"z"},"many":[]}',
        ),
        (message((3, "old"), (3, "new")), '{"text":"new","n":0,"many":[]}'),
        (message((3, 'a"\\ü\n')), '{"text":"a\\"\\\\ü\\n","n":0,"many":[]}'),
        (
            number(4 << 3 | 1) + bytes(8) + number(8 << 3 | 5) + bytes(4) + message((1, 6)),
            '{"text":"","n":6,"many":[]}',
        ),
        (message((1, 2**64 - 1)), '{"text":"","n":18446744073709551615,"many":[]}'),
        (message((313, b"")), '{"text":"","n":0,"in":{"levels":[],"name":""},"many":[]}'),
    ],
)
@in_each_form
def test_a_message_is_text_of_the_fields_that_are_asked_for(data: bytes, text: str) -> None:
    assert protobuf.ProtobufText(FIELDS)(data).decode() == text


NONE = [
    b"\x08",  # a key alone
    b"\x08\x80",  # a number without its end
    b"\x08" + b"\x80" * 10 + b"\x01",  # one of more than 64 bits
    b"\x0a\x05abc",  # text that is cut
    b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f" + b"a" * 100,  # a length beyond all memory
    b"\x0b",  # a group
    b"\x0f",  # a wire type that does not exist
    b"\x21\x00",  # eight bytes that are cut
    b"\x00\x01",  # a field without a number
    message((1, "text")), message((3, 5)), message((313, 5)), message((5, "x")),  # not what the field is
    message((313, message((1, 5)))), message((313, message((1, "\x0a")))), message((3, b"\xff")),
]  # fmt: skip


@pytest.mark.parametrize("data", NONE)
@in_each_form
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        protobuf.ProtobufText(FIELDS)(data)


fields = st.sampled_from([1, 2, 3, 4, 5, 6, 313, 314, 315])
values = st.integers(0, 2**64 - 1) | st.text('0.1aü"', max_size=4) | st.just(LEVELS[0]) | st.binary(max_size=3)
flat = st.lists(st.tuples(fields, values), max_size=5).map(lambda said: message(*said))
nested = st.lists(st.tuples(fields, flat | values), max_size=5).map(lambda said: message(*said))
deep = st.lists(st.tuples(fields, nested | flat | values), max_size=6).map(lambda said: message(*said))


@given(deep | st.binary(max_size=60))
@example(message((313, b""), (313, b"")))
def test_any_bytes_give_the_same_in_both_forms_or_are_refused_by_both(data: bytes) -> None:
    answers: list[Any] = []
    for each in FORMS:
        with use(each):
            for of in (FIELDS, A_REAL_ONE):
                text = None
                with suppress(ValueError):
                    text = msgspec.json.decode(protobuf.ProtobufText(of)(data))
                answers.append(text)
    assert answers[2:] in ([], answers[:2])
