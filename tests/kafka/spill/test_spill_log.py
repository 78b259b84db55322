import errno
import os
import shutil
import stat
from pathlib import Path

import msgspec
import pytest

from kafka.spill.spill_support import Clock, open_log, read_all, record, segment_files
from tickwire.errors import SpillFailed, SpillFull
from tickwire.kafka.spill import SpillLog
from tickwire.records.codec import Record, RecordWriter, read_event


def values(found: dict[int, Record]) -> list[Record]:
    return list(found.values())


def test_records_come_out_whole_and_in_the_order_they_went_in(tmp_path: Path) -> None:
    sent = [record(n, b"\x00\xff" * n) for n in range(50)]
    log = open_log(tmp_path / "new" / "spill")
    numbers = [log.append(r) for r in sent]
    assert log.read(20) + log.read(1000) == list(zip(numbers, sent, strict=True))
    assert log.read(1) == []
    assert log.records == 50
    log.close()


def test_the_folder_belongs_to_its_user_alone(tmp_path: Path) -> None:
    folder = tmp_path / "spill"
    log = open_log(folder)
    log.append(record(1))
    log.close()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(f.stat().st_mode) & 0o077 for f in segment_files(folder)} == {0}


def test_what_is_appended_while_reading_is_read_next(tmp_path: Path) -> None:
    log = open_log(tmp_path, max_bytes=8000)
    for n in range(30):
        log.append(record(n))
        ((_, found),) = log.read(10)
        assert found == record(n)
    assert len(segment_files(tmp_path)) > 3
    log.close()


def test_a_file_goes_only_when_all_its_records_and_all_files_before_it_are_acknowledged(tmp_path: Path) -> None:
    log = open_log(tmp_path, max_bytes=8000)
    numbers = [log.append(record(n)) for n in range(40)]
    files = segment_files(tmp_path)
    for number in reversed(numbers[1:]):
        log.acknowledge(number)
    log.flush()
    assert segment_files(tmp_path) == files
    log.acknowledge(numbers[0])
    assert log.empty
    log.close()
    assert segment_files(tmp_path) == []


def test_acknowledging_twice_counts_once_and_an_unknown_number_is_refused(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    first, second = log.append(record(1)), log.append(record(2))
    log.acknowledge(first)
    log.acknowledge(first)
    assert log.records == 1
    with pytest.raises(ValueError):
        log.acknowledge(second + 1)
    log.close()


def test_rewind_hands_out_again_exactly_what_is_not_acknowledged(tmp_path: Path) -> None:
    log = open_log(tmp_path, max_bytes=8000)
    numbers = [log.append(record(n)) for n in range(40)]
    log.read(30)
    for number in numbers[:25:2]:
        log.acknowledge(number)
    log.rewind()
    assert list(read_all(log)) == [n for n in numbers if n not in numbers[:25:2]]
    log.close()


def test_reading_goes_on_behind_a_file_that_was_removed_meanwhile(tmp_path: Path) -> None:
    log = open_log(tmp_path, max_bytes=8000)
    numbers = [log.append(record(n)) for n in range(40)]
    log.read(2)
    for number in numbers[:20]:
        log.acknowledge(number)
    assert list(read_all(log)) == numbers[20:]
    log.close()


def test_what_was_acknowledged_is_not_handed_out_after_a_clean_restart(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    numbers = [log.append(record(n)) for n in range(10)]
    for number in numbers[::2]:
        log.acknowledge(number)
    log.close()
    log = open_log(tmp_path)
    assert log.recovered.records == log.records == 5
    assert log.recovered.sentences == ()
    assert list(read_all(log)) == numbers[1::2]
    log.close()


def test_prepended_records_come_first_even_when_their_numbers_were_acknowledged_before(tmp_path: Path) -> None:
    clock = Clock()
    log = open_log(tmp_path, max_bytes=8000, clock=clock)
    numbers = [log.append(record(n)) for n in range(40)]
    for number in numbers[:1] + numbers[2:8]:
        log.acknowledge(number)
    clock.now += 1
    log.sync()  # the list of acknowledged numbers is on disk
    log.acknowledge(numbers[1])  # and the first file goes
    assert segment_files(tmp_path)[0].name > f"{numbers[0]:020d}"
    before = [record(100 + n) for n in range(7)]
    log.prepend(before)
    log.close()
    log = open_log(tmp_path, max_bytes=8000)
    assert values(read_all(log))[:8] == [*before, record(8)]
    log.close()


def test_what_is_put_in_front_while_the_log_is_read_is_read_by_the_next_start_only(
    tmp_path: Path,
) -> None:
    log = open_log(tmp_path)
    behind = [record(n) for n in range(4)]
    numbers = [log.append(each) for each in behind]
    assert log.read(1) == [(numbers[0], behind[0])]
    before = [record(n) for n in range(10, 13)]
    front = log.begin_prepend(before)
    later = record(4)
    behind.append(later)
    numbers.append(log.append(later))
    log.end_prepend(front, front.run)
    assert log.records == 8
    assert log.read(10) == list(zip(numbers, behind, strict=True))[1:]
    log.acknowledge(front.first)
    log.close()
    log = open_log(tmp_path)
    assert [each for _, each in log.read(10)] == before[1:] + behind


def test_what_is_put_in_front_of_an_empty_log_is_not_read_now(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    front = log.begin_prepend([record(1), record(2)])
    log.end_prepend(front, front.run)
    assert log.read(10) == []
    number = log.append(record(3))
    assert log.read(10) == [(number, record(3))]
    for each in range(front.first, number + 1):
        log.acknowledge(each)
    log.flush()
    assert (log.empty, log.bytes) == (True, 0)


def test_a_prepend_that_does_not_fit_writes_nothing(tmp_path: Path) -> None:
    log = open_log(tmp_path, max_bytes=2000)
    log.append(record(1))
    with pytest.raises(SpillFull) as caught:
        log.prepend([record(n, bytes(100)) for n in range(20)])
    assert caught.value.reason == "budget"
    assert values(read_all(log)) == [record(1)]
    log.close()
    assert len(segment_files(tmp_path)) == 1


def test_a_full_budget_refuses_and_room_comes_back_with_acknowledged_files(tmp_path: Path) -> None:
    log = open_log(tmp_path, max_bytes=4000)
    numbers: list[int] = []
    with pytest.raises(SpillFull) as caught:  # noqa: PT012 - until it is full
        while True:
            numbers.append(log.append(record(len(numbers))))
    assert caught.value.reason == "budget"
    assert 3000 < log.bytes <= 4000
    assert log.bytes == sum(f.stat().st_size for f in segment_files(tmp_path))
    for number in numbers[:10]:
        log.acknowledge(number)
    log.flush()
    log.append(record(99))
    assert values(read_all(log))[-1] == record(99)
    log.close()


def test_a_record_larger_than_a_file_should_be_gets_one_for_itself(tmp_path: Path) -> None:
    log = open_log(tmp_path, max_bytes=4 << 20)
    sent = [record(1), record(2, os.urandom(3 << 20)), record(3)]
    for r in sent:
        log.append(r)
    log.close()
    log = open_log(tmp_path, max_bytes=4 << 20)
    assert values(read_all(log)) == sent
    log.close()


def test_nothing_is_synced_before_it_is_due(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    log = open_log(tmp_path, clock=clock)
    log.append(record(1))
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    clock.now += 0.499
    log.sync()
    assert synced == []
    clock.now += 0.001
    log.sync()
    assert len(synced) == 1
    clock.now += 1
    log.sync()  # nothing new
    assert len(synced) == 1
    log.close()


def test_the_list_of_acknowledged_records_is_replaced_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    log = open_log(tmp_path, clock=clock)
    for number in [log.append(record(n)) for n in range(4)][:3]:
        log.acknowledge(number)
        clock.now += 1
        log.sync()
    before = (tmp_path / "acknowledged").read_bytes()
    seen: list[tuple[bytes, bytes]] = []
    replace = os.replace

    def look_and_replace(new: Path, old: Path) -> None:
        seen.append((Path(old).read_bytes(), Path(new).read_bytes()))
        replace(new, old)

    monkeypatch.setattr(os, "replace", look_and_replace)
    log.acknowledge(max(read_all(log)))
    log.close()
    assert seen == [(before, (tmp_path / "acknowledged").read_bytes())]


def test_a_read_error_is_said_and_loses_no_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = open_log(tmp_path, max_bytes=8000)
    numbers = [log.append(record(n)) for n in range(40)]
    log.read(3)

    def fail(*_: object) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", fail)
        with pytest.raises(SpillFailed):
            log.read(100)
    assert list(read_all(log)) == numbers[3:]
    assert log.damaged == 0
    log.close()


def test_a_failed_sync_is_said_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    log = open_log(tmp_path, clock=clock)
    log.append(record(1))
    clock.now += 1

    def fail(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(SpillFailed):
            log.sync()
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    clock.now += 1
    log.sync()
    assert len(synced) == 1
    log.close()


def test_an_empty_log_takes_no_room_and_its_numbers_go_on(tmp_path: Path) -> None:
    clock = Clock()
    log = open_log(tmp_path, clock=clock)
    number = log.append(record(1))
    log.acknowledge(number)
    clock.now += 1
    log.sync()
    assert (log.bytes, segment_files(tmp_path)) == (0, [])
    assert log.append(record(2)) == number + 1
    assert list(read_all(log)) == [number + 1]
    log.close()


@pytest.mark.parametrize("size", [0, 1, 30, 51])
def test_a_file_that_was_only_begun_is_no_obstacle(tmp_path: Path, size: int) -> None:
    log = open_log(tmp_path)
    number = log.append(record(1))
    log.close()
    (tmp_path / f"{number + 1:020d}.spill").write_bytes(bytes(size))
    (tmp_path / "acknowledged.tmp").write_bytes(b"half")
    log = open_log(tmp_path)
    assert (log.recovered.torn_bytes, log.recovered.lost_records) == (size, 0)
    log.append(record(2))
    assert values(read_all(log)) == [record(1), record(2)]
    log.close()


def test_memory_stays_small_while_reading(tmp_path: Path) -> None:
    import tracemalloc  # noqa: PLC0415 - only here

    log = open_log(tmp_path, max_bytes=64 << 20)
    for n in range(20_000):
        log.append(record(n, bytes(900)))
    tracemalloc.start()
    try:
        while log.read(100):
            pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        log.close()
    assert peak < 2 << 20


def test_opening_is_possible_right_after_closing(tmp_path: Path) -> None:
    for _ in range(3):
        log: SpillLog = open_log(tmp_path)
        log.close()


def test_a_file_of_format_1_is_read_and_its_values_say_what_it_lacks(tmp_path: Path) -> None:
    shutil.copytree(Path(__file__).with_name("format_1"), tmp_path / "spill")
    log = open_log(tmp_path / "spill")
    found = values(read_all(log))
    assert [(r.topic, r.kind, r.action, r.exchange_symbol) for r in found] == [
        ("orderbook.v1.raw", "orderbook", "snapshot", "BTCUSDT"),
        ("orderbook.v1.raw", "orderbook", "delta", "BTCUSDT"),
        ("ticks.v1.raw", "ticker", None, "BTCUSDT"),
        ("orderbook.v1.raw", "orderbook", "invalid", "BTCUSDT"),
    ]
    assert (log.recovered.lost_records, log.damaged) == (0, 0)
    writer = RecordWriter({"ticker": "ticks.v1.raw", "orderbook": "orderbook.v1.raw"})
    assert [writer.write(read_event(r.key, r.value, r.headers)) for r in found] == found
    log.append(found[0])  # goes to a file of its own
    assert values(read_all(log)) == found[:1]
    log.close()


def test_what_is_known_of_a_record_comes_back_without_a_look_at_its_value(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    sent = msgspec.structs.replace(record(1, b"no JSON"), action="invalid", exchange_symbol="XBT/USD")
    log.append(sent)
    assert values(read_all(log)) == [sent]
    log.close()


def test_what_comes_while_the_disk_works_on_a_full_file_begins_the_next_one(tmp_path: Path) -> None:
    clock = Clock()
    log = open_log(tmp_path, max_bytes=6000, clock=clock)
    log.waits = False
    sent = [record(n) for n in range(14)]
    for batch in (sent[:7], sent[7:7], sent[7:10], sent[10:]):
        clock.now += 1
        sync = log.begin_sync()
        assert sync is not None
        for each in batch:
            log.append(each)
        log.end_sync(sync, sync.run)
    assert len(segment_files(tmp_path)) > 1
    assert values(read_all(log)) == sent
    assert log.bytes == sum(file.stat().st_size for file in segment_files(tmp_path))
    log.close()
    again = open_log(tmp_path, max_bytes=6000)
    assert values(read_all(again)) == sent
    again.close()


def test_a_file_that_is_full_and_followed_by_nothing_goes_with_its_records(tmp_path: Path) -> None:
    clock = Clock()
    log = open_log(tmp_path, max_bytes=6000, clock=clock)
    log.waits = False
    numbers = [log.append(record(n)) for n in range(14)]  # the file is longer than one is to be
    log.sync()
    for number in numbers:
        log.acknowledge(number)
    clock.now += 1
    log.sync()
    clock.now += 1
    log.sync()
    assert (log.bytes, segment_files(tmp_path)) == (0, [])
    log.close()
