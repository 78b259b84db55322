"""JSON, Avro and Protobuf, the whole path to Apache Kafka and back: ``python -m bench.formats [--quick]``.

It also measures the serializers of confluent-kafka on the same events, if they are installed: alone, from the event to
the value, and in a bare chain to Kafka. And the bytes of a record in the broker's log, including key, headers and its
part of a batch.
"""

import argparse
import contextlib
import importlib.util
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from bench import cells
from bench.cells import Work
from bench.measuring import machine
from tickwire.broker import ApacheCluster, MemoryRegistry
from tickwire.config.kafka_config import KafkaConfig
from tickwire.registry.client import Registry
from tickwire.registry.subjects import our_subjects, register

_FORMATS = ("json", "avro", "protobuf")
_PRODUCED = {"tickers": 400_000, "deltas": 200_000, "kraken-tickers": 300_000, "kraken-deltas": 200_000}
_CONSUMED = {"tickers": 400_000, "deltas": 200_000, "top20": 100_000}
_STOCK = 30_000  # they are slow
_SERIALIZED = {"tickers": 200_000, "deltas": 100_000, "kraken-deltas": 100_000}
_SIZED = 50_000  # also with --quick: a few thousand are read before the meter begins
_INSTALLED = importlib.util.find_spec("authlib") is not None  # of confluent-kafka's extra for registries


class Bench:
    """Runs on one Apache Kafka and a registry for each format."""

    def __init__(self, bootstrap: str, data: Path, registries: dict[str, str], rounds: int, share: int) -> None:
        self._bootstrap, self._data, self._registries = bootstrap, data, registries
        self._rounds, self._share = rounds, share

    def producing(self) -> list[str]:
        """Every format in turn, and the ratios within one round."""
        head = ("1/s", "of JSON's", "CPU µs", "stock, 1/s", "of stock's", "bytes a record", "with zstd")
        lines = _head("messages", "format", *head)
        for kind, count in _PRODUCED.items():
            rates, cpu, stock = (defaultdict[str, list[float]](list) for _ in range(3))
            for _ in range(self._rounds):
                for form in _FORMATS:
                    measured = self._run("product", kind, count // self._share, form)
                    rates[form].append(measured["rate"])
                    cpu[form].append(measured["cpu"])
                    if form != "json" and _INSTALLED:
                        stock[form].append(self._run("stock", kind, _STOCK // self._share, form)["rate"])
            for form in _FORMATS:
                row = [f"{statistics.median(rates[form]):,.0f}", _ratio(rates[form], rates["json"])]
                row += [f"{statistics.median(cpu[form]):.2f}"]
                row += (
                    [f"{statistics.median(stock[form]):,.0f}", _ratio(rates[form], stock[form])]
                    if stock[form]
                    else ["-"] * 2
                )
                row += [f"{self._size(kind, form, compression):.0f}" for compression in ("none", "zstd")]
                _add(lines, kind, form, *row)
        return lines

    def serializing(self) -> list[str]:
        """From events to values, ours and the stock serializers in turns."""
        lines = _head("messages", "format", "ours, 1/s", "CPU µs", "stock, 1/s", "of stock's")
        for kind, count in _SERIALIZED.items():
            for form in _FORMATS[1:]:
                rounds = [self._run("serializers", kind, count // self._share, form) for _ in range(self._rounds)]
                ours, cpu, stock = ([one[name] for one in rounds] for name in ("rate", "cpu", "stock"))
                row = [f"{statistics.median(ours):,.0f}", f"{statistics.median(cpu):.2f}"]
                _add(lines, kind, form, *row, f"{statistics.median(stock):,.0f}", _ratio(ours, stock))
        return lines

    def consuming(self) -> list[str]:
        """Every format in turn: tickers are decoded, books are rebuilt."""
        lines = _head("messages", "format", "1/s", "of JSON's", "CPU µs", "of JSON's")
        for kind, whole in _CONSUMED.items():
            count = whole // self._share
            rates, cpu = (defaultdict[str, list[float]](list) for _ in range(2))
            for _ in range(self._rounds):
                for form in _FORMATS:
                    since = str(time.time_ns() // 1_000_000)  # so that it meets no other format
                    self._run("product", kind, count, form)
                    measured = self._run("consumer", kind, count, form, since=since, decode=True)
                    rates[form].append(measured["rate"])
                    cpu[form].append(measured["cpu"])
            for form in _FORMATS:
                row = [f"{statistics.median(rates[form]):,.0f}", _ratio(rates[form], rates["json"])]
                _add(lines, kind, form, *row, f"{statistics.median(cpu[form]):.2f}", _ratio(cpu["json"], cpu[form]))
        return lines

    def _size(self, kind: str, form: str, compression: str) -> float:
        """Bytes of the log per record."""
        before = self._in_log()
        done = self._run("product", kind, _SIZED, form, compression=compression)
        return (self._in_log() - before) / float(done["acknowledged"])

    def _in_log(self) -> int:
        return sum(file.stat().st_size for topic in cells.TOPICS for file in self._data.rglob(f"{topic}-*/*.log"))

    def _run(self, cell: str, kind: str, count: int, form: str, **more: Any) -> dict[str, Any]:
        return cells.run_cell(
            cell, Work(kind, count, format=form, registry=self._registries[form], **more), self._bootstrap
        )


def _about() -> str:
    return (
        f"{machine()} The measured process, with all its threads, is on one core. *Stock* are the serializers of "
        "confluent-kafka, in the bare chain of `bench/bare.py`, or alone from an event to its value, which is the same "
        "as ours. Tickers and changes are Binance's if no exchange is named. Figures are medians; a ratio is that of "
        "two successive runs, with minimum and maximum. Bytes are those of the broker's log."
    )


def _ratio(of: list[float], to: list[float]) -> str:
    """The median of the ratios of the rounds, with the least and the most."""
    found = [one / other for one, other in zip(of, to, strict=True)]
    return f"**{statistics.median(found):.2f}** ({min(found):.2f} to {max(found):.2f})"


def _head(*names: str) -> list[str]:
    return [f"| {' | '.join(names)} |", "| --- " * len(names) + "|"]


def _add(lines: list[str], *cells_: str) -> None:
    lines.append(f"| {' | '.join(cells_)} |")
    print(lines[-1], file=sys.stderr, flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench.formats")
    parser.add_argument("--quick", action="store_true", help="one round of a tenth of the messages")
    parser.add_argument("--out", type=Path, help="write the tables to this file, too")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tickwire-bench-")))
        bootstrap = stack.enter_context(ApacheCluster(1, folder, cells.ROOT / ".cache")).bootstrap
        cells.create_topics(bootstrap)
        registries = {"json": ""}
        for form in _FORMATS[1:]:  # one each: a subject has schemas of one format
            registries[form] = stack.enter_context(MemoryRegistry()).url
            config = KafkaConfig(schema_registry_url=registries[form], value_format=form)
            for subject in our_subjects(config):
                register(Registry(config), subject)
        cells.warm(bootstrap)
        bench = Bench(bootstrap, folder, registries, *((1, 10) if arguments.quick else (3, 1)))
        page = ["# Benchmark of formats", "", _about(), "", "## Producing", "", *bench.producing()]
        page += ["", "## Consuming", "", *bench.consuming()]
        if _INSTALLED:
            page += ["", "## The serializers alone", "", *bench.serializing()]
    if not _INSTALLED:
        page += [
            "",
            "Stock serializers were not measured: `pip install 'confluent-kafka[avro,protobuf,schemaregistry]'`.",
        ]
    text = "\n".join(page) + "\n"
    print(text)
    if arguments.out is not None:
        arguments.out.write_text(text)


if __name__ == "__main__":
    main()
