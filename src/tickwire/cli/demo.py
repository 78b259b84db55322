"""The whole path on one machine: broker, exchange, producer and consumer as processes, and the accounting."""

import contextlib
import json
import socket
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from tickwire import simulator
from tickwire.broker.ports import free_ports
from tickwire.cli.accounting import judge, total_outcomes
from tickwire.cli.children import Child, get_json, metric, post
from tickwire.cli.common import show, show_table
from tickwire.cli.ui import require_page
from tickwire.config.feed_config import FeedConfig
from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import KafkaFailed, TickwireError, UsageError
from tickwire.exchanges import load
from tickwire.exchanges.contract import Channel
from tickwire.records.kinds import KINDS
from tickwire.signals import Stop
from tickwire.wire.arguments import check_channels

_READY_S = 30.0
_DRAIN_S = 60.0
_ALL_LEVELS = 100_000
_REACH_S = 5.0
_HTTPS = 443


class NoExchange(TickwireError):
    """The real exchange cannot be reached."""

    def __init__(self, host: str, cause: str) -> None:
        self.host, self.cause = host, cause

    def __str__(self) -> str:
        return f"{self.host} cannot be reached ({self.cause}): without LIVE=1 (--live) the demo needs no internet."


def demo(
    exchange: Annotated[
        str, typer.Option(help=f"Some of {', '.join(simulator.names())}; with --live any of `tickwire exchanges`.")
    ] = "binance",
    symbols: Annotated[
        str, typer.Option(help="With --live: the symbols, comma-separated. Otherwise: the number of simulated ones.")
    ] = "",
    seconds: Annotated[int, typer.Option(min=1, help="How long data are read.")] = 20,
    rate: Annotated[int, typer.Option(min=0, help="Updates a second of the simulated exchange; 0: no limit.")] = 500,
    channels: Annotated[str, typer.Option(help="Some of ticker,orderbook,trade.")] = ",".join(FeedConfig().channels),
    live: Annotated[bool, typer.Option("--live", help="Read the real exchange; needs the internet.")] = False,
    ui: Annotated[
        int | None, typer.Option(metavar="PORT", min=1, max=65535, help="Show it in a browser, as `tickwire ui` does.")
    ] = None,
) -> None:
    """Run the whole path for some seconds and check that nothing was lost.

    An embedded broker, simulated exchanges, the producer and the consumer run as processes of their own.

    \b
    Examples:
      tickwire demo
      tickwire demo --exchange kraken --seconds 5
      tickwire demo --exchange binance,okx
      tickwire demo --channels ticker,orderbook,trade
      tickwire demo --exchange binance --symbols BTCUSDT --live
      tickwire demo --exchange binance,kraken --symbols 20 --seconds 600 --ui 8080
    """
    if ui is not None:
        require_page()
    if not live and symbols and not symbols.isdigit():
        raise UsageError(
            f"--symbols {symbols!r} names symbols, which the simulated exchange does not have: "
            "give their number, or add --live (LIVE=1) to read the real exchange."
        )
    exchanges = list(dict.fromkeys(name.strip().lower() for name in exchange.split(",")))
    for name in exchanges:
        module = load(name)
        asked = check_channels(module, FeedConfig.model_validate({"channels": channels}).channels)
        if live:
            _reach(module.EXCHANGE.ws_url)
        else:
            simulator.load(name)
    print("Starting a Kafka, the exchange, the producer and the consumer.", flush=True)
    with tempfile.TemporaryDirectory(prefix="tickwire-demo-") as folder, Stop() as stop:
        run = _Demo(exchanges, symbols, asked, rate, Path(folder), live=live)
        with run.processes:
            run.start()
            if ui is not None:
                run.show(ui)
            stop.wait(seconds)
            run.drain()
            run.end()
    if not run.judge():
        raise typer.Exit(1)


def _reach(url: str) -> None:
    address = urlsplit(url)
    host = address.hostname or ""
    try:
        socket.create_connection((host, address.port or _HTTPS), timeout=_REACH_S).close()
    except OSError as e:
        raise NoExchange(host, e.strerror or str(e)) from None


def _first_record(config: KafkaConfig) -> str:
    """Read one record without a group: with the embedded broker a group waits seconds for its partitions."""
    from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition  # noqa: PLC0415 - may be missing

    from tickwire.cli.consume_output import json_line  # noqa: PLC0415
    from tickwire.kafka.clients import consumer_config  # noqa: PLC0415
    from tickwire.kafka.received import ReceivedRecord, value_reader  # noqa: PLC0415

    consumer = Consumer(consumer_config(config, "tickwire-demo-first") | {"fetch.wait.max.ms": 10})
    try:
        there = consumer.list_topics(timeout=_REACH_S).topics
        partitions = [(name, number) for name in config.topics if name in there for number in there[name].partitions]
        consumer.assign([TopicPartition(*partition, OFFSET_BEGINNING) for partition in partitions])
        message = consumer.poll(_READY_S)
    finally:
        consumer.close()
    if message is None or message.error():
        raise KafkaFailed(f"No record came within {_READY_S:g} s.")
    return json_line(ReceivedRecord.from_message(message, value_reader(config)))


class _Demo:
    """The processes of one run, in the order in which data flow through them."""

    def __init__(
        self,
        exchanges: Sequence[str],
        symbols: str,
        channels: Sequence[Channel],
        rate: int,
        folder: Path,
        *,
        live: bool,
    ) -> None:
        self.exchanges, self.symbols, self.channels, self.rate = exchanges, symbols, channels, rate
        self.simulated: dict[str, str] = {}  # addresses by exchange
        self.live, self.folder = live, folder
        self.processes = contextlib.ExitStack()
        self.produced: dict[str, Any] = {}
        self.consumed: dict[str, Any] = {}
        self.sent: int | None = None
        self.books: dict[str, dict[str, Any]] | None = None
        self.started = self.seconds = 0.0

    def start(self) -> None:
        broker_port, self.producer_port, self.consumer_port, *ports = free_ports("127.0.0.1", 3 + len(self.exchanges))
        kafka = self.kafka = {
            "KAFKA_ENABLED": "true",
            "KAFKA_BROKERS": f"127.0.0.1:{broker_port}",
            "KAFKA_METRICS_ENABLED": "true",
            "KAFKA_GROUP_ID": "tickwire-demo",
            "KAFKA_SPILL_DIR": str(self.folder / "spill"),
        }
        if not self.live:  # a simulated exchange can wait, so that no record is dropped at any rate
            kafka |= {KafkaConfig.variable(kind.when_full): "block" for kind in KINDS}
        broker = self._spawn("broker", ["--port", str(broker_port)])
        feed = {"FEED_EXCHANGE": ",".join(self.exchanges), "FEED_CHANNELS": ",".join(self.channels)}
        feed["FEED_SYMBOLS"] = self.symbols or ",".join(FeedConfig().symbols)
        if not self.live:
            feed |= self._simulate(ports)
        broker.wait_for("ready", _READY_S)
        self.producer = self._spawn(
            "produce",
            ["--report", str(self.folder / "produced.json")],
            {**kafka, **feed, "KAFKA_METRICS_PORT": str(self.producer_port)},
        )
        self.producer.until(lambda: self._produced("feed_events_total") > 0, "the first event", _READY_S)
        self.started = time.monotonic()
        self.consumer = self._spawn(
            "consume",
            ["--from", "beginning", "--report", str(self.folder / "consumed.json")],
            {**kafka, "KAFKA_METRICS_PORT": str(self.consumer_port)},
            shown=True,
        )
        print(_first_record(KafkaConfig.model_validate({"brokers": kafka["KAFKA_BROKERS"]})), flush=True)
        self.consumer.until(lambda: self._consumed("kafka_consumer_records_total") > 0, "the first record", _READY_S)

    def show(self, port: int) -> None:
        """Serve the page."""
        pages = ",".join(f"http://127.0.0.1:{of}/metrics" for of in (self.producer_port, self.consumer_port))
        child = self._spawn("ui", ["--port", str(port), "--metrics", pages], self.kafka)
        child.wait_for("The page is at", _READY_S)
        print(f"The page is at http://127.0.0.1:{port}/ (Ctrl-C ends the demo).", flush=True)

    def _simulate(self, ports: Sequence[int]) -> dict[str, str]:
        """Start the exchanges; return the settings that point a feed at them."""
        feed, symbols = dict[str, str](), list[str]()
        for exchange, port in zip(self.exchanges, ports, strict=True):
            arguments = ["--exchange", exchange, "--symbols", self.symbols or "5", "--rate", str(self.rate)]
            self._spawn("simulate", [*arguments, "--port", str(port)]).wait_for("listens", _READY_S)
            self.simulated[exchange] = url = f"http://127.0.0.1:{port}"
            symbols += [f"{exchange}:{symbol}" for symbol in get_json(f"{url}/simulator/books?depth=1")]
            feed[f"FEED_{exchange.upper()}_WS_URL"] = f"ws://127.0.0.1:{port}"
            feed[f"FEED_{exchange.upper()}_REST_URL"] = url
        return feed | {"FEED_SYMBOLS": ",".join(symbols)}

    def _sent(self) -> int:
        """How many frames the exchanges have sent."""
        urls = self.simulated.values()
        return sum(sum(get_json(f"{url}/simulator/stats")["frames"].values()) for url in urls)

    def drain(self) -> None:
        """Pause the exchanges and wait until Kafka has acknowledged everything they sent."""
        self.seconds = time.monotonic() - self.started
        if self.live:
            return
        for url in self.simulated.values():
            post(f"{url}/simulator/freeze")
        sent = self._sent()
        self.producer.until(lambda: self._produced("feed_frames_received_total") >= sent, "the last frame", _DRAIN_S)
        self.producer.until(
            lambda: self._produced("kafka_records_in_flight") == 0, "the last acknowledgement", _DRAIN_S
        )
        if "orderbook" in self.channels:
            self.books = {
                f"{exchange}|{symbol}": book
                for exchange, url in self.simulated.items()
                for symbol, book in get_json(f"{url}/simulator/books?depth={_ALL_LEVELS}").items()
            }

    def end(self) -> None:
        """Stop the producer, then the consumer once it has read all acknowledged records."""
        self.producer.stop()
        if not self.live:
            self.sent = self._sent()
        self.produced = json.loads((self.folder / "produced.json").read_text())
        wanted = total_outcomes(self.produced)["acknowledged"]
        self.consumer.until(
            lambda: self._consumed("kafka_consumer_records_total") >= wanted, "the last record", _DRAIN_S
        )
        self.consumer.stop()
        self.consumed = json.loads((self.folder / "consumed.json").read_text())

    def judge(self) -> bool:
        """Show the accounting; return whether every sum agrees."""
        p, c = self.produced, self.consumed
        events = sum(p["events"].values())
        names, kind = ", ".join(self.exchanges), "live" if self.live else "simulated"
        print(f"\nAccounting of {self.seconds:.0f} s, {names} ({kind}):")
        rows: dict[str, object] = {
            "frames received": p["frames_received"],
            "frames rejected": sum(p["frames_rejected"].values()),
            "events": events,
            **{name.replace("_", " "): count for name, count in total_outcomes(p).items()},
            "consumed": sum(c["consumed"].values()),
            "dead-lettered": sum(c["dead_lettered"].values()),
        }
        show_table([{"stage": name, "count": value} for name, value in rows.items()])
        checks = list(judge(p, c, self.sent, self.books))
        for check in checks:
            line = f"{'ok    ' if check.ok else 'WRONG '} {check.what}: {check.left} = {check.right}"
            show(line.replace(" = 0: ", ": "), "green" if check.ok else "red")
        good = all(check.ok for check in checks)
        verdict = "every message accounted for" if good else "the sums do not agree"
        line = f"Demo {'passed' if good else 'FAILED'}: {verdict}; {events / self.seconds:,.0f} events a second."
        show(line, "bold green" if good else "bold red")
        return good

    def _spawn(
        self, command: str, arguments: list[str], env: dict[str, str] | None = None, *, shown: bool = False
    ) -> Child:
        return self.processes.enter_context(Child(command, arguments, env or {}, self.folder, shown=shown))

    def _produced(self, name: str) -> float:
        return metric(self.producer_port, name)

    def _consumed(self, name: str) -> float:
        return metric(self.consumer_port, name)
