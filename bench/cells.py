"""Runs cells (single measurements): each in a new process with its own source, on fixed processors."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # exported without saying so

from bench.source import make
from tickwire.broker.ports import free_ports

ROOT = Path(__file__).parents[1]
TOPICS = ("ticks.v1.raw", "orderbook.v1.raw")
PARTITIONS = 3
_TIMEOUT_S = 300

_ALL = sorted(os.sched_getaffinity(0))
OURS = {_ALL[0]}  # the measured process, with all its threads
OTHERS = set(_ALL[1:]) or OURS  # the source; brokers and readers run where the system puts them


@dataclass(frozen=True, slots=True)
class Work:
    """The task of a cell."""

    kind: str  # tickers, deltas or top20, of Binance, or with "kraken-" in front
    count: int
    symbols: int = 5
    start: int = 0  # number of the first symbol
    levels: int = 1000
    repeat: int = 1  # how many times the frames are sent; only for tickers
    rate: int = 0  # frames a second; 0: as fast as possible
    linger: int = 10
    since: str = "beginning"  # where the consumer starts
    decode: bool = False  # whether the consumer decodes values without building books
    format: str = "json"
    registry: str = ""  # registry address, for formats other than JSON
    compression: str = "zstd"

    @property
    def channel(self) -> str:
        return "ticker" if self.kind.endswith("tickers") else "orderbook"

    def source(self) -> dict[str, Any]:
        kind = self.kind.replace("top20", "deltas")
        return {
            "kind": kind, "count": self.count, "symbols": self.symbols, "start": self.start, "levels": self.levels,
            "repeat": self.repeat, "rate": self.rate,
        }  # fmt: skip

    def spec(self, port: int, brokers: str) -> str:
        """The specification for the measured process."""
        spec = {
            "kind": self.kind, "count": self.count * self.repeat, "channel": self.channel, "port": port,
            "brokers": brokers, "linger": self.linger, "names": names_of(self), "first": first_of(self),
            "since": self.since, "decode": self.decode, "format": self.format, "registry": self.registry or None,
            "compression": self.compression, "rate": self.rate,
        }  # fmt: skip
        return json.dumps(spec)


def create_topics(brokers: str) -> None:
    """Make the topics, or leave them as they are."""
    admin = AdminClient({"bootstrap.servers": brokers})
    for future in admin.create_topics([NewTopic(topic, PARTITIONS, 1) for topic in TOPICS]).values():
        if (error := future.exception(30)) is not None and "exists" not in str(error):
            raise error


def warm(brokers: str) -> None:
    """Warm a broker up until its rate is stable: its JVM compiles during the first million records."""
    for _ in range(3):
        run_cell("ceiling", Work("tickers", 500_000), brokers)


def run_cell(cell: str, work: Work, brokers: str) -> dict[str, Any]:
    """The figures of *cell*, and under ``source`` those of its source."""
    [port] = free_ports("127.0.0.1", 1)
    if cell in {"ceiling", "peer", "consumer", "serializers"}:  # cells without a source
        return result(start(f"bench.{cell}", work.spec(port, brokers), before=lambda: pin(OURS)))
    source = start_source(port, work)
    try:
        measured = result(start(f"bench.{cell}", work.spec(port, brokers), before=lambda: pin(OURS)))
        measured["source"] = json.loads(source.communicate(timeout=60)[0])
    finally:
        source.kill()
        source.wait()
    return measured


def names_of(work: Work) -> list[str]:
    """The symbols of a task."""
    return list(make(work.source() | {"count": 0, "levels": 0}).symbols)


def first_of(work: Work) -> int:
    """The number of frames before the measured ones."""
    answers = work.symbols if work.kind.startswith("kraken-") else 0
    return answers + (work.symbols if work.channel == "orderbook" else 0)


def start_source(port: int, work: Work) -> subprocess.Popen[str]:
    """Start a source, and return when it listens."""
    source = start("bench.source", str(port), json.dumps(work.source()), before=lambda: pin(OTHERS))
    assert source.stdout is not None  # noqa: S101 - it is piped
    if source.stdout.readline() != "ready\n":
        raise RuntimeError("the source did not start")
    return source


def pin(processors: set[int]) -> None:
    """Pin this process, and those that it starts, to some processors."""
    os.sched_setaffinity(0, processors)


def start(module: str, argument: str, *more: str, before: Callable[[], None]) -> subprocess.Popen[str]:
    """Start a module of this package in a process that first calls *before*."""
    return subprocess.Popen(
        [sys.executable, "-m", module, argument, *more],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=before,  # noqa: PLW1509 - no threads yet
    )


def result(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The figures of a process, with messages a second (``rate``) and microseconds of CPU per message (``cpu``)."""
    output, _ = process.communicate(timeout=_TIMEOUT_S)
    if process.returncode:
        raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
    measured: dict[str, Any] = json.loads(output.splitlines()[-1])
    measured["rate"] = measured["messages"] / measured["seconds"]
    measured["cpu"] = measured["cpu_seconds"] / measured["messages"] * 1e6
    return measured
