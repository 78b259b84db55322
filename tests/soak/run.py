"""One soak: real brokers, exchanges, producers and consumers under load and in trouble, then the accounting."""

import json
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from random import Random
from threading import Event
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

from faults.checker import Place, read_log
from faults.journal import Tail
from faults.programs import Exchange, Program, ProgramFailed
from faults.segments import Segments
from faults.wall_clock import WallClock
from faults.witness_process import read_everything, read_messages
from faults.workbench import Child
from soak.actors import Actor, BrokerTrouble, all_books_valid, break_exchange, kill_consumer, warm_up
from soak.collectors import NAMES, Collectors, take_over
from soak.findings import Findings, Numbers
from soak.machine import DISK_BYTES, STEP_S, fill_disk, step_clock
from soak.memory import Sample
from soak.recovery import Recovery
from tickwire.broker import ApacheCluster
from tickwire.broker.ports import free_ports

EXCHANGES = ("binance", "htx", "hyperliquid", "kraken", "okx")  # one for each way in which a book is kept true
SHARED = "bybit"  # read by two collectors
STEPPED, FULL = "kraken", "okx"  # whose producer's clock is set, and whose disk is full now and then
QUEUE = 1_000  # records a producer keeps in memory: little, so that a frozen broker sends the books to the disk
_SYMBOLS, _RATE, _PARTITIONS = 5, 80.0, 2
_KEYFRAME_S = 5
_SAMPLE_S, _POISON_S, _TICK_S = 2.0, 5.0, 0.1
_DRAIN_S = 180.0
_ALL_LEVELS = 100_000
_OVER = object()
_LINE = re.compile(rb'^\{"topic":"([^"]+)","partition":(\d+),"offset":(\d+),', re.MULTILINE)


class Soak:
    """The processes of one soak on *cluster*, all topics of which end with *unique*; files go to *folder*."""

    def __init__(self, cluster: ApacheCluster, folder: Path, unique: str, seconds: float, seed: int) -> None:
        self._cluster, self._folder, self._unique, self._seconds = cluster, folder, unique, seconds
        self.ticks, self.books, self.letters = f"ticks.{unique}", f"orderbook.{unique}", f"dlq.{unique}"
        self._seed = seed
        self._stack = ExitStack()
        self._stop = Event()
        self._samples: dict[str, list[Sample]] = {}
        self._lives: Counter[str] = Counter()
        self._kills: list[float] = []
        self._recoveries: list[Recovery] = []
        self._poison: list[Place] = []
        self._faults: dict[str, Counter[str]] = {name: Counter() for name in EXCHANGES}
        self._numbers: dict[str, Numbers] = {}
        self._members: dict[str, Program] = {}

    def run(self) -> Findings:
        """Do it all. Raises :exc:`ProgramFailed` where a process ended or hung."""
        with self._stack:
            self._start()
            self._drive([warm_up(self._exchanges[name], self._producers[name]) for name in EXCHANGES])
            begun = time.monotonic()
            self._trouble()
            seconds = time.monotonic() - begun
            self._calm()
            own = self._freeze()
            return self._account(seconds, own)

    # Start

    def _start(self) -> None:
        if shutil.which("gcc") is None:
            raise ProgramFailed("a clock that can be set needs gcc: on Debian `apt-get install gcc libc6-dev`")
        self._clocks = {name: WallClock(self._made(f"clock-{name}")) for name in (STEPPED, FULL)}
        ports = free_ports("127.0.0.1", 2 * len(EXCHANGES) + 1)
        self._exchanges = {
            name: self._enter(Exchange(name, ports.pop(), self._folder, symbols=_SYMBOLS, rate=_RATE))
            for name in (*EXCHANGES, SHARED)
        }
        self._producers: dict[str, Program] = {}
        for name in EXCHANGES:
            exchange = self._exchanges[name]
            env = self._kafka(ports.pop()) | exchange.settings()
            env |= self._clocks[name].env if name in self._clocks else {}
            if name == FULL:
                env |= {"KAFKA_SPILL_DIR": str(self._folder / "full"), "KAFKA_SPILL_MAX_BYTES": str(DISK_BYTES)}
            command = ["produce", "--report", str(self._folder / f"{name}.json")]
            producer = self._producers[name] = self._enter(Program(f"produce-{name}", command, env, self._folder))
            producer.until(lambda: all_books_valid(producer, exchange), "all books")  # noqa: B023 - asked here
        group = f"collectors-{self._unique}"
        self._collectors = Collectors(self._exchanges[SHARED], group, self._folder, self._collector)
        for who in NAMES:
            self._collectors.start(who)
        self._drive([self._collectors.await_well("at the start")])
        self._consumer("steady")
        self._witness = Tail(self._folder / "witness")
        topics = [self.ticks, self.books]
        witness = Child("witness_process", self._cluster.bootstrap, str(self._witness.path), *topics)
        if witness.process.stdin is not None:
            self._stack.callback(witness.process.stdin.close)
        self._stack.callback(witness.kill)

    def _kafka(self, metrics_port: int) -> dict[str, str]:
        """Settings of ours; every policy is the default one."""
        return {
            "KAFKA_ENABLED": "true",
            "KAFKA_BROKERS": self._cluster.bootstrap,
            "KAFKA_TICKER_TOPIC": self.ticks,
            "KAFKA_ORDERBOOK_TOPIC": self.books,
            "KAFKA_TOPIC_PARTITIONS": str(_PARTITIONS),
            "KAFKA_GROUP_ID": f"soak-{self._unique}",
            "KAFKA_DLQ_ENABLED": "true",
            "KAFKA_DLQ_TOPIC": self.letters,
            "KAFKA_QUEUE_MAX_MESSAGES": str(QUEUE),
            "KAFKA_SPILL_DIR": str(self._folder / "spill"),
            "KAFKA_METRICS_ENABLED": "true",
            "KAFKA_METRICS_PORT": str(metrics_port),
            "FEED_ORDERBOOK_KEYFRAME_SECONDS": str(_KEYFRAME_S),
        }

    def _consumer(self, who: str) -> Program:
        """Start a member of the group; its output names every record that it hands to the handler."""
        [port] = free_ports("127.0.0.1", 1)
        self._lives[who] += 1
        name = f"consume-{who}-{self._lives[who]}"
        command = ["consume", "--format", "json", "--report", str(self._folder / f"{who}.json")]
        self._members[who] = self._enter(Program(name, command, self._kafka(port), self._folder))
        return self._members[who]

    def _collector(self, name: str, command: list[str], env: dict[str, str]) -> Program:
        [port] = free_ports("127.0.0.1", 1)
        program: Program = self._enter(Program(name, command, self._kafka(port) | env, self._folder))
        return program

    def _made(self, name: str) -> Path:
        (self._folder / name).mkdir()
        return self._folder / name

    def _enter(self, program: Any) -> Any:
        return self._stack.enter_context(program)

    # Trouble

    def _trouble(self) -> None:
        done, stop, rest_s = self._recoveries, self._stop, max(15.0, self._seconds / 24)

        def chance(whose: str) -> Random:
            return Random(f"{self._seed} {whose}")

        topics = [self.ticks, self.books]
        brokers = BrokerTrouble(self._cluster, topics, self._seconds / 60 + 5, chance("brokers"), done, stop)
        actors: list[Actor] = [
            break_exchange(self._exchanges[name], self._producers[name], chance(name), self._faults[name], done, stop)
            for name in EXCHANGES
        ]
        clock, disk = (self._clocks[name] for name in (STEPPED, FULL))
        actors += [
            kill_consumer(lambda: self._consumer("victim"), rest_s, chance("consumers"), self._kills, done, stop),
            take_over(self._collectors, rest_s, chance("collectors"), done, stop),
            step_clock(clock, self._producers[STEPPED], rest_s, chance("clock"), done, stop),
            fill_disk(disk, self._producers[FULL], self._exchanges[FULL], rest_s, chance("disk"), done, stop),
            self._sample(),
            self._send_poison(),
        ]
        until = time.monotonic() + self._seconds

        def look() -> None:
            if time.monotonic() > until or brokers.error is not None:
                self._stop.set()

        brokers.start()
        try:
            self._drive(actors, look)
        finally:
            self._stop.set()
            brokers.join()
        if brokers.error is not None:
            raise brokers.error
        self._brokers = brokers.done

    @staticmethod
    def _drive(actors: list[Actor], look: Callable[[], None] = lambda: None) -> None:
        """Let actors go on in turn until all are done."""
        while actors:
            actors = [actor for actor in actors if next(actor, _OVER) is not _OVER]
            look()
            time.sleep(_TICK_S)

    def _sample(self) -> Actor:
        """Note the memory and open files of every process of ours, and that those that nobody kills live."""
        while not self._stop.is_set():
            collectors = self._collectors.running.values()
            for program in (*self._producers.values(), *collectors, *self._members.values()):
                if program.name.startswith("consume-victim") and not program.running:
                    continue
                program.ensure_running()
                sample = Sample(time.monotonic(), program.rss_kib, program.open_files)
                self._samples.setdefault(program.name, []).append(sample)
            yield from self._wait(_SAMPLE_S)

    def _send_poison(self) -> Actor:
        """Write a record that is no JSON now and then; each must become a dead letter."""
        # Idempotent: a record that is sent again after a broker's death would be in the log twice, reported once.
        settings = {"bootstrap.servers": self._cluster.bootstrap, "enable.idempotence": True, "log_level": 0}
        producer = Producer(settings)

        def stored(error: Any, message: Any) -> None:
            if error is None:
                self._poison.append(Place(message.topic(), message.partition(), message.offset()))

        while not self._stop.is_set():
            producer.produce(self.ticks, b"{no JSON", b"poison|x", on_delivery=stored)
            producer.poll(0)
            yield from self._wait(_POISON_S)
        if producer.flush(60):
            raise ProgramFailed("Kafka did not take the bad records within 60 s")

    def _wait(self, seconds: float) -> Actor:
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self._stop.is_set():
            yield

    # The end

    def _calm(self) -> None:
        """Wait until nothing is in trouble any more, and every member of the group has had a snapshot of its books."""
        for name, producer in self._producers.items():
            exchange = self._exchanges[name]
            producer.until(lambda: all_books_valid(producer, exchange), "all books at the end", _DRAIN_S)  # noqa: B023
            producer.until(lambda: producer.metric("kafka_spill_records") == 0, "an empty disk", _DRAIN_S)  # noqa: B023
        self._drive([self._collectors.await_well("at the end")])
        for member in self._members.values():
            member.until(lambda: member.metric("kafka_consumer_lag") < 1_000, "it keeps up", _DRAIN_S)  # noqa: B023
        calm = time.monotonic() + 2 * _KEYFRAME_S
        self._members["steady"].until(lambda: time.monotonic() > calm, "two keyframes")

    def _freeze(self) -> dict[str, Any]:
        """Let the exchanges stand still and all arrive in Kafka; return the exchanges' books."""
        for exchange in self._exchanges.values():
            exchange.freeze()
        for producer in (*self._producers.values(), *self._collectors.running.values()):
            # Of frames there are heartbeats to come, of books keyframes; tickers end with the market.
            self._until_still(producer, lambda: producer.metric("feed_events_total", type="ticker"))  # noqa: B023
            producer.until(lambda: producer.metric("kafka_records_in_flight") == 0, "all acknowledged", _DRAIN_S)  # noqa: B023
        own = {name: exchange.books(_ALL_LEVELS) for name, exchange in self._exchanges.items()}
        for name, producer in self._producers.items():
            self._numbers[name] = Numbers(
                replaced=int(producer.metric("kafka_producer_recreated_total")),
                gaps=int(producer.metric("feed_gaps_total")),
                resyncs=int(producer.metric("feed_resyncs_total")),
                reconnects=int(producer.metric("feed_reconnects_total")),
            )
            # Who dropped records says so with its exit code.
            code = 1 if producer.metric("kafka_records_total", outcome="dropped") else 0
            producer.ask_to_end()
            self._expect(code, producer)
        # An end in order would hand the books to the other one, or say that nobody has them.
        for collector in self._collectors.running.values():
            collector.kill()
        return own

    @staticmethod
    def _until_still(program: Program, number: Callable[[], float]) -> None:
        """Wait until *number* has been the same for two seconds."""
        last, since = number(), time.monotonic()

        def still() -> bool:
            nonlocal last, since
            now = number()
            if now != last:
                last, since = now, time.monotonic()
            return time.monotonic() - since > 2

        program.until(still, "the last frame", _DRAIN_S)

    def _account(self, seconds: float, own: dict[str, Any]) -> Findings:
        topics = [self.ticks, self.books]
        final = list(read_everything(self._cluster.bootstrap, topics, _DRAIN_S))
        log, disagreements = read_log(final)
        ends = Counter[tuple[str, int]]()
        for place in log:
            ends[place[:2]] = max(ends[place[:2]], place.offset + 1)
        committed = self._await_committed(dict(ends))
        for member in self._members.values():
            member.ask_to_end()
        for member in self._members.values():
            self._expect(0, member)
        watched, more = read_log(self._await_witness(len(log)))
        log_differs = [f"the witness and the final reader differ at {place}" for place in log.keys() ^ watched.keys()]
        auditor = self._audit(len(log))
        return Findings(
            seconds=seconds,
            reports={name: self._report(name) for name in EXCHANGES},
            numbers=self._numbers,
            collected={SHARED: self._collectors.reports},
            steps_s={STEPPED: STEP_S[0]},
            full=FULL,
            recoveries=self._recoveries,
            seed=self._seed,
            log=log,
            resent=Segments(self._cluster.folder).resent_of(log),
            readers=[str(v) for v in (*disagreements, *more)] + log_differs[:5],
            handled=self._handled(),
            committed=committed,
            kills=len(self._kills),
            members=[self._report(who) for who in self._members],
            auditor=auditor,
            poison=self._poison,
            letters=[_source(m) for m in read_messages(self._cluster.bootstrap, [self.letters], _DRAIN_S)],
            own=own,
            faults=self._faults,
            brokers=self._brokers,
            samples=self._samples,
            queue=QUEUE,
        )

    def _await_committed(self, ends: dict[tuple[str, int], int]) -> dict[tuple[str, int], int]:
        """Ask what the group has committed until it is everything, or for three minutes."""
        group = {"bootstrap.servers": self._cluster.bootstrap, "group.id": f"soak-{self._unique}", "log_level": 0}
        consumer = Consumer(group)
        until = time.monotonic() + _DRAIN_S
        try:
            while True:
                answer = consumer.committed([TopicPartition(*partition) for partition in ends], timeout=30)
                found = {(p.topic, p.partition): p.offset for p in answer}
                if found == ends or time.monotonic() > until:
                    return found
                self._members["steady"].ensure_running()
        finally:
            consumer.close()

    def _await_witness(self, count: int) -> list[list[Any]]:
        until = time.monotonic() + _DRAIN_S
        while sum(1 for _ in self._witness.of("seen")) < count and time.monotonic() < until:
            time.sleep(0.2)
        return self._witness.update()

    def _handled(self) -> list[Place]:
        """Every record that a member's handler was given, killed or not, from what it printed."""
        found = []
        for path in sorted(self._folder.glob("consume-*.out")):
            for topic, partition, offset in _LINE.findall(path.read_bytes()):
                found.append(Place(topic.decode(), int(partition), int(offset)))
        return found

    def _audit(self, count: int) -> dict[str, Any]:
        """Read everything once more with a consumer of ours that starts at the beginning, and rebuild the books."""
        [port] = free_ports("127.0.0.1", 1)
        command = ["consume", "--from", "beginning", "--max", str(count), "--format", "none"]
        command += ["--report", str(self._folder / "auditor.json"), "--group", f"audit-{self._unique}"]
        env = self._kafka(port) | {"KAFKA_DLQ_TOPIC": f"audit.{self._unique}"}
        self._expect(0, self._enter(Program("auditor", command, env, self._folder)))
        return self._report("auditor")

    @staticmethod
    def _expect(expected: int, program: Program) -> None:
        code = program.wait(_DRAIN_S)
        if code != expected:
            raise ProgramFailed(f"{program.name} ended with {code}: {program.last_words()}")

    def _report(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self._folder / f"{name}.json").read_text())
        return found


def _source(message: Any) -> Place:
    """Where a dead letter came from."""
    headers = dict(message.headers())
    return Place(headers["source_topic"].decode(), int(headers["source_partition"]), int(headers["source_offset"]))
