"""Order and accounting of the publisher under any sequence of outages, losses of room, and restarts; no Kafka."""

import asyncio
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from forms import FORMS, use
from kafka.publishing import book, ticker
from tickwire.config.kafka_config import KafkaConfig
from tickwire.kafka.producing import producer_link
from tickwire.kafka.producing import publisher as module
from tickwire.kafka.producing.denied_topics import DeniedTopics
from tickwire.kafka.producing.in_flight import InFlight
from tickwire.kafka.producing.place import Place
from tickwire.records.codec import Record

SYMBOLS = ("A-USDT", "B-USDT", "C-USDT")
_NUMBER = re.compile(rb'"(?:book_seq|sequence)":(\d+)')


def number_of(record: Record) -> int:
    found = _NUMBER.search(record.value)
    assert found is not None
    return int(found[1])


class FakeKafka:
    """What arrived, over all producers."""

    def __init__(self) -> None:
        self.arrived: dict[tuple[str, bytes], list[int]] = {}

    def store(self, record: Record) -> None:
        self.arrived.setdefault((record.topic, record.key), []).append(number_of(record))


class FakeLink:
    """Stands for a producer with *room*; what it has arrives when told, in order."""

    room = 0

    def __init__(
        self,
        _config: KafkaConfig,
        *,
        stored: Callable[[InFlight], None],
        refused: Callable[[InFlight, KafkaError], None],
        **_: Any,
    ) -> None:
        self._stored = stored
        self.flights = cast("Any", producer_link).InFlightTable(self._acknowledged, refused)  # of the form under test
        self.flights.produce = self._produce
        self.flights.ready = True
        self._queue: list[InFlight] = []
        self.kafka = FakeKafka()
        self.opened = self.roomy = True
        self.denied = DeniedTopics(lambda _topic: None)

    def partitions(self, _topic: str) -> int | None:
        return None

    @property
    def busy(self) -> int:
        return len(self._queue)

    @property
    def queued(self) -> int:
        return len(self._queue)

    def _produce(self, *_record: Any, on_delivery: InFlight, **_properties: Any) -> None:
        if len(self._queue) >= self.room:
            raise BufferError
        self._queue.append(on_delivery)

    def send(self, entry: InFlight) -> bool:
        try:
            self.flights.hand_over(entry)
        except BufferError:
            return False
        return True

    def not_taken(self, _entry: InFlight, error: Exception) -> bool:
        assert type(error) is BufferError
        return False

    def _acknowledged(self, entry: InFlight, _message: Any) -> None:
        self._stored(entry)

    def deliver(self, count: int, every: int) -> None:
        """Let records arrive: of the first *count*, those of one key in *every*, as partitions do."""
        for entry in self._queue[:count]:
            if entry.record.key[-6] % every == 0:
                self._queue.remove(entry)
                self.kafka.store(entry.record)
                entry(None, cast("Any", SimpleNamespace(latency=lambda: None)))

    def entries(self) -> list[InFlight]:
        return list(self._queue)

    def poll(self) -> None:
        pass

    def flush(self, _seconds: float) -> None:
        pass

    def close(self) -> None:
        pass


steps = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(1, 12)),
        st.tuples(st.just("room"), st.integers(0, 15)),
        st.tuples(st.just("deliver"), st.integers(1, 15), st.integers(1, 3)),
        st.tuples(st.just("tick")),
        st.tuples(st.just("restart")),
    ),
    max_size=40,
)


class Run:
    """One publisher after the other on one folder."""

    def __init__(self, folder: Path) -> None:
        self.config = KafkaConfig(enabled=True, spill_dir=folder, queue_max_messages=10, shutdown_seconds=0)
        self.kafka = FakeKafka()
        self.published = dict.fromkeys(SYMBOLS, 0)
        self.conflated = 0
        self._begin()

    def _begin(self) -> None:
        self.publisher = module.Publisher(self.config)
        self.link = cast("Any", self.publisher._link)
        self.link.kafka = self.kafka
        self.publisher.open()
        self.publisher.start(asyncio.get_running_loop())

    def publish(self, count: int) -> None:
        for _ in range(count):
            for symbol in SYMBOLS:
                number = self.published[symbol]
                self.published[symbol] = number + 1
                self.publisher.publish(book("delta" if number else "snapshot", number, symbol))
                self.publisher.publish(ticker(number, symbol))

    def room(self, room: int) -> None:
        self.link.room = room

    def deliver(self, count: int, every: int) -> None:
        self.link.deliver(count, every)

    def tick(self) -> None:
        self.publisher._timer.cancel()
        self.publisher._tick()
        self.check()

    async def restart(self) -> None:
        assert await self.publisher.close(0) == 0
        self.check()
        self.conflated += self.publisher.accounting()[self.config.ticker_topic].conflated
        self._begin()

    def check(self) -> None:
        for account in self.publisher.accounting().values():
            ended = account.acknowledged + account.conflated + account.dropped + account.failed
            assert account.events == ended + account.spilled + account.in_flight
            assert min(account.in_flight, account.spilled) >= 0
        recovered = self.publisher.recovered()
        assert recovered.waiting >= 0
        on_disk = sum(account.spilled for account in self.publisher.accounting().values()) + recovered.waiting
        if self.publisher._left is None:
            assert on_disk == self.publisher._buffer.records

    async def end(self) -> None:
        """Let all arrive, over one more restart."""
        await self.restart()
        self.room(10_000)
        for _ in range(50 + self.publisher.recovered().waiting):  # each takes at least one from disk
            self.tick()
            self.deliver(10_000, 1)
        assert await self.publisher.close(0) == 0
        self.conflated += self.publisher.accounting()[self.config.ticker_topic].conflated


@pytest.fixture(params=FORMS, autouse=True)
def form(request: pytest.FixtureRequest) -> Iterator[None]:
    with use(request.param):
        yield


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
@example([("publish", 12)] * 8)
def test_nothing_is_lost_or_overtaken_whatever_happens(
    monkeypatch: pytest.MonkeyPatch, todo: list[tuple[Any, ...]]
) -> None:
    async def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            test = Run(Path(folder))
            for name, *arguments in todo:
                result = getattr(test, name)(*arguments)
                if result is not None:
                    await result
                test.check() if test.publisher._left is None else None
            await test.end()
            for (topic, key), numbers in test.kafka.arrived.items():
                assert numbers == sorted(set(numbers)), f"{topic} {key!r}"
                if topic == test.config.orderbook_topic:
                    assert numbers == list(range(test.published[key.decode().partition("|")[2]]))
                else:
                    assert numbers[-1] == test.published[key.decode().partition("|")[2]] - 1
            arrived = sum(len(numbers) for numbers in test.kafka.arrived.values())
            assert arrived + test.conflated == 2 * sum(test.published.values())

    monkeypatch.setattr(module, "ProducerLink", FakeLink)
    monkeypatch.setattr(module, "ensure_topics", lambda *_: {})
    monkeypatch.setattr(Place, "ask", lambda *_: "cluster")
    monkeypatch.setattr(FakeLink, "open", lambda _: None, raising=False)
    asyncio.run(run())
