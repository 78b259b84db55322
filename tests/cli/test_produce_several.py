"""``tickwire produce`` of two exchanges into one Kafka, as processes: each counted, none disturbed by the other."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from consumer_support import read_all
from faults.programs import Exchange, Program
from support import free_port
from tickwire.broker import EmbeddedBroker
from tickwire.config.kafka_config import KafkaConfig

Start = Callable[..., Program]
OUTCOMES = ("acknowledged", "conflated", "dropped", "failed", "spilled", "in_flight")


@pytest.fixture
def exchanges(tmp_path: Path) -> Iterator[Callable[..., dict[str, str]]]:
    """Start simulated exchanges, with the faults of each; the settings of a feed that reads them all."""
    with ExitStack() as stack:

        def start(**faults: Sequence[str]) -> dict[str, str]:
            settings: dict[str, str] = {}
            symbols = []
            for name, its in faults.items():
                exchange = stack.enter_context(Exchange(name, free_port(), tmp_path, *its, symbols=2, rate=100))
                settings |= exchange.settings()
                symbols += [f"{name}:{symbol}" for symbol in exchange.symbols]
            return settings | {"FEED_EXCHANGE": ",".join(faults), "FEED_SYMBOLS": ",".join(symbols)}

        yield start


@pytest.fixture
def kafka(embedded: EmbeddedBroker, unique: str, tmp_path: Path) -> KafkaConfig:
    topics: dict[str, Any] = {f"{name}_topic": f"{name}.{unique}" for name in ("ticker", "orderbook", "trades")}
    return KafkaConfig(enabled=True, brokers=embedded.bootstrap, spill_dir=tmp_path / "spill", **topics)


@pytest.fixture
def start(kafka: KafkaConfig, tmp_path: Path) -> Start:
    """Start ``tickwire produce``; its accounting is in *name*.json."""

    def program(feed: Mapping[str, str], *arguments: str, name: str = "produce") -> Program:
        names = ("enabled", "brokers", "spill_dir", "ticker_topic", "orderbook_topic")
        env = {KafkaConfig.variable(setting): str(getattr(kafka, setting)) for setting in names}
        env |= {"KAFKA_METRICS_ENABLED": "true", "KAFKA_METRICS_PORT": str(free_port())}
        report = ["--report", str(tmp_path / f"{name}.json")]
        return Program(name, ["produce", *arguments, *report], {**feed, **env}, tmp_path)

    return program


def flows(program: Program, exchange: str, more: int = 50) -> None:
    """Wait until so many more of the exchange's records are in Kafka."""

    def acknowledged() -> float:
        return program.metric("kafka_messages_published_total", exchange=exchange)

    before = acknowledged()
    program.until(lambda: acknowledged() >= before + more, f"{more} records of {exchange}")


def accounted(report: Path, kafka: KafkaConfig) -> dict[str, Any]:
    """The accounting, whose sums agree with themselves and with what each exchange has in Kafka."""
    account: dict[str, Any] = json.loads(report.read_text())
    found = Counter(
        (record.key or b"").decode().partition("|")[0]
        for topic in (kafka.ticker_topic, kafka.orderbook_topic)
        for record in read_all(kafka, topic)
    )
    parts = account["exchanges"]
    for exchange, part in parts.items():
        assert sum(part["events"].values()) == sum(part[outcome] for outcome in OUTCOMES)
        assert part["acknowledged"] == found[exchange]
    for name in ("frames_received", *OUTCOMES):
        assert account[name] == sum(part[name] for part in parts.values())
    assert sum(account["events"].values()) == sum(sum(part["events"].values()) for part in parts.values())
    assert account["acknowledged"] == found.total() > 0
    return account


@pytest.mark.parametrize("workers", ["1", "2"])
def test_two_exchanges_are_published_by_one_command_and_accounted_for_together_and_apart(
    exchanges: Callable[..., dict[str, str]], start: Start, kafka: KafkaConfig, tmp_path: Path, workers: str
) -> None:
    with start(exchanges(binance=(), kraken=()), "--workers", workers) as program:
        for exchange in ("binance", "kraken"):
            flows(program, exchange)
        program.ask_to_end()
        assert program.wait() == 0
    account = accounted(tmp_path / "produce.json", kafka)
    assert all(part["acknowledged"] >= 50 for part in account["exchanges"].values())
    assert {book.partition("|")[0] for book in account["books"]} == {"binance", "kraken"}
    shown = program.output.read_text()
    for exchange in ("binance", "kraken"):
        assert f"{exchange}: frames received" in shown


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_exchange_that_does_not_list_its_symbols_ends_alone_and_the_exit_code_says_so(
    exchanges: Callable[..., dict[str, str]], start: Start, kafka: KafkaConfig, tmp_path: Path, workers: str
) -> None:
    feed = exchanges(binance=(), kraken=())
    feed["FEED_SYMBOLS"] += ",kraken:NOPE-USD"
    with start(feed, "--workers", workers) as program:
        flows(program, "binance")
        program.until(lambda: program.metric("feed_running", exchange="kraken") == 0, "the end of one")
        flows(program, "binance")
        program.ask_to_end()
        assert program.wait() == 2
    account = accounted(tmp_path / "produce.json", kafka)
    assert account["exchanges"]["kraken"]["acknowledged"] == 0
    *_, last = program.log.read_text().splitlines()
    assert last.startswith("error: kraken does not list the symbol 'NOPE-USD'")


def test_an_exchange_that_refuses_all_ends_alone(
    exchanges: Callable[..., dict[str, str]], start: Start, kafka: KafkaConfig, tmp_path: Path
) -> None:
    feed = exchanges(binance=(), kraken=("refuse=BTC-USD", "refuse=ETH-USD"))
    with start(feed) as program:
        program.until(lambda: program.metric("feed_running", exchange="kraken") == 0, "the end of one")
        flows(program, "binance")
        program.ask_to_end()
        assert program.wait() == 1
    account = accounted(tmp_path / "produce.json", kafka)
    assert account["exchanges"]["kraken"]["acknowledged"] == 0


def test_an_exchange_that_dies_is_waited_for_while_the_other_goes_on(
    exchanges: Callable[..., dict[str, str]], start: Start, kafka: KafkaConfig, tmp_path: Path
) -> None:
    feed = exchanges(binance=())
    with Exchange("kraken", free_port(), tmp_path, symbols=1, rate=100) as dying:
        feed |= dying.settings() | {"FEED_EXCHANGE": "binance,kraken"}
        feed["FEED_SYMBOLS"] = ",".join([f"kraken:{dying.symbols[0]}", "binance:BTCUSDT"])
        with start(feed) as program:
            flows(program, "kraken")
            dying.kill()
            program.until(lambda: program.metric("feed_books", exchange="kraken", state="valid") == 0, "the loss")
            flows(program, "binance", 200)
            assert program.metric("feed_books", exchange="binance", state="valid") == 1
            program.ask_to_end()
            assert program.wait() == 0
    accounted(tmp_path / "produce.json", kafka)


def test_what_ends_every_exchange_is_the_first_sentence_and_nothing_is_counted(
    exchanges: Callable[..., dict[str, str]], start: Start
) -> None:
    feed = exchanges(binance=(), kraken=()) | {"FEED_SYMBOLS": "NOPE-USD"}
    with start(feed) as program:
        assert program.wait() == 2
    assert program.output.read_text() == ""
    said = [line for line in program.log.read_text().splitlines() if line.startswith("error: ")]
    assert len(said) == 1


def test_two_producers_of_other_symbols_start_side_by_side_and_what_they_read_of_several_exchanges_is_kept_apart(
    exchanges: Callable[..., dict[str, str]], start: Start
) -> None:
    feed = exchanges(binance=(), kraken=())
    first, second = ({**feed, "FEED_SYMBOLS": f"binance:{base}USDT,kraken:{base}/USD"} for base in ("BTC", "ETH"))
    with start(first, name="first") as one, start(second, name="second") as two:
        for program in (one, two):
            flows(program, "binance", 5)
            flows(program, "kraken", 5)
        with start({**first, "FEED_EXCHANGE": "kraken", "FEED_SYMBOLS": "BTC/USD"}, name="third") as third:
            assert third.wait() == 2
            assert "publishes" in third.last_words()
