"""The publisher under test in a process of its own, with synthetic market events; its journal is a file.

The argument is JSON, see :class:`Settings`. Lines on standard input give orders: ``burst N``
publishes N events at once, ``big SYMBOL BYTES`` a message of that size. SIGTERM ends it in order: exit code 0 when
nothing is left over.
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import KafkaError, KafkaException

from faults.journal import Journal
from faults.lifeline import end_with_parent
from faults.programs import resident_kib
from tickwire import metrics
from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import TickwireError
from tickwire.events.types import MarketEvent, OrderBook, Ticker
from tickwire.kafka.producing import producer_link, schema_ids
from tickwire.kafka.producing.publisher import Publisher
from tickwire.records.codec import Record
from tickwire.records.formats import ValueReader
from tickwire.records.formats.framing import WriterSchema
from tickwire.records.kinds import KINDS, formats_by_kind, topics_by_kind
from tickwire.schemas import schema_text

_TICK_S = 0.01


class Settings(msgspec.Struct, kw_only=True):
    """What to do. ``client`` are properties of librdkafka that win over ours."""

    journal: str
    report: str
    run: str
    kafka: dict[str, Any]
    client: dict[str, Any] = {}
    keys: int = 4
    rate: int = 500  # events a second
    close_seconds: float = 30.0  # at most; it ends when all is delivered
    texts: bool = False  # journal every event's JSON text, too
    look_seconds: float = 30.0  # between two looks at the schema registry


def number_in(config: KafkaConfig) -> Callable[[str, bytes], int]:
    """What reads the number in the value of a topic, of any format, without a registry."""
    formats, readers = formats_by_kind(config), {}
    for kind, topic in topics_by_kind(config).items():
        schema = WriterSchema(formats[kind], schema_text(kind, formats[kind]))
        readers[topic] = ValueReader(lambda _, schema=schema: schema).decode  # type: ignore[misc]
    return lambda topic, value: readers[topic](value).sequence  # type: ignore[union-attr, return-value]


def message_of(record: Record, number: Callable[[str, bytes], int]) -> tuple[str, str, int]:
    """Topic, key and number of a record's message."""
    return record.topic, record.key.decode(), number(record.topic, record.value)


def note_reports(link: Any, journal: Journal, overrides: dict[str, Any], number: Callable[[str, bytes], int]) -> None:
    """Let the module of the link journal each delivery report before anything is done about it; both of its forms."""
    make_producer, kind = link.make_producer, link.ProducerLink
    acknowledged, not_delivered, not_taken = kind._acknowledged, kind._not_delivered, kind.not_taken

    def made(settings: dict[str, Any]) -> Any:
        return make_producer(settings | overrides)

    def note_acknowledged(self: Any, entry: Any, latency: float | None) -> None:
        journal.write("acked", *message_of(entry.record, number), 0, None)
        self.flights.sampling = True  # so that it is told of the next one as well
        acknowledged(self, entry, latency)

    def note_not_delivered(self: Any, entry: Any, error: KafkaError) -> None:
        if error.code() not in {KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT}:
            journal.write("refused", *message_of(entry.record, number), error.name())
        not_delivered(self, entry, error)

    def note_not_taken(self: Any, entry: Any, error: Exception) -> Any:
        ended = not_taken(self, entry, error)
        if ended and not isinstance(error, OverflowError):  # else it waits, or was handed over after all
            why = error.args[0].name() if isinstance(error, KafkaException) else "never fits"
            journal.write("refused", *message_of(entry.record, number), why)
        return ended

    link.make_producer = made
    kind._acknowledged, kind._not_delivered, kind.not_taken = note_acknowledged, note_not_delivered, note_not_taken


def note_doubts(kind: Any, journal: Journal, number: Callable[[str, bytes], int]) -> None:
    """Let every link journal what a producer has in flight when it is given up."""
    let_go = kind._let_go

    def note_let_go(self: Any) -> None:
        for entry in self.flights.entries():
            journal.write("in_doubt", *message_of(entry.record, number))
        let_go(self)

    kind._let_go = note_let_go


def note_sizes(kind: Any, journal: Journal, number: Callable[[str, bytes], int]) -> None:
    """Let every link journal the records that their topic cannot take, which are not sent."""
    open_link = kind.__init__

    def opened(self: Any, *given: Any, **named: Any) -> None:
        open_link(self, *given, **named)
        too_large = self._too_large

        def note(record: Any) -> Any:
            if (error := too_large(record)) is not None:
                journal.write("refused", *message_of(record, number), error.name())
            return error

        self._too_large = note

    kind.__init__ = opened


class Market:
    """Tickers and books of K symbols in turn; each message of a stream has the next number."""

    def __init__(self, run: str, keys: int, topics: tuple[str, str], journal: Journal) -> None:
        self._run, self._keys, self._topics, self._journal = run, keys, topics, journal
        self._turn = 0
        self._numbers: dict[tuple[str, str], int] = {}
        self._books = {f"K{i}": (0, 0) for i in range(keys)}  # epoch and next book_seq

    def next(self) -> MarketEvent:
        turn = self._turn = self._turn + 1
        symbol = f"K{turn // 2 % self._keys}"
        return self._ticker(symbol) if turn % 2 else self.book(symbol)

    def restart(self, symbol: str) -> OrderBook:
        """End an epoch: the book's next message is a snapshot."""
        event = self.book(symbol, "invalid")
        self._books[symbol] = (self._books[symbol][0] + 1, 0)
        return event

    def book(self, symbol: str, action: Any = None, padding: int = 1) -> OrderBook:
        epoch, book_seq = self._books[symbol]
        self._books[symbol] = (epoch, book_seq + 1)
        action = action or ("snapshot" if book_seq == 0 else "delta")
        return OrderBook(
            action=action,
            exchange=self._run,
            symbol=symbol,
            exchange_symbol=symbol,
            depth=None,
            bids=[] if action == "invalid" else [("1." + "0" * padding, "1")],
            asks=[],
            epoch=epoch,
            book_seq=book_seq,
            sequence=self._sent(1, symbol),
            received_us=time.time_ns() // 1000,
        )

    def _ticker(self, symbol: str) -> Ticker:
        number = self._sent(0, symbol)
        return Ticker(
            exchange=self._run,
            symbol=symbol,
            exchange_symbol=symbol,
            bid=f"{number}.{number:08}0",
            bid_size="1",
            ask="2",
            ask_size="1",
            sequence=number,
            received_us=time.time_ns() // 1000,
        )

    def _sent(self, topic: int, symbol: str) -> int:
        name = self._topics[topic], symbol
        number = self._numbers[name] = self._numbers.get(name, 0) + 1
        self._journal.write("sent", self._topics[topic], f"{self._run}|{symbol}", number)
        return number


class Program:
    """Feeds the publisher and does what it asks for, as a feed does."""

    def __init__(self, settings: Settings, journal: Journal) -> None:
        config = KafkaConfig(enabled=True, **settings.kafka)
        self._settings, self._journal = settings, journal
        self._topics = {kind.event: getattr(config, kind.topic) for kind in KINDS}
        self._market = Market(settings.run, settings.keys, (config.ticker_topic, config.orderbook_topic), journal)
        self.publisher = Publisher(config)
        self._stop = asyncio.Event()
        self._reading = asyncio.Event()
        self._reading.set()
        self.report: dict[str, Any] = {"pauses": 0, "overflows": 0, "most_in_flight": 0, "error": None}

    # What a publisher may ask for

    def pause(self) -> None:
        self.report["pauses"] += 1
        self._reading.clear()

    def resume(self) -> None:
        self._reading.set()

    def restart(self, exchange_symbol: str, reason: str) -> None:
        self.report["overflows"] += reason == "overflow"
        asyncio.get_running_loop().call_soon(self._restart, exchange_symbol)

    def replaced(self, _exchange_symbol: str) -> None:
        return None  # its epochs end with invalid

    def failed(self, error: TickwireError) -> None:
        self.report["error"] = str(error)
        self._stop.set()

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        loop.add_reader(0, self._order)
        await asyncio.to_thread(self.publisher.open)
        self.publisher.flows.join(self._settings.run, self)
        self.publisher.start(loop)
        feeding, stopping = asyncio.create_task(self._feed()), asyncio.create_task(self._stop.wait())
        await asyncio.wait({feeding, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not feeding.cancel():
            feeding.result()
        for i in range(self._settings.keys):
            self._restart(f"K{i}")
        begun = time.monotonic()
        left = await self.publisher.close(self._settings.close_seconds)
        self.report |= {
            "left": left,
            "close_seconds": time.monotonic() - begun,
            "peak_rss_kib": resident_kib("self", "VmHWM"),
            "accounting": {topic: asdict(account) for topic, account in self.publisher.accounting().items()},
            "recovered": asdict(self.publisher.recovered()),
            "metrics": _metrics(),
            "recreated": sum(
                int(s.value)
                for f in metrics.PRODUCER_RECREATED.collect()
                for s in f.samples
                if s.name.endswith("_total")
            ),
        }
        return 0 if left == 0 else 1

    async def _feed(self) -> None:
        """Publish at the wanted rate, and never faster after a pause: an exchange does not repeat itself."""
        each = max(1, round(self._settings.rate * _TICK_S))
        while True:
            await self._reading.wait()
            for _ in range(each):
                if self._reading.is_set():
                    self._publish(self._market.next())
            self._watch()
            await asyncio.sleep(_TICK_S)

    def _publish(self, event: MarketEvent) -> None:
        if self._settings.texts:
            name = f"{event.exchange}|{event.symbol}"
            text = msgspec.json.encode(event).decode()
            self._journal.write("text", self._topics[type(event)], name, event.sequence, text)  # type: ignore[union-attr]
        self.publisher.publish(event)

    def _watch(self) -> None:
        in_flight = sum(m.value for family in metrics.IN_FLIGHT.collect() for m in family.samples)
        self.report["most_in_flight"] = max(self.report["most_in_flight"], int(in_flight))
        self._journal.sync()

    def _restart(self, symbol: str) -> None:
        self._publish(self._market.restart(symbol))

    def _order(self) -> None:
        for line in os.read(0, 65_536).decode().splitlines():
            match line.split():
                case ["burst", count]:
                    for _ in range(int(count)):
                        self._publish(self._market.next())
                case ["big", symbol, size]:
                    self._publish(self._market.book(symbol, padding=int(size)))
            self._journal.write("ordered", line)


def _metrics() -> dict[str, int]:
    """``topic outcome`` → count, and the counters of the specification."""
    found = {
        f"{s.labels['topic']} {s.labels['outcome']}": int(s.value)
        for family in metrics.RECORDS.collect()
        for s in family.samples
        if s.name.endswith("_total")
    }
    for counter in (metrics.MESSAGES_PUBLISHED, metrics.DELIVERY_ERRORS, metrics.QUEUE_DROPS):
        for family in counter.collect():
            for s in family.samples:
                if s.name.endswith("_total"):
                    found[f"{s.labels['topic']} {s.name}"] = int(s.value)
    return found


def main() -> None:
    end_with_parent()
    settings = msgspec.json.decode(sys.argv[1], type=Settings)
    journal = Journal(settings.journal)
    number = number_in(KafkaConfig(**settings.kafka))
    note_reports(producer_link, journal, settings.client, number)
    note_doubts(producer_link.ProducerLink, journal, number)
    note_sizes(producer_link.ProducerLink, journal, number)
    schema_ids._LOOK_S = settings.look_seconds
    program = Program(settings, journal)
    code = asyncio.run(program.run())
    journal.sync()
    Path(settings.report).write_text(json.dumps(program.report))
    sys.exit(code)


if __name__ == "__main__":
    main()
