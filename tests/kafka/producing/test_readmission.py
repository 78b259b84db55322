"""A producer that Kafka does not let in is replaced ever more rarely, or as soon as its files fit."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from kafka.publishing import book, config_for
from kafka.refusing_broker import RefusingBroker
from support import aeventually
from tickwire.config.kafka_config import KafkaConfig
from tickwire.daemon_pool import DaemonPool
from tickwire.kafka.producing.place import Place
from tickwire.kafka.producing.publisher import Publisher
from tickwire.kafka.producing.readmission import Readmission

PAUSE_S = 2.0  # in which a client that lives logs in some 30 times


def test_refused_log_ins_come_ever_more_rarely_and_begin_anew_after_a_calm() -> None:
    readmission = Readmission(KafkaConfig())
    begun = readmission._begun_at
    assert [readmission.wait(begun + 1) for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert readmission.wait(begun + 61) == 1


@pytest.fixture
def broker() -> Iterator[RefusingBroker]:
    with RefusingBroker() as broker:
        yield broker


def made(broker: RefusingBroker, unique: str, folder: Path) -> Publisher:
    login = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN", "sasl_username": "feed"}
    config = config_for(broker.bootstrap, unique, spill_dir=folder, sasl_password=SecretStr("wrong"), **login)
    return Publisher(config, offline_start=True)


async def test_nobody_logs_in_while_a_refused_producer_waits_for_the_next(
    broker: RefusingBroker, unique: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[int] = []

    def wait(_readmission: Readmission, _now: float) -> float:
        refused.append(broker.log_ins)
        return PAUSE_S

    monkeypatch.setattr(Readmission, "wait", wait)
    publisher = made(broker, unique, tmp_path)
    await asyncio.to_thread(publisher.open)
    publisher._link.open()  # as if it had been let in before
    publisher.start(asyncio.get_running_loop())
    publisher.publish(book("snapshot", 0))
    publisher.publish(book("delta", 1))
    await aeventually(lambda: len(refused) == 3, "two more are refused")
    assert refused[2] - refused[1] <= 5  # the first one is asked for partitions for a second
    assert await publisher.close(0) == 0
    account = publisher.accounting()[publisher.config.orderbook_topic]
    assert (account.events, account.spilled) == (2, 2)


async def test_nobody_logs_in_between_two_looks_of_an_offline_start(
    broker: RefusingBroker, unique: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask, counts = Place.ask, list[int]()

    def counting(place: Place, seconds: float) -> str:
        counts.append(broker.log_ins)
        try:
            return ask(place, seconds)
        finally:
            counts.append(broker.log_ins)

    monkeypatch.setattr(Place, "ask", counting)
    asyncio.get_running_loop().set_default_executor(DaemonPool())  # as `tickwire produce` does
    publisher = made(broker, unique, tmp_path)
    await asyncio.to_thread(publisher.open)
    publisher.start(asyncio.get_running_loop())
    await aeventually(lambda: len(counts) == 5, "the second look after the start")  # 4 s after the first
    assert counts[4] - counts[3] <= 1
    await publisher.close(0)
