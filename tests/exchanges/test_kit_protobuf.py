"""Protocol Buffers: what was written is read, what is no message is refused, whatever the bytes."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges.protobuf import message, number
from tickwire.exchanges.kit import Message

FIELDS = st.integers(1, 2**29 - 1)
NUMBERS = st.integers(0, 2**64 - 1)


@given(fields=st.dictionaries(FIELDS, NUMBERS | st.text(max_size=300), max_size=12))
def test_what_was_written_is_read(fields: dict[int, int | str]) -> None:
    read = Message(message(*fields.items()))
    for name, value in fields.items():
        assert name in read
        assert (read.text(name) if isinstance(value, str) else read.number(name)) == value


def test_a_field_that_comes_again_replaces_a_scalar_and_joins_messages() -> None:
    inner = [message((1, text)) for text in ("a", "b")]
    read = Message(message((1, "old"), (1, "new"), (2, 3), (2, 4), (7, inner[0]), (7, inner[1])))
    assert (read.text(1), read.number(2), [each.text(1) for each in read.messages(7)]) == ("new", 4, ["a", "b"])


def test_what_is_missing_is_empty() -> None:
    read = Message(b"")
    assert 5 not in read
    assert (read.text(5), read.number(5), read.messages(5)) == ("", 0, [])


def test_fields_of_fixed_length_are_passed_over() -> None:
    fixed = number(3 << 3 | 1) + bytes(8) + number(4 << 3 | 5) + bytes(4)
    assert Message(fixed + message((1, "x"))).text(1) == "x"


def test_a_field_is_read_as_what_it_is() -> None:
    read = Message(message((1, 5), (2, "x"), (3, b"\xff")))
    for wrong in (lambda: read.text(1), lambda: read.messages(1), lambda: read.number(2), lambda: read.text(3)):
        with pytest.raises(ValueError):
            wrong()


@pytest.mark.parametrize(
    "data",
    [
        b"\x08",  # a key alone
        b"\x08\x80",  # a number without its end
        b"\x08" + b"\x80" * 10 + b"\x01",  # one of more than 64 bits
        b"\x0a\x05abc",  # text that is cut
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f" + b"a" * 100,  # a length beyond all memory
        b"\x0b",  # a group
        b"\x0f",  # a wire type that does not exist
        b"\x09\x00",  # eight bytes that are cut
    ],
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        Message(data)


@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_value_error(data: bytes) -> None:
    with suppress(ValueError):
        read = Message(data)
        for name in range(1, 20):
            for ask in (read.text, read.number, read.messages):
                with suppress(ValueError):
                    ask(name)
