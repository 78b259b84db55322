"""Runs cells: each in a fresh process beside a source of its own, on the processors that are set for it."""

import json
import os
import subprocess
import sys
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
OURS = {_ALL[0]}  # the process that is measured, with all its threads
OTHERS = set(_ALL[1:]) or OURS  # source, brokers, consumer


@dataclass(frozen=True, slots=True)
class Work:
    """What a cell has to do."""

    kind: str  # tickers, deltas, top20 or kraken
    count: int
    symbols: int = 5
    levels: int = 1000
    rate: int = 0  # frames a second; 0: as fast as they are taken
    linger: int = 10

    @property
    def channel(self) -> str:
        return "ticker" if self.kind == "tickers" else "orderbook"

    def source(self) -> dict[str, Any]:
        kind = "deltas" if self.kind == "top20" else self.kind
        return {"kind": kind, "count": self.count, "symbols": self.symbols, "levels": self.levels, "rate": self.rate}


def create_topics(brokers: str) -> None:
    """Make the topics, or leave them as they are."""
    admin = AdminClient({"bootstrap.servers": brokers})
    for future in admin.create_topics([NewTopic(topic, PARTITIONS, 1) for topic in TOPICS]).values():
        if (error := future.exception(30)) is not None and "exists" not in str(error):
            raise error


def run_cell(cell: str, work: Work, brokers: str) -> dict[str, Any]:
    """What *cell* measured, and under ``source`` what its source did."""
    [port] = free_ports("127.0.0.1", 1)
    spec = {
        "kind": work.kind, "count": work.count, "channel": work.channel, "port": port, "brokers": brokers,
        "linger": work.linger, "names": names_of(work), "first": first_of(work),
    }  # fmt: skip
    if cell in {"ceiling", "peer", "consumer"}:  # which need no source
        return _measured(start(f"bench.{cell}", json.dumps(spec), on=OURS))
    source = start_source(port, work)
    try:
        measured = _measured(start(f"bench.{cell}", json.dumps(spec), on=OURS))
        measured["source"] = json.loads(source.communicate(timeout=60)[0])
    finally:
        source.kill()
        source.wait()
    return measured


def names_of(work: Work) -> list[str]:
    """The symbols of a piece of work."""
    return list(make(work.source() | {"count": 0, "levels": 0}).symbols)


def first_of(work: Work) -> int:
    """How many frames come before those that are measured."""
    return {"tickers": 0, "kraken": 2 * work.symbols}.get(work.kind, work.symbols)


def start_source(port: int, work: Work) -> subprocess.Popen[str]:
    """Start a source, and return when it listens."""
    source = start("bench.source", str(port), json.dumps(work.source()), on=OTHERS)
    assert source.stdout is not None  # noqa: S101 - it is piped
    if source.stdout.readline() != "ready\n":
        raise RuntimeError("the source did not start")
    return source


def start(module: str, *arguments: str, on: set[int]) -> subprocess.Popen[str]:
    """Start a process of this package on some processors."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, on),  # noqa: PLW1509 - no threads yet
    )


def _measured(process: subprocess.Popen[str]) -> dict[str, Any]:
    output, _ = process.communicate(timeout=_TIMEOUT_S)
    if process.returncode:
        raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
    measured: dict[str, Any] = json.loads(output.splitlines()[-1])
    return measured
