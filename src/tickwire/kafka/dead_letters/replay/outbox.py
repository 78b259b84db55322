"""Sends dead letters unchanged, and waits for every acknowledgement."""

import time
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from tickwire.config.kafka_config import KafkaConfig
from tickwire.kafka import codes
from tickwire.kafka.clients import make, producer_config
from tickwire.kafka.dead_letters.headers import HeaderList
from tickwire.kafka.received import ReceivedRecord

_DELIVERY_S = 30.0
NOT_SENT = KafkaError(codes.NEVER_SENT, "not sent because of the failure before it")


class Parcel(NamedTuple):
    """A record, the topic that it goes to and the headers that it gets."""

    record: ReceivedRecord
    topic: str
    headers: HeaderList


class Outbox:
    """One idempotent producer with at most one record of a key in flight, which keeps a key's order despite failures.

    Idempotence alone does not: of several in flight the first can be refused and the others accepted.
    """

    def __init__(self, config: KafkaConfig) -> None:
        settings = producer_config(config) | {
            "linger.ms": 0,
            "batch.num.messages": 1,  # brokers refuse whole batches; this way a record that is too large fails alone
            "message.timeout.ms": int(_DELIVERY_S * 1000),  # undelivered records are not committed
            "queue.buffering.max.messages": 10_000,
            "queue.buffering.max.kbytes": 2_097_151,  # librdkafka's maximum; batches are bounded by the caller
        }
        self._producer = make(Producer, settings)

    def send(self, parcels: Sequence[Parcel]) -> list[KafkaError | None]:
        """Send all and wait; return for each None if acknowledged, or else the error.

        After a failure the remaining ones are not sent and get :data:`NOT_SENT`.
        """
        reports: list[KafkaError | None] = [NOT_SENT] * len(parcels)
        for turn in _turns(parcels):
            answers = self._send_together([parcels[number] for number in turn])
            for number, error in zip(turn, answers, strict=True):
                reports[number] = error
            if any(error is not None for error in answers):
                break
        return reports

    def _send_together(self, parcels: Sequence[Parcel]) -> list[KafkaError | None]:
        reports: dict[int, KafkaError | None] = {}
        for number, parcel in enumerate(parcels):

            def reported(error: KafkaError | None, _message: Message, number: int = number) -> None:
                reports[number] = error

            record = parcel.record
            headers: list[tuple[str, str | bytes | None]] = [*parcel.headers]
            try:
                self._producer.produce(parcel.topic, record.value, record.key, headers=headers, on_delivery=reported)
            except KafkaException as e:
                reports[number] = e.args[0]
                break
        otherwise = self._wait()
        return [reports.get(number, otherwise) for number in range(len(parcels))]

    def _wait(self) -> KafkaError:
        """Wait until nothing is in flight; return the error for records that still have no report."""
        deadline = time.monotonic() + _DELIVERY_S + 5  # librdkafka reports by then; this only guards the loop
        try:
            while len(self._producer) and time.monotonic() < deadline:
                self._producer.poll(0.1)
        except KafkaException as e:  # fatal for this producer
            error: KafkaError = e.args[0]
            return error
        return KafkaError(codes.NOT_REPORTED)


def _turns(parcels: Sequence[Parcel]) -> list[list[int]]:
    """Split the indexes into turns without two records of one topic and key; without a key there is no order."""
    turns: list[list[int]] = []
    before: Counter[tuple[str, bytes]] = Counter()
    for number, parcel in enumerate(parcels):
        turn, key = 0, parcel.record.key
        if key is not None:
            turn = before[parcel.topic, key]
            before[parcel.topic, key] += 1
        if turn == len(turns):
            turns.append([])
        turns[turn].append(number)
    return turns
