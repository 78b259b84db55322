"""Those who break things during a soak. Each is a generator that yields while it waits, so that one thread drives all;
what happens to brokers blocks and has a thread of its own."""

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from functools import partial
from random import Random
from threading import Event, Thread
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from faults.programs import Exchange, Program, ProgramFailed
from soak.recovery import Recovery
from tickwire import simulator
from tickwire.broker import ApacheCluster
from tickwire.simulator.faults import FRAME, MUTE, REST, SPECIAL

Actor = Iterator[None]
Taking = Generator[None, None, float]  # it ends with the seconds that a recovery took

_LAST = ("deaf", "silence")  # not noticed for up to a minute
_CUT = ("drop", "silence", "deaf")  # what the producer answers with a new connection
# Before a fault can happen, the last one may have to be noticed as silence (60 s) and a back-off to pass (30 s), which
# a soak brings to its ceiling; then the new connection has to send what the fault is to spoil.
_HAPPENS_S, _RECOVERS_S = 120.0, 120.0
_REST_S = 2.0
_WARM_UPS = 6
_FROZEN_S = 15.0  # longer than the 9 s after which a broker counts as gone
_IN_SYNC_S = 120.0
_ALIVE_S = 30.0


def switches(exchange: str) -> list[str]:
    """The faults that *exchange* can show in the time of a soak, without ``refuse``, which ends a producer at once."""
    dialect = simulator.load(exchange)
    # Until such a silence is noticed, and each time that takes longer, what a producer has is not the exchange's.
    absent = MUTE.keys() | (SPECIAL - dialect.faults)
    if dialect.snapshot_path is None:  # its books need no REST
        absent |= REST.keys()
    if dialect.heartbeat is None:  # silent, it answers pings
        absent |= {"silence"}
    shown = [name for name in (*FRAME, *REST, "stale") if name not in absent]
    return sorted(shown, key=_LAST.__contains__)


def pause(seconds: float) -> Actor:
    """Wait."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        yield


def wait_for(program: Program, condition: Callable[[], object], what: str, seconds: float) -> Actor:
    """Wait for *condition*. Raises :exc:`ProgramFailed` when it takes too long or the program ends."""
    until = time.monotonic() + seconds
    while not condition():
        program.ensure_running()
        if time.monotonic() > until:
            raise ProgramFailed(f"{program.name}: not within {seconds:g} s: {what}; {program.last_words()}")
        yield


def all_books_valid(producer: Program, exchange: Exchange) -> bool:
    """Whether the producer has every book of the exchange."""
    return producer.metric("feed_books", state="valid") == len(exchange.symbols)


def has_read(consumer: Program) -> bool:
    """Whether the consumer has got a record."""
    return consumer.metric("kafka_consumer_records_total") > 0


def turn_switch(exchange: Exchange, producer: Program, name: str) -> Taking:
    """Let a fault happen once; after it the producer must have all books again. Return how long that took."""

    def happened() -> int:
        return int(exchange.stats()["faults"].get(name, 0))

    before = happened()
    # That a connection is cut is noticed later than it happens: until then its books are valid and look recovered.
    connections = producer.metric("feed_reconnects_total") + (name in _CUT)
    exchange.inject(name)
    if name in REST or name == "stale":
        exchange.inject("drop")  # so that something is asked over REST
    yield from wait_for(producer, lambda: happened() > before, f"the fault {name}", _HAPPENS_S)
    frames, since = producer.metric("feed_frames_received_total"), time.monotonic()

    def recovered() -> bool:
        flows = producer.metric("feed_frames_received_total") > frames + 100
        connected = producer.metric("feed_reconnects_total") >= connections
        return connected and flows and all_books_valid(producer, exchange)

    yield from wait_for(producer, recovered, f"all books after the fault {name}", _RECOVERS_S)
    return time.monotonic() - since


def warm_up(exchange: Exchange, producer: Program) -> Actor:
    """Send some messages of 64 MiB: the first few leave the allocator much larger."""
    for _ in range(_WARM_UPS):
        yield from turn_switch(exchange, producer, "oversize")


def break_exchange(
    exchange: Exchange, producer: Program, random: Random, done: Counter[str], recoveries: list[Recovery], stop: Event
) -> Actor:
    """Turn every fault switch, one after the other, and again in another order."""
    names: list[str] = []
    while not stop.is_set():
        if not names:
            names = switches(exchange.exchange)
            random.shuffle(names)
            names.sort(key=_LAST.__contains__)
        name = names.pop(0)
        took = yield from turn_switch(exchange, producer, name)
        recoveries.append(Recovery("switch", name, took))
        done[name] += 1
        yield from pause(_REST_S)


def kill_consumer(
    start: Callable[[], Program],
    every_s: float,
    random: Random,
    kills: list[float],
    recoveries: list[Recovery],
    stop: Event,
) -> Actor:
    """Start a consumer, and again and again kill it and start the next one. The last one lives."""
    consumer = start()
    while True:
        yield from wait_for(consumer, partial(has_read, consumer), "the first record", _RECOVERS_S)
        if kills:
            recoveries.append(Recovery("consumer", "killed", time.monotonic() - kills[-1]))
        yield from pause(every_s * random.uniform(0.5, 1.5))
        if stop.is_set():
            return
        consumer.kill()
        kills.append(time.monotonic())
        yield from pause(_REST_S)
        consumer = start()


class BrokerTrouble(Thread):
    """Restarts, kills and freezes nodes in any order, each when all copies are in sync again, until *stop*."""

    def __init__(
        self,
        cluster: ApacheCluster,
        topics: list[str],
        rest_s: float,
        random: Random,
        recoveries: list[Recovery],
        stop: Event,
    ) -> None:
        super().__init__(name="brokers")
        self.done: Counter[str] = Counter()
        self.error: Exception | None = None
        self._cluster, self._topics, self._rest_s, self._stop_asked = cluster, topics, rest_s, stop
        self._random, self._recoveries = random, recoveries
        self._admin = AdminClient({"bootstrap.servers": cluster.bootstrap, "log_level": 0})

    def run(self) -> None:
        """Go on until asked to stop; an error ends it and is kept."""
        try:
            self._await_in_sync()
            actions: dict[str, Callable[[int], None]] = {
                "restarted (SIGTERM)": self._cluster.restart,
                "killed (SIGKILL)": self._kill,
                "frozen (SIGSTOP)": self._freeze,
            }
            turns: list[str] = []
            while not self._stop_asked.wait(self._rest_s * self._random.uniform(0.5, 1.5)):
                turns = turns or self._random.sample(list(actions), len(actions))
                what, since = turns.pop(), time.monotonic()
                actions[what](self._random.randint(1, 3))
                self._await_in_sync()
                self.done[what] += 1
                self._recoveries.append(Recovery("node", what, time.monotonic() - since))
        except Exception as error:  # noqa: BLE001 - handed to the thread that judges
            self.error = error

    def _kill(self, node: int) -> None:
        self._cluster.kill(node)
        self._cluster.restart(node)

    def _freeze(self, node: int) -> None:
        self._cluster.freeze(node)
        try:
            self._stop_asked.wait(_FROZEN_S)
        finally:
            self._cluster.thaw(node)

    def _await_in_sync(self) -> None:
        until = time.monotonic() + _IN_SYNC_S
        while not self._in_sync():
            if time.monotonic() > until:
                raise ProgramFailed(f"the copies of {self._topics} are not in sync within {_IN_SYNC_S:g} s")
            self._stop_asked.wait(0.5)

    def _in_sync(self) -> bool:
        try:
            metadata: Any = self._admin.list_topics(timeout=_ALIVE_S)
        except KafkaException:
            return False
        partitions = [p for topic in self._topics for p in metadata.topics[topic].partitions.values()]
        return all(len(p.isrs) == len(p.replicas) == 3 for p in partitions)
