"""The headers of dead letters, taken apart and put together."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from tickwire.errors import RecordRejected, Reject
from tickwire.kafka.dead_letters.headers import (
    HEADERS,
    REPLAY_HEADERS,
    HeaderList,
    describe,
    read_headers,
    shorten,
    split_headers,
)

OURS = [(name, b"1") for name in HEADERS]
others = st.lists(st.tuples(st.sampled_from(["trace", *HEADERS]), st.none() | st.binary(max_size=3)), max_size=5)


@given(before=others, after=others)
def test_our_block_is_found_among_headers_of_the_same_names(
    before: list[tuple[str, bytes | None]], after: list[tuple[str, bytes | None]]
) -> None:
    original, ours = split_headers([*before, *OURS, *after])
    assert original == [*before, *after]
    assert ours == dict.fromkeys(HEADERS, "1")


@given(headers=others)
def test_a_record_that_was_no_dead_letter_keeps_all_its_headers(headers: list[tuple[str, bytes | None]]) -> None:
    assert split_headers(headers) == (headers, {})


@pytest.mark.parametrize("value", [None, b"\xff"])
def test_a_block_that_is_no_text_is_not_ours(value: bytes | None) -> None:
    headers = [*OURS[:-1], (HEADERS[-1], value)]
    assert split_headers(headers) == (headers, {})


def test_the_same_names_in_another_order_are_not_ours() -> None:
    headers = [OURS[0], *OURS[:0:-1]]
    assert split_headers(headers) == (headers, {})


SPECIFIED: HeaderList = [("source_topic", b"ticks"), ("error_type", b"process")]


@given(before=others, after=others)
def test_our_own_dead_letters_are_read_as_they_were_written(
    before: list[tuple[str, bytes | None]], after: list[tuple[str, bytes | None]]
) -> None:
    headers = [*before, *OURS, *after]
    assert read_headers(headers) == split_headers(headers)


def test_the_two_specified_headers_make_a_dead_letter_and_nothing_else_of_it_is_taken_away() -> None:
    own: HeaderList = [("source_topic", b"mine"), ("attempts", b"mine"), ("trace", b"\xff"), ("failed_at", None)]
    assert read_headers([*own, *SPECIFIED]) == (
        own,
        {"source_topic": "ticks", "error_type": "process", "attempts": "mine"},
    )
    told = read_headers([*SPECIFIED, ("error_message", b"no price"), ("left_out", b"value")])[1]
    assert (told["error_message"], told["left_out"]) == ("no price", "value")


@pytest.mark.parametrize("missing", [0, 1])
@pytest.mark.parametrize("instead", [[], [None], [b"\xff"]])
def test_without_both_it_is_none(missing: int, instead: list[bytes | None]) -> None:
    headers = [SPECIFIED[1 - missing], *((SPECIFIED[missing][0], value) for value in instead)]
    assert read_headers(headers) == (headers, {})


def test_a_replay_that_failed_again_at_another_programs_consumer_keeps_its_count() -> None:
    block: HeaderList = [(name, b"2") for name in REPLAY_HEADERS]
    assert read_headers([("trace", b"1"), *block, *SPECIFIED]) == (
        [("trace", b"1")],
        {"source_topic": "ticks", "error_type": "process", "replay_count": "2"},
    )


@given(text=st.text(), limit=st.integers(0, 20))
def test_text_is_cut_between_characters(text: str, limit: int) -> None:
    short = shorten(text, limit)
    assert len(short) <= limit
    assert text.startswith(short.decode())
    assert len(short) > limit - 4 or short.decode() == text


def test_lone_surrogates_are_written_as_escapes() -> None:
    assert shorten("a\ud800", 100) == b"a\\ud800"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RecordRejected("schema", "no price"), ("schema", "tickwire.errors.RecordRejected", "no price")),
        (Reject("too old"), ("process", "tickwire.errors.Reject", "too old")),
        (RecordRejected("made up", "x"), ("process", "tickwire.errors.RecordRejected", "x")),
        (KeyError("price"), ("process", "KeyError", "KeyError: 'price'")),
        (ValueError(), ("process", "ValueError", "ValueError")),
    ],
)
def test_an_error_is_named(error: Exception, expected: tuple[str, str, str]) -> None:
    assert describe(error, 1)[:3] == expected
