"""What a replay remembers: exactly the offsets that it was told, through a commit and back."""

import base64
import tracemalloc
import zlib

import hypothesis.strategies as st
import pytest
from hypothesis import given

from tickwire.kafka.dead_letters.replay.handled import METADATA_BYTES, Handled

RANGES = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 40)), max_size=30)


@given(start=st.integers(0, 100), ranges=RANGES)
def test_it_is_the_set_of_all_offsets_that_were_added(start: int, ranges: list[tuple[int, int]]) -> None:
    handled, model = Handled(start), set(range(start))
    for first, length in ranges:
        handled.add(first, first + length)
        model |= set(range(first, first + length))
    assert {offset for offset in range(400) if offset in handled} == model
    assert handled.position == min(set(range(401)) - model)
    assert handled.gaps == (len(model) > handled.position)
    again = Handled.decode(handled.position, handled.encode())
    assert again.position == handled.position
    assert {offset for offset in range(400) if offset in again} == model


@pytest.mark.parametrize("first", [7, 10**9])
def test_what_is_before_the_first_offset_costs_no_memory(first: int) -> None:
    handled = Handled(0, [2])
    tracemalloc.start()
    handled.add(0, first)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (handled.position, handled.gaps) == (first, False)
    assert peak < 10_000


def test_a_copy_is_another_one() -> None:
    handled = Handled(0, [5])
    other = handled.copy()
    other.add(0, 3)
    assert (handled.position, other.position, 5 in other) == (0, 3, True)


@pytest.mark.parametrize("metadata", [None, "", "someone else's", "tickwire-1 !!", "tickwire-1 AAAA"])
def test_other_metadata_leaves_the_position_to_count_alone(metadata: str | None) -> None:
    handled = Handled.decode(7, metadata)
    assert (handled.position, handled.gaps) == (7, False)


def test_a_bomb_does_not_fill_the_memory() -> None:
    bomb = base64.b64encode(zlib.compress(b"\0" * 100_000_000, 9)).decode()
    handled = Handled.decode(0, f"tickwire-1 {bomb}")
    assert handled._bits.bit_length() <= 64 * 1024 * 1024 * 8


def test_a_million_left_out_dead_letters_fit_when_they_are_in_runs() -> None:
    handled = Handled(0)
    for first in range(0, 1_000_000, 20_000):
        handled.add(first + 1, first + 15_000)
    assert len(handled.encode()) < METADATA_BYTES
