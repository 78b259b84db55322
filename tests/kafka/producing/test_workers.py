"""`tickwire produce --workers`: one feed by several processes, killed ones too, and one accounting of all."""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from faults.programs import Exchange, Program, kafka_settings
from kafka.mock_cluster import MockCluster
from kafka.publishing import numbers_of
from support import eventually, free_port
from tickwire.config.kafka_config import KafkaConfig
from tickwire.config.share import Share
from tickwire.kafka.producing.place import Place
from tickwire.signals import TOGETHER_S

TICKS, BOOKS, _ = KafkaConfig().topics
SYMBOLS = 5
STAGES = ("acknowledged", "conflated", "dropped", "failed", "spilled", "in_flight", "unsettled")


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    with Exchange("binance", free_port(), tmp_path, symbols=SYMBOLS, rate=300) as running:
        yield running


@contextmanager
def produce(
    exchange: Exchange, mock: MockCluster, folder: Path, workers: int, *arguments: str, **settings: str
) -> Iterator[Program]:
    env = kafka_settings(mock.bootstrap, folder) | {"KAFKA_SHUTDOWN_SECONDS": "2"}
    command = ["produce", "--workers", str(workers), "--report", str(folder / "report.json"), *arguments]
    with Program("produce", command, env | exchange.settings() | settings, folder) as program:
        try:
            yield program
        finally:
            for pid in children(program):
                os.kill(pid, signal.SIGKILL)


def children(program: Program) -> list[int]:
    try:
        text = Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text()
    except OSError:
        return []
    return [int(pid) for pid in text.split()]


def all_books(program: Program) -> bool:
    return program.metric("feed_books", state="valid") == SYMBOLS


def report_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return found


def assert_sums_agree(report: dict[str, Any]) -> None:
    assert sum(report["events"].values()) == sum(report[stage] for stage in STAGES)


def in_topics(mock: MockCluster) -> int:
    config = KafkaConfig(brokers=mock.bootstrap)
    return sum(len(numbers) for topic in (TICKS, BOOKS) for numbers in numbers_of(config, topic).values())


def test_workers_share_the_symbols_one_page_and_one_accounting(
    exchange: Exchange, mock: MockCluster, tmp_path: Path
) -> None:
    with produce(exchange, mock, tmp_path, 2) as program:
        program.until(lambda: all_books(program), "all books")
        assert program.metric("feed_workers", state="running") == 2
        assert len(children(program)) == 2
        exchange.freeze()
        # Books are counted at once, and events a moment later.
        program.until(lambda: program.metric("feed_events_total") >= SYMBOLS, "the events are counted")
        program.until(lambda: program.metric("kafka_records_in_flight") == 0, "all acknowledged")
        page = program.metrics()
        counted = {
            name: sum(value for sample, _, value in page if sample == name)
            for name in ("feed_events_total", "kafka_records_total")
        }
        assert counted["feed_events_total"] == counted["kafka_records_total"] > 0
        program.ask_to_end()
        assert program.wait() == 0
    report = report_of(tmp_path)
    assert_sums_agree(report)
    assert report["frames_received"] == sum(exchange.stats()["frames"].values())
    assert report["acknowledged"] == sum(report["events"].values()) == in_topics(mock)
    books = numbers_of(KafkaConfig(brokers=mock.bootstrap), BOOKS)
    assert len(books) == SYMBOLS
    assert all(numbers == list(range(len(numbers))) for numbers in books.values())


def test_a_killed_worker_is_started_again_counted_and_accounted_for(
    exchange: Exchange, mock: MockCluster, tmp_path: Path
) -> None:
    with produce(exchange, mock, tmp_path, 2) as program:
        program.until(lambda: all_books(program), "all books")
        events = program.metric("feed_events_total")
        os.kill(children(program)[0], signal.SIGKILL)
        program.until(lambda: program.metric("feed_worker_restarts_total") == 1, "it is started again")
        assert program.metric("feed_events_total") >= events
        program.until(lambda: len(children(program)) == 2 and all_books(program), "all books again")
        program.ask_to_end()
        code = program.wait()
    report = report_of(tmp_path)
    assert_sums_agree(report)
    assert code == (1 if report["unsettled"] else 0)
    assert report["acknowledged"] <= in_topics(mock)


def test_a_frozen_worker_is_visible_and_the_other_goes_on(
    exchange: Exchange, mock: MockCluster, tmp_path: Path
) -> None:
    with produce(exchange, mock, tmp_path, 2) as program:
        program.until(lambda: all_books(program), "all books")
        frozen = children(program)[0]
        os.kill(frozen, signal.SIGSTOP)
        program.until(lambda: program.metric("feed_workers", state="silent") == 1, "one is silent")
        events = program.metric("feed_events_total")
        program.until(lambda: program.metric("feed_events_total") > events + 100, "the other goes on")
        os.kill(frozen, signal.SIGCONT)
        program.until(lambda: program.metric("feed_workers", state="running") == 2, "both answer")
        program.ask_to_end()
        assert program.wait() == 0
    assert_sums_agree(report_of(tmp_path))


@pytest.mark.parametrize(("first", "then"), [(2, 1), (1, 3)])
def test_what_another_number_of_workers_left_on_disk_is_sent_first(
    exchange: Exchange, mock: MockCluster, tmp_path: Path, first: int, then: int
) -> None:
    with mock.down(), produce(exchange, mock, tmp_path, first, "--offline-start") as program:
        waiting = "kafka_records_in_flight"
        program.until(lambda: all_books(program) and program.metric(waiting, topic=BOOKS) > 50, "all books wait")
        program.ask_to_end()
        assert program.wait() == 0
    before = report_of(tmp_path)
    assert before["spilled"] > 50
    with produce(exchange, mock, tmp_path, then) as program:
        program.until(lambda: all_books(program), "all books")
        program.ask_to_end()
        assert program.wait() == 0
    after = report_of(tmp_path)
    assert in_topics(mock) == before["spilled"] + after["acknowledged"]
    for numbers in numbers_of(KafkaConfig(brokers=mock.bootstrap), BOOKS).values():
        begin = numbers.index(0, 1)
        assert numbers == [*range(begin), *range(len(numbers) - begin)]


def test_two_ways_of_sharing_at_once_are_refused(exchange: Exchange, mock: MockCluster, tmp_path: Path) -> None:
    with produce(exchange, mock, tmp_path, 2) as program:
        program.until(lambda: all_books(program), "all books")
        other = tmp_path / "other"
        other.mkdir()
        with produce(exchange, mock, other, 1, KAFKA_SPILL_DIR=str(tmp_path / "spill")) as second:
            assert second.wait() == 2
        assert "stop that process" in second.last_words()
        program.ask_to_end()
        assert program.wait() == 0


def test_workers_do_not_outlive_the_process_that_started_them(
    exchange: Exchange, mock: MockCluster, tmp_path: Path
) -> None:
    with produce(exchange, mock, tmp_path, 2) as program:
        program.until(lambda: all_books(program), "all books")
        pids = children(program)
        program.kill()
        eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), "their end")


def test_an_error_of_one_worker_ends_all_with_its_sentence(
    exchange: Exchange, mock: MockCluster, tmp_path: Path
) -> None:
    names = ",".join([*exchange.symbols, "NONSUCHUSDT"])
    with produce(exchange, mock, tmp_path, 2, FEED_SYMBOLS=names) as program:
        assert program.wait() == 2
    assert program.output.read_text() == ""
    errors = [line for line in program.log.read_text().splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "NONSUCHUSDT" in errors[0]
    assert report_of(tmp_path)["acknowledged"] == in_topics(mock)


def test_a_worker_whose_symbols_are_all_refused_ends_alone_and_the_others_go_on(
    exchange: Exchange, mock: MockCluster, tmp_path: Path
) -> None:
    refused, served = (Share(index, 2).take(exchange.symbols, str) for index in range(2))
    assert refused
    assert served
    faults = [f"refuse={symbol}" for symbol in refused]
    folder = tmp_path / "refusing"
    folder.mkdir()
    with (
        Exchange("binance", free_port(), folder, *faults, symbols=SYMBOLS, rate=300) as refusing,
        produce(refusing, mock, tmp_path, 2) as program,
    ):
        program.until(lambda: program.metric("feed_workers", state="down") == 1, "one has ended")
        program.until(lambda: program.metric("feed_books", state="valid") == len(served), "the other's books")
        before = program.metric("kafka_records_total", outcome="acknowledged")
        program.until(lambda: program.metric("kafka_records_total", outcome="acknowledged") > before, "more records")
        assert program.metric("feed_worker_restarts_total") == 0
        program.ask_to_end()
        assert program.wait() == 1
    errors = [line for line in program.log.read_text().splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "refused to subscribe" in errors[0]
    assert_sums_agree(report_of(tmp_path))


def test_where_all_workers_are_refused_the_command_ends(exchange: Exchange, mock: MockCluster, tmp_path: Path) -> None:
    folder = tmp_path / "refusing"
    folder.mkdir()
    faults = [f"refuse={symbol}" for symbol in exchange.symbols]
    with (
        Exchange("binance", free_port(), folder, *faults, symbols=SYMBOLS, rate=300) as refusing,
        produce(refusing, mock, tmp_path, 2) as program,
    ):
        assert program.wait() == 1
    errors = [line for line in program.log.read_text().splitlines() if line.startswith("error: ")]
    assert len(errors) == 1


def test_a_second_signal_ends_all_at_once_and_says_what_remains(
    exchange: Exchange, mock: MockCluster, tmp_path: Path
) -> None:
    with produce(exchange, mock, tmp_path, 2, KAFKA_SHUTDOWN_SECONDS="60") as program:
        program.until(lambda: all_books(program), "all books")
        with mock.down():
            program.until(lambda: program.metric("kafka_records_in_flight") > 20, "records wait")
            program.ask_to_end()
            program.until(lambda: program.metric("feed_books", state="valid") == 0, "it is ending")
            asked = time.monotonic()
            program.until(lambda: time.monotonic() > asked + TOGETHER_S, "the next signal is another one")
            program.ask_to_end()
            assert program.wait() == 128 + signal.SIGTERM
    last = program.output.read_text().splitlines()[-2:]
    assert [line.partition(":")[0] for line in last] == ["worker 1-of-2", "worker 2-of-2"]
    assert all("records are LOST" in line for line in last)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--workers", "6"], "more than there are symbols (5)"), (["--worker", "3-of-2"], "leave it out")],
)
def test_wrong_numbers_of_workers_get_a_sentence(
    exchange: Exchange, mock: MockCluster, tmp_path: Path, arguments: list[str], said: str
) -> None:
    with produce(exchange, mock, tmp_path, 1, *arguments) as program:
        assert program.wait() == 2
    assert said in program.last_words()


def test_limits_are_shared_and_every_item_belongs_to_one() -> None:
    shares = [Share(index, 3) for index in range(3)]
    assert sorted(name for share in shares for name in share.take("ABCDEFGHIJ", str)) == list("ABCDEFGHIJ")
    config = KafkaConfig(queue_max_messages=10, queue_max_bytes=3 << 20, spill_max_bytes=90_000)
    parts = [share.kafka(config) for share in shares]
    assert sum(part.queue_max_messages for part in parts) <= 10
    assert sum(part.queue_max_bytes for part in parts) == 3 << 20
    assert sum(part.spill_max_bytes for part in parts) == 90_000
    assert [Share.read(str(share)) for share in shares] == shares


def test_workers_without_a_symbol_work_side_by_side_and_leave_nothing_behind(tmp_path: Path) -> None:
    config, symbols = KafkaConfig(spill_dir=tmp_path), ["BTC-USDT", "SOL-USDT", "XRP-USDT"]

    def place(share: Share) -> Place:
        made = Place(config, "binance")
        made.serve("binance", ["ticker"], share.take(symbols, str), symbols, names=False)
        made.settle("one")
        return made

    places = [place(Share(index, 3)) for index in range(3)]
    assert sum(not one.home.owner.serves for one in places if one.home is not None) == 2
    for one in places:
        close(one)
    close(place(Share(0, 1)))
    assert len(list((tmp_path / "binance").glob("*/"))) == 1


def close(place: Place) -> None:
    place.close()
    assert place.home is not None
    place.home.log.close()


@pytest.mark.parametrize("workers", [2, 3, 8])
def test_what_else_is_in_the_list_moves_no_symbol_to_another_worker(workers: int) -> None:
    names = [f"{base}-{quote}" for base in ("BTC", "ETH", "SOL", "XRP", "ADA") for quote in ("USD", "EUR", "USDT")]
    shares = [Share(index, workers) for index in range(workers)]
    before = {name: share for share in shares for name in share.take(names, str)}
    for gone in names:
        left = [name for name in reversed(names) if name != gone]
        assert {name: share for share in shares for name in share.take([*left, "NEW-USD"], str)} == {
            **{name: share for name, share in before.items() if name != gone},
            "NEW-USD": next(share for share in shares if share.take(["NEW-USD"], str)),
        }


def test_another_number_of_workers_moves_few_symbols_and_all_get_about_as_many() -> None:
    names = [f"S{number}-USDT" for number in range(1000)]
    four, five = ([Share(index, of).take(names, str) for index in range(of)] for of in (4, 5))
    moved = sum(len(set(old) - set(new)) for old, new in zip(four, five, strict=False))
    assert moved == len(five[4])  # each that moved went to the new one
    assert all(150 <= len(part) <= 250 for part in five)
