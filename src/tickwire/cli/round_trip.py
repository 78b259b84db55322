"""A round trip through Kafka: marked records through the real producer and consumer, and one invalid record.

It uses its own topics and group and deletes them afterwards, so that it does not touch real data.
"""

import asyncio
import contextlib
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, KafkaError, KafkaException, Message, Producer

from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import KafkaFailed, TickwireError
from tickwire.events.types import Ticker
from tickwire.kafka.admin.topics import Topics, TopicSpec, UnknownTopic
from tickwire.kafka.causes import said
from tickwire.kafka.clients import producer_config
from tickwire.kafka.consuming.consumer import run_kafka_consumer
from tickwire.kafka.consuming.positions import Start
from tickwire.kafka.dead_letters.reader import read_oldest
from tickwire.kafka.producing.opening import opened
from tickwire.kafka.producing.publisher import Publisher
from tickwire.kafka.received import ReceivedRecord

_FLUSH_S = 20.0
_ARRIVE_S = 45.0
_CLOCK_S = 1.0
_POISON = b'{"type":"ticker","bid":NaN}'


class RoundTripFailed(TickwireError):
    """A record did not arrive as it was sent."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __str__(self) -> str:
        return f"Round trip failed: {self.what}; see what the brokers and `tickwire check` say."


def round_trip(config: KafkaConfig, count: int) -> Iterator[str]:
    """Send *count* marked tickers and one invalid record; yield a line for each step that worked.

    Raises :exc:`RoundTripFailed` and :exc:`~tickwire.errors.KafkaFailed`.
    """
    run = uuid.uuid4().hex[:12]
    own = config.model_copy(
        update={
            "enabled": True,
            "ticker_topic": f"tickwire.smoke.{run}.ticks",
            "orderbook_topic": f"tickwire.smoke.{run}.books",
            "trades_topic": f"tickwire.smoke.{run}.trades",
            "dlq_topic": f"tickwire.smoke.{run}.dlq",
            "dlq_enabled": True,
            "create_topics": True,
            "topic_partitions": 1,
            "group_id": f"tickwire-smoke-{run}",
        }
    )
    clock_topic = f"tickwire.smoke.{run}.clock"
    try:
        asyncio.run(_publish(own, run, count))
        yield f"Published-ok ({count} acknowledged)"
        _send_raw(Producer(producer_config(own)), own.ticker_topic, b"smoke|poison", _POISON)
        arrived = _consume(own, count + 1)
        if arrived != [f"{run}-{i}" for i in range(count)]:
            raise RoundTripFailed(f"{len(arrived)} of {count} marked records arrived, or not in their order")
        yield f"Consumed-ok ({count} in order)"
        letters = read_oldest(own, own.dlq_topic, 2).letters
        if [(letter.record.key, letter.record.value) for letter in letters] != [(b"smoke|poison", _POISON)]:
            raise RoundTripFailed(f"the dead-letter topic holds {len(letters)} records, expected the poison one alone")
        yield f"Dead-letter-ok ({letters[0].ours['error_type']})"
        if clock := _clock(own, clock_topic):
            yield clock
    finally:
        topics = Topics(own)
        for name in (*own.topics, own.dlq_topic, clock_topic):
            with contextlib.suppress(UnknownTopic):  # not created before the error
                topics.delete(name)


def _send_raw(producer: Producer, topic: str, key: bytes, value: bytes) -> Message:
    """Send one record and return its acknowledgement. Raises :exc:`~tickwire.errors.KafkaFailed`."""
    reports: list[tuple[KafkaError | None, Message]] = []
    try:
        producer.produce(topic, value, key, on_delivery=lambda *report: reports.append(report))
        producer.flush(_FLUSH_S)
    except KafkaException as e:
        raise KafkaFailed(f"Kafka refused a record for {topic} ({said(e)}): see `tickwire check`.") from e
    error, message = reports[0] if reports else (None, None)
    if message is None or error is not None:
        cause = f"no answer within {_FLUSH_S:g} s" if error is None else said(error)
        raise KafkaFailed(f"A record for {topic} was not acknowledged ({cause}): see `tickwire check`.")
    return message


def _clock(config: KafkaConfig, topic: str) -> str:
    """Say how far a broker's clock is from ours; empty if it does not tell.

    Kafka has no request for its time. For a topic that keeps append times, the acknowledgement of a record has the time
    of appending (the field ``log_append_time_ms`` of https://kafka.apache.org/protocol#The_Messages_Produce).
    """
    settings = {"message.timestamp.type": "LogAppendTime"}
    Topics(config).create(TopicSpec(topic, settings=settings))
    producer = Producer(producer_config(config))
    for _ in range(2):  # the first one includes connecting
        before = time.time()
        kind, milliseconds = _send_raw(producer, topic, b"smoke|clock", b"").timestamp()
        after = time.time()
    if kind != TIMESTAMP_LOG_APPEND_TIME:
        return ""
    ahead = milliseconds / 1000 - (before + after) / 2
    within = (after - before) / 2 + 0.001
    text = (
        f"the broker's clock is {abs(ahead):.3f} s {'ahead of' if ahead > 0 else 'behind'} ours, within {within:.3f} s"
    )
    if abs(ahead) - within > _CLOCK_S:
        return f"Clock-differs ({text}: look-ups by time and retention are wrong by that much; set both by NTP)"
    return f"Clock-ok ({text})"


async def _publish(config: KafkaConfig, run: str, count: int) -> None:
    with tempfile.TemporaryDirectory(prefix="tickwire-smoke-") as folder:
        config = config.model_copy(update={"spill_dir": Path(folder), "shutdown_seconds": _FLUSH_S})
        async with opened(Publisher(config)) as publisher:
            for i in range(count):  # so few records never fill the queue
                publisher.publish(_marked(f"{run}-{i}"))
    if left := count - publisher.accounting()[config.ticker_topic].acknowledged:
        raise RoundTripFailed(f"{left} of {count} records were not acknowledged within {_FLUSH_S:g} s")


def _marked(mark: str) -> Ticker:
    return Ticker(
        exchange="smoke",
        symbol="SMOKE-TEST",
        exchange_symbol=mark,
        bid="1.00",
        bid_size="1",
        ask="2.00",
        ask_size="1",
        received_us=time.time_ns() // 1000,
    )


def _consume(config: KafkaConfig, count: int) -> list[str]:
    marks: list[str] = []

    def handler(record: ReceivedRecord) -> None:
        marks.append(record.event.exchange_symbol)

    run_kafka_consumer(
        config,
        topics=[config.ticker_topic],
        start=Start("beginning"),
        handler=handler,
        max_records=count,
        stopping=_after(_ARRIVE_S),
    )
    return marks


def _after(seconds: float) -> Callable[[], bool]:
    deadline = time.monotonic() + seconds
    return lambda: time.monotonic() > deadline
