"""Damaged bytes on disk: nothing wrong is ever read, and what is lost is counted."""

from pathlib import Path

import google_crc32c
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kafka.spill.spill_support import Clock, fast_folder, open_log, read_all, record, segment_files
from tickwire.errors import SpillUnusable
from tickwire.kafka.spill import Recovery, segment
from tickwire.records.codec import Record

MAX_BYTES = 16_000  # files of 2,000 bytes
COUNT = 40


def fill(folder: Path) -> dict[int, Record]:
    """Leave a log of several files behind; the last one holds more than one record."""
    log = open_log(folder, max_bytes=MAX_BYTES)
    records = {log.append(r): r for r in (record(n, bytes(range(n, 3 * n))) for n in range(COUNT))}
    log.close()
    assert len(segment_files(folder)) > 3
    return records


def flip(path: Path, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)


def pick_bit(data: st.DataObject, files: list[Path]) -> tuple[Path, int]:
    path = data.draw(st.sampled_from(files))
    return path, data.draw(st.integers(0, path.stat().st_size * 8 - 1))


def check(folder: Path, records: dict[int, Record], *, shortened: bool = False) -> tuple[set[int], Recovery]:
    """Open, read everything, and hold it against what was written; return what is missing."""
    log = open_log(folder, max_bytes=MAX_BYTES)
    found = read_all(log)
    log.close()
    assert found.items() <= records.items(), "a record that was never written"
    missing = records.keys() - found.keys()
    newest = max(records)
    uncounted = len(missing) - log.recovered.lost_records
    # Only at the very end are bytes all that can be told, and nothing when it was cut off between two records.
    assert uncounted == 0 or (newest in missing and (log.recovered.torn_bytes > 0 or shortened))
    assert log.recovered.records == len(found)
    assert log.damaged == 0
    return missing, log.recovered


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_one_flipped_bit_costs_at_most_its_own_record(data: st.DataObject) -> None:
    with fast_folder() as folder:
        records = fill(folder)
        flip(*pick_bit(data, segment_files(folder)))
        missing, first_time = check(folder, records)
        assert len(missing) <= 1
        assert bool(missing) == bool(first_time.sentences)
        missing_again, second_time = check(folder, {n: r for n, r in records.items() if n not in missing})
        assert (missing_again, second_time.sentences) == (set(), ())


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_overwritten_ranges_and_missing_ends_are_counted(data: st.DataObject) -> None:
    with fast_folder() as folder:
        records = fill(folder)
        newest, shortened = segment_files(folder)[-1], False
        for _ in range(data.draw(st.integers(1, 3))):
            path, bit = pick_bit(data, [f for f in segment_files(folder) if f.stat().st_size > 0])
            content = path.read_bytes()
            garbage = data.draw(st.binary(min_size=1, max_size=60) | st.just(bytes(500)))
            start = bit // 8
            cut = data.draw(st.booleans())
            shortened |= cut and path == newest
            path.write_bytes(content[:start] + (b"" if cut else garbage + content[start + len(garbage) :]))
        check(folder, records, shortened=shortened)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_bit_that_flips_while_the_log_is_open_is_counted_exactly(data: st.DataObject) -> None:
    with fast_folder() as folder:
        records = fill(folder)
        log = open_log(folder, max_bytes=MAX_BYTES)
        flip(*pick_bit(data, segment_files(folder)))
        found = read_all(log)
        assert found.items() <= records.items()
        assert log.damaged == len(records) - len(found) <= 1
        assert log.records == len(found)
        for number in found:
            log.acknowledge(number)
        assert log.empty
        log.close()
        assert segment_files(folder) == []


def test_without_the_checksum_the_same_check_finds_wrong_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: this suite can tell a log that trusts its disk."""
    records = fill(tmp_path)
    path = segment_files(tmp_path)[1]
    last = max(number for number, r in records.items() if r.value in path.read_bytes())
    flip(path, (path.read_bytes().index(records[last].value) + 5) * 8)
    monkeypatch.setattr(segment, "_intact", lambda data, position, end: end <= len(data))
    with pytest.raises(AssertionError, match="never written"):
        check(tmp_path, records)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damage_in_the_list_of_acknowledged_records_costs_nothing_but_repetition(data: st.DataObject) -> None:
    with fast_folder() as folder:
        clock = Clock()
        log = open_log(folder, max_bytes=MAX_BYTES, clock=clock)
        records = {log.append(record(n)): record(n) for n in range(COUNT)}
        acknowledged = data.draw(st.sets(st.sampled_from(sorted(records)), min_size=1, max_size=COUNT - 1))
        for number in acknowledged:
            log.acknowledge(number)
        log.close()
        path = folder / "acknowledged"
        flip(path, data.draw(st.integers(0, path.stat().st_size * 8 - 1)))
        log = open_log(folder, max_bytes=MAX_BYTES)
        found = read_all(log)
        log.close()
        assert records.keys() - acknowledged <= found.keys()
        assert found.items() <= records.items()
        assert log.recovered.done_damaged


@pytest.mark.parametrize("content", [b"", b"\0" * 4, b"\0" * 64, b"\xff" * 8, b"\xff" * 64])
def test_a_list_of_acknowledged_records_that_the_disk_gave_back_blank_costs_nothing_but_repetition(
    tmp_path: Path, content: bytes
) -> None:
    """Some of these have their own checksum: CRC-32C of nothing is 0, that of four bytes of ones is ones."""
    log = open_log(tmp_path, max_bytes=MAX_BYTES)
    records = {log.append(record(n)): record(n) for n in range(COUNT)}
    log.acknowledge(min(records))
    log.close()
    (tmp_path / "acknowledged").write_bytes(content)
    log = open_log(tmp_path, max_bytes=MAX_BYTES)
    assert log.recovered.done_damaged
    assert read_all(log) == records
    log.close()


def test_frames_of_another_file_inside_a_value_are_not_taken_for_records(tmp_path: Path) -> None:
    """Even when the frame around them is damaged, so that the framing must be found again."""
    fill(tmp_path / "a")
    foreign = segment_files(tmp_path / "a")[0].read_bytes()
    log = open_log(tmp_path / "b")
    records = {log.append(r): r for r in (record(1, b"a"), record(2, foreign), record(3, b"c"))}
    log.close()
    path = segment_files(tmp_path / "b")[0]
    flip(path, (path.read_bytes().index(b"2:") - 1) * 8)
    missing, _ = check(tmp_path / "b", records)
    assert missing == {sorted(records)[1]}


@pytest.mark.parametrize("which", [0, 2, -1])
def test_a_file_whose_header_is_gone_is_lost_and_counted(tmp_path: Path, which: int) -> None:
    records = fill(tmp_path)
    path = segment_files(tmp_path)[which]
    content = path.read_bytes()
    path.write_bytes(bytes(segment.HEADER_BYTES) + content[segment.HEADER_BYTES :])
    missing, recovery = check(tmp_path, records)
    assert len(missing) > 1
    assert recovery.sentences


def test_a_deleted_file_is_noticed(tmp_path: Path) -> None:
    records = fill(tmp_path)
    segment_files(tmp_path)[1].unlink()
    missing, recovery = check(tmp_path, records)
    assert recovery.lost_records == len(missing) > 1


def test_a_renamed_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    fill(tmp_path)
    first, second = segment_files(tmp_path)[:2]
    first.rename(second)
    with pytest.raises(SpillUnusable) as caught:
        open_log(tmp_path)
    assert second.name in str(caught.value)


def test_a_folder_of_a_later_version_is_refused_with_what_to_do(tmp_path: Path) -> None:
    fill(tmp_path)
    path = segment_files(tmp_path)[0]
    content = path.read_bytes()
    half = segment.HEADER_BYTES // 2
    fields = content[:8] + (segment.VERSION + 1).to_bytes(2, "little") + content[10 : half - 4]
    header = fields + google_crc32c.value(fields).to_bytes(4, "little")
    path.write_bytes(header * 2 + content[2 * half :])
    with pytest.raises(SpillUnusable) as caught:
        open_log(tmp_path)
    assert caught.value.exit_code == 2
    assert f"format {segment.VERSION + 1}" in str(caught.value)
    assert path.read_bytes()[2 * half :] == content[2 * half :]
