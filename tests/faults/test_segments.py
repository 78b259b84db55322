"""Copies of the client library are told from others by the headers of their batches."""

import struct
from pathlib import Path

import pytest

from faults.checker import Content, Place
from faults.segments import Segments, batches


def batch(first: int, records: int, producer: int, epoch: int) -> bytes:
    """As https://kafka.apache.org/documentation/#recordbatch has it; the records themselves are not read."""
    after_length = struct.pack(">ibIh", 0, 2, 0, 0)  # leader's epoch, magic, checksum, attributes
    after_length += struct.pack(">iqqqhii", records - 1, 1, 1, producer, epoch, 7, records)
    after_length += b"record" * records
    return struct.pack(">qi", first, len(after_length)) + after_length


@pytest.fixture
def kafka(tmp_path: Path) -> Path:
    """Three nodes, of which the second is behind; a partition in two segments, the newer with room behind its end."""
    older = batch(0, 3, 11, 0) + batch(3, 1, 12, 0)
    newer = batch(4, 2, 11, 2) + batch(6, 1, 13, 0)
    for node, segments in enumerate(([older, newer + bytes(100)], [older], [older, newer]), 1):
        partition = tmp_path / f"node-{node}" / "data" / "books-0"
        partition.mkdir(parents=True)
        for number, segment in enumerate(segments):
            (partition / f"{4 * number:020}.log").write_bytes(segment)
    return tmp_path


def test_every_batch_is_read_and_room_behind_them_is_not() -> None:
    found = list(batches(batch(0, 3, 11, 0) + batch(3, 1, 12, 5) + bytes(200)))
    assert found == [(0, 2, 11, 0), (3, 3, 12, 5)]
    assert list(batches(batch(0, 3, 11, 0)[:40])) == []


@pytest.mark.parametrize(
    ("first", "again", "resent"),
    [
        (1, 5, True),  # the same producer, in a later epoch
        (0, 2, False),  # in one epoch, where the broker should have known it
        (5, 1, False),  # in an earlier epoch
        (1, 6, False),  # of another producer
        (1, 7, False),  # not there
    ],
)
def test_only_the_same_producer_in_a_later_epoch_sent_a_record_again(
    kafka: Path, first: int, again: int, resent: bool
) -> None:
    assert Segments(kafka).resent(Place("books", 0, first), Place("books", 0, again)) is resent


def test_copies_in_a_log_are_looked_up_by_what_they_say(kafka: Path) -> None:
    contents = [Content("k", number) for number in (0, 1, 2, 3, 1, 2, 3)]
    log = {Place("books", 0, offset): content for offset, content in enumerate(contents)}
    assert Segments(kafka).resent_of(log) == {Place("books", 0, 4), Place("books", 0, 5)}, "not that of 13, another one"


def test_a_partition_without_files_proves_nothing(tmp_path: Path) -> None:
    assert not Segments(tmp_path).resent(Place("books", 0, 1), Place("books", 0, 5))
