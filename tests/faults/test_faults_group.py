"""Members of a group of collectors die, freeze, lose Kafka or are restarted, and readers go on. Rows: ROWS.md."""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import pytest
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient

from faults.conftest import Line
from faults.programs import Exchange, Program
from faults.test_faults_clock import clock  # noqa: F401 - a fixture
from faults.wall_clock import WallClock
from faults.witness_process import assign_all
from faults.workbench import coordinator
from support import eventually, free_port
from tickwire.broker import ApacheCluster
from tickwire.cli.accounting import same_book
from tickwire.config.kafka_config import KafkaConfig
from tickwire.kafka.consuming.market_state import MarketState
from tickwire.kafka.received import receive, value_reader
from tickwire.kafka.sharing.member import topic_of
from tickwire.kafka.sharing.membership import SESSION_S

pytestmark = pytest.mark.kafka

EXCHANGES = "binance", "kraken"
BOOKS = 8
TAKE_OVER_S = SESSION_S + 10.0


class Reader(threading.Thread):
    """Follows the books from Kafka as any consumer does, and notes what no reader should see."""

    def __init__(self, brokers: str, topic: str) -> None:
        super().__init__(daemon=True)
        self.state, self.mixed = MarketState(), list[str]()
        self.newest: dict[str, int] = {}  # received_us by key
        self._read = value_reader(KafkaConfig())
        self._said: dict[tuple[str, int, int], bytes] = {}
        self._begun: dict[str, int] = {}
        self._over = threading.Event()
        settings = {
            "bootstrap.servers": brokers,
            "group.id": topic,
            "fetch.wait.max.ms": 20,
            "socket.timeout.ms": 8_000,
        }
        self._consumer = Consumer(settings)
        assign_all(self._consumer, [topic])

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()
        self._consumer.close()

    def run(self) -> None:
        while not self._over.is_set():
            messages, at = self._consumer.consume(500, 0.02), 0
            while at < len(messages):
                records = receive(messages, at, self._read)
                at += max(1, len(records))
                for record in records:
                    self._take(record)

    def _take(self, record: Any) -> None:
        event = record.event
        key = f"{event.exchange}|{event.symbol}"
        if self._said.setdefault((key, event.epoch, event.book_seq), record.value) != record.value:
            self.mixed.append(f"{key}: two producers in epoch {event.epoch}, at {event.book_seq}")
        if event.book_seq == 0 and event.epoch <= self._begun.get(key, 0):
            self.mixed.append(f"{key}: epoch {event.epoch} begins behind {self._begun[key]}")
        if event.book_seq == 0:
            self._begun[key] = event.epoch
        self.newest[key] = event.received_us
        self.state(record)

    def live(self, since: float) -> bool:
        """Whether every book is valid, and of that wall-clock time or later."""
        books = self.state.books
        valid = len(books) == BOOKS and all(book.valid for book in list(books.values()))
        return valid and min(self.newest.values()) > since * 1_000_000


class Members:
    """Collectors of one group, which reads two exchanges, on what tells them apart."""

    def __init__(self, brokers: str, folder: Path, unique: str, stack: ExitStack) -> None:
        self.brokers, self._folder, self._stack = brokers, folder, stack
        self.group, self.topic = unique, f"books.{unique}"
        self.running: dict[str, Program] = {}
        self.exchanges = [
            stack.enter_context(Exchange(name, free_port(), folder, symbols=BOOKS // len(EXCHANGES), rate=100))
            for name in EXCHANGES
        ]
        settings = {name: value for exchange in self.exchanges for name, value in exchange.settings().items()}
        self._env = settings | {
            "FEED_EXCHANGE": ",".join(EXCHANGES),
            "FEED_SYMBOLS": "*",
            "FEED_CHANNELS": "orderbook",
            "KAFKA_ENABLED": "true",
            "KAFKA_ORDERBOOK_TOPIC": self.topic,
            "KAFKA_METRICS_ENABLED": "true",
        }

    def reading(self) -> Reader:
        """Follow their books."""
        return Reader(self.brokers, self.topic)

    def start(
        self, name: str, *more_arguments: str, brokers: str | None = None, env: dict[str, str] | None = None
    ) -> Program:
        port, spill = str(free_port()), str(self._folder / "spill")
        more = {"KAFKA_METRICS_PORT": port, "KAFKA_SPILL_DIR": spill, "KAFKA_BROKERS": brokers or self.brokers}
        command = ["produce", "--group", self.group, "--report", str(self._folder / f"{name}.json"), *more_arguments]
        program = Program(name, command, self._env | more | (env or {}), self._folder)
        self.running[name] = self._stack.enter_context(program)
        return program

    def asked(self, what: str) -> int:
        """How much of something the exchanges have seen of all their clients."""
        return sum(sum(exchange.stats()[what].values()) for exchange in self.exchanges)

    def shares(self) -> dict[str, int]:
        return {name: int(one.metric("feed_group_shares")) for name, one in self.running.items()}

    def await_balance(self) -> None:
        eventually(self._balanced, f"shares for all: {self.shares()}", 60)

    def await_confirmed(self) -> None:
        """Wait until each is a member, and sure of it."""
        confirmed = lambda: all(one.metric("feed_group_confirmed") for one in self.running.values())  # noqa: E731
        eventually(confirmed, "all are confirmed", 60)

    def _balanced(self) -> bool:
        shares = self.shares()
        return sum(shares.values()) == 64 and min(shares.values()) >= 64 // len(shares)

    def stop(self, name: str) -> dict[str, Any]:
        program = self.running.pop(name)
        program.ask_to_end()
        assert program.wait() == 0, program.last_words()
        found: dict[str, Any] = json.loads((self._folder / f"{name}.json").read_text())
        return found

    def await_live(self, reader: Reader, seconds: float = TAKE_OVER_S) -> float:
        """Wait until every book is of a time from now on; return how long it took."""
        began = time.time()
        eventually(lambda: reader.live(began), "every book is valid and goes on", seconds)
        took = time.time() - began
        with (self._folder / "times").open("a") as file:
            file.write(f"{took:.2f}\n")
        return took

    def end(self, reader: Reader) -> None:
        """Stop the market, and hold what a reader has against it; end all."""
        own: dict[str, Any] = {}
        for exchange in self.exchanges:
            exchange.freeze()
            own |= {f"{exchange.exchange}|{symbol}": book for symbol, book in exchange.books(1000).items()}

        def others() -> list[str]:
            books = json.loads(json.dumps(reader.state.report()["books"]))
            return [key for key in own if not same_book(own[key], books.get(key))]

        eventually(lambda: not others(), "books as the exchange has them", 20)
        assert reader.mixed == []
        for name in list(self.running):
            report = self.stop(name)
            assert sum(report["events"].values()) == report["acknowledged"] + report["conflated"]


@pytest.fixture
def members(line: Line, tmp_path: Path, unique: str) -> Iterator[Members]:
    with ExitStack() as stack:
        yield Members(line.direct, tmp_path, unique, stack)


def test_row_30_of_three_members_one_is_killed_and_one_frozen_and_the_third_takes_over(members: Members) -> None:
    """The frozen one wakes up when its books are another one's, and does no reader any harm."""
    for name in "abc":
        members.start(name)
    members.await_balance()
    with members.reading() as reader:
        members.await_live(reader, 30)
        members.running.pop("a").kill()
        os.kill(members.running["b"].pid, signal.SIGSTOP)
        members.await_live(reader)
        os.kill(members.running["b"].pid, signal.SIGCONT)
        members.await_balance()
        members.await_live(reader)
        members.end(reader)
    assert reader.state.jumps == 0


@pytest.mark.slow_fault
def test_row_31_a_member_without_kafka_gives_up_and_one_with_an_early_clock_takes_over(
    members: Members,
    line: Line,
    clock: WallClock,  # noqa: F811
) -> None:
    """Cut off from Kafka, and not from the exchange."""
    members.start("a", brokers=line.through_proxy)
    clock.set(-3600)
    members.start("b", env=clock.env)
    members.await_balance()
    with members.reading() as reader:
        eventually(lambda: len(reader.state.books) == BOOKS, "all books", 30)
        line.proxy.blackhole()
        eventually(lambda: members.shares()["b"] == 64, "the other one has all", TAKE_OVER_S)
        eventually(lambda: members.running["b"].metric("feed_books", state="valid") == BOOKS, "its books", 10)
        line.proxy.heal()
        members.await_balance()
        members.end(reader)


@pytest.mark.slow_fault
def test_row_32_every_member_is_restarted_in_turn_and_hands_over_what_it_has(members: Members) -> None:
    for name in "abc":
        members.start(name)
    members.await_balance()
    with members.reading() as reader:
        members.await_live(reader, 30)
        for old, new in zip("abc", "def", strict=True):
            report = members.stop(old)
            assert report["conflated"] == report["dropped"] == report["spilled"] == 0
            members.await_live(reader, 10)
            members.start(new)
            members.await_balance()
        members.await_live(reader, 10)
        members.end(reader)
    assert (reader.state.jumps, reader.state.older_epochs) == (0, 0)


@pytest.mark.slow_fault
def test_row_33_while_kafka_is_away_for_all_a_member_reads_on_and_its_books_go_on_afterwards(
    members: Members, line: Line
) -> None:
    """It is longer away than a session lasts, so the group has no members when it is back."""
    alone = members.start("a", brokers=line.through_proxy)
    alone.until(lambda: alone.metric("feed_books", state="valid") == BOOKS, "all books")
    with members.reading() as reader:
        members.await_live(reader, 30)
        before = {key: book.epoch for key, book in reader.state.books.items()}
        line.proxy.blackhole()
        alone.until(lambda: "group.away" in alone.log.read_text(), "its place is lost", 30)
        assert alone.metric("feed_group_confirmed") == 0
        alone.until(lambda: alone.metric("kafka_outage_seconds") > 13, "Kafka has forgotten it")
        line.proxy.heal()
        members.await_live(reader, 30)
        alone.until(lambda: alone.metric("feed_group_confirmed") == 1, "it is a member again")
        assert {key: book.epoch for key, book in reader.state.books.items()} == before
        members.end(reader)
    assert reader.state.jumps == 0


@pytest.mark.slow_fault
def test_row_34_a_member_on_standby_asks_the_exchange_for_nothing_when_it_takes_over(members: Members) -> None:
    for name in "ab":
        members.start(name, "--standby", "1000")
    members.await_balance()
    with members.reading() as reader:
        members.await_live(reader, 30)
        eventually(lambda: members.asked("subscriptions") == 2 * BOOKS, "both read all", 30)
        first, second = members.running["a"].metric("feed_books"), members.running["b"].metric("feed_books")
        assert first + second == BOOKS  # of what is only read nothing is counted
        answers = members.asked("answers")
        members.running.pop("a").kill()
        members.await_live(reader)
        assert members.asked("answers") == answers
        assert members.running["b"].metric("feed_books", state="valid") == BOOKS
        members.end(reader)
    assert reader.state.jumps == 0


@pytest.mark.slow_fault
@pytest.mark.timeout(300)
def test_row_35_the_node_that_manages_the_group_is_killed_restarted_and_frozen(
    three_nodes: ApacheCluster, tmp_path: Path, unique: str
) -> None:
    """Another one takes it over from the copies of the group's commits, and members stay what they are."""
    with ExitStack() as stack:
        members = Members(three_nodes.bootstrap, tmp_path, unique, stack)
        for name in "abc":
            members.start(name)
        members.await_balance()
        with members.reading() as reader:
            members.await_live(reader, 30)
            manages = coordinator(three_nodes.bootstrap, topic_of(members.group))
            three_nodes.kill(manages)
            members.await_live(reader, 60)
            members.await_confirmed()
            three_nodes.restart(manages)
            manages = coordinator(three_nodes.bootstrap, topic_of(members.group))
            three_nodes.restart(manages)
            members.await_live(reader, 60)
            members.await_confirmed()
            manages = coordinator(three_nodes.bootstrap, topic_of(members.group))
            three_nodes.freeze(manages)
            try:
                members.await_live(reader, 60)
                members.await_confirmed()
            finally:
                three_nodes.thaw(manages)
            members.await_balance()
            members.await_live(reader, 60)
            members.end(reader)
        assert reader.state.jumps == 0


@pytest.mark.slow_fault
def test_row_36_the_topic_of_the_group_is_deleted_and_every_member_says_so_and_ends(members: Members) -> None:
    """With it go the promises of epochs: who took a share over could begin below its last owner."""
    for name in "abc":
        members.start(name)
    members.await_balance()
    with members.reading() as reader:
        members.await_live(reader, 30)
        topic = topic_of(members.group)
        admin = AdminClient({"bootstrap.servers": members.brokers})
        admin.delete_topics([topic])[topic].result(15)
        for program in members.running.values():
            assert program.wait(60) == 1
            assert f"The topic {topic}" in program.last_words()
        eventually(lambda: not any(book.valid for book in list(reader.state.books.values())), "all are invalid")
        assert reader.mixed == []
