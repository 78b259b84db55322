"""``python -m bench [--quick] [--out FILE]``: the tables of the chains and of latency, in Markdown."""

import argparse
import contextlib
import importlib.util
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench import cells, everyday, exchanges, latency, pair, source, startup
from bench.cells import Work
from bench.measuring import machine
from tickwire.broker import ApacheCluster, EmbeddedBroker, java_and_maven_missing

_FULL = {
    "tickers": 400_000, "deltas": 300_000, "top20": 200_000,
    "kraken-tickers": 300_000, "kraken-deltas": 200_000, "kraken-top20": 150_000,
}  # fmt: skip
_PEER = 10_000
_KAFKA = "Apache Kafka"
_ROUNDS = 3  # where the targets are
_QUICK = {"tickers": 300_000, "deltas": 200_000}
_TITLES = {
    "tickers": "Binance best bid and offer",
    "deltas": "Binance order-book changes, ten levels each",
    "top20": "Binance, the best twenty levels after every change",
    "kraken-tickers": "Kraken best bid and offer",
    "kraken-deltas": "Kraken order-book changes with checksum",
    "kraken-top20": "Kraken, the best twenty levels after every change, with checksum",
}
_CACHE = cells.ROOT / ".cache"


@contextlib.contextmanager
def brokers(*, quick: bool) -> Iterator[dict[str, str]]:
    """Every broker there can be, by name."""
    with contextlib.ExitStack() as stack:
        found = {}
        if not quick:
            found["embedded"] = stack.enter_context(EmbeddedBroker()).bootstrap
        if java_and_maven_missing() is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="tickwire-bench-"))
            found[_KAFKA] = stack.enter_context(ApacheCluster(1, Path(folder), _CACHE)).bootstrap
        for bootstrap in found.values():
            cells.create_topics(bootstrap)
            cells.warm(bootstrap)
        yield found


def chains(where: dict[str, str], counts: dict[str, int]) -> list[str]:
    """Product and bare chain alternately, on each broker; each ratio is that of one round."""
    head = ("product, 1/s", "bare, 1/s", "rate, ratio", "product, CPU µs", "bare, CPU µs", "CPU, ratio", "source busy")
    lines = [f"| messages | broker | {' | '.join(head)} |", "| --- " * (len(head) + 2) + "|"]
    for kind, count in counts.items():
        for broker, bootstrap in where.items():
            rounds = _ROUNDS if broker == _KAFKA else 2
            figures: dict[str, list[float]] = defaultdict(list)
            with _frames_kept():
                for number in range(rounds):
                    order = ("product", "bare") if number % 2 else ("bare", "product")  # neither is always the second
                    _note(figures, {cell: cells.run_cell(cell, Work(kind, count), bootstrap) for cell in order})
            lines.append(f"| {_TITLES[kind]} | {broker} | " + " | ".join(_row(figures)) + " |")
            print(lines[-1], file=sys.stderr, flush=True)
    return lines


@contextlib.contextmanager
def _frames_kept() -> Iterator[None]:
    """Let sources make the same frames once only."""
    with tempfile.TemporaryDirectory(prefix="tickwire-bench-frames-") as folder:
        os.environ[source.FOLDER] = folder
        try:
            yield
        finally:
            del os.environ[source.FOLDER]


def _note(figures: dict[str, list[float]], both: dict[str, dict[str, Any]]) -> None:
    for cell, measured in both.items():
        figures[f"{cell} rate"].append(measured["rate"])
        figures[f"{cell} cpu"].append(measured["cpu"])
    served = both["product"]["source"]
    figures["busy"].append(served["cpu_seconds"] / served["seconds"])
    for of in ("rate", "cpu"):
        figures[of].append(figures[f"product {of}"][-1] / figures[f"bare {of}"][-1])


def _row(figures: dict[str, list[float]]) -> list[str]:
    return [
        _spread(figures["product rate"], "{:,.0f}"),
        _spread(figures["bare rate"], "{:,.0f}"),
        _spread(figures["rate"], "{:.2f}"),
        _spread(figures["product cpu"], "{:.1f}"),
        _spread(figures["bare cpu"], "{:.1f}"),
        _spread(figures["cpu"], "{:.2f}"),
        f"{statistics.median(figures['busy']):.0%}",
    ]


def _spread(values: Sequence[float], form: str) -> str:
    """Median, least and most."""
    return f"**{form.format(statistics.median(values))}** ({form.format(min(values))} to {form.format(max(values))})"


def peer(bootstrap: str, rounds: int) -> list[str]:
    """Cryptofeed and the product alternately; with few messages, because cryptofeed is slow."""
    head = ("product, 1/s", "cryptofeed, 1/s", "rate, ratio", "product, CPU µs", "cryptofeed, CPU µs", "CPU, ratio")
    lines = [f"| messages | {' | '.join(head)} |", "| --- " * (len(head) + 1) + "|"]
    for kind in ("tickers", "deltas", "top20"):
        figures: dict[str, list[float]] = defaultdict(list)
        for _ in range(rounds):
            both = {
                "product": cells.run_cell("product", Work(kind, _FULL[kind]), bootstrap),
                "peer": cells.run_cell("peer", Work(kind, _PEER), bootstrap),
            }
            for cell, measured in both.items():
                figures[f"{cell} rate"].append(measured["rate"])
                figures[f"{cell} cpu"].append(measured["cpu"])
            figures["rate"].append(figures["product rate"][-1] / figures["peer rate"][-1])
            figures["cpu"].append(figures["peer cpu"][-1] / figures["product cpu"][-1])
        row = [_spread(figures[f"{cell} rate"], "{:,.0f}") for cell in ("product", "peer")]
        row += [_spread(figures["rate"], "{:.0f}")]
        row += [_spread(figures[f"{cell} cpu"], "{:.1f}") for cell in ("product", "peer")]
        row += [_spread(figures["cpu"], "{:.0f}")]
        lines.append(f"| {_TITLES[kind]} | " + " | ".join(row) + " |")
        print(lines[-1], file=sys.stderr, flush=True)
    return lines


def ceiling(where: dict[str, str], count: int, rounds: int) -> list[str]:
    """The rate at which librdkafka accepts values from a plain loop."""
    lines = ["| broker | prepared values, 1/s | CPU µs |", "| --- | --- | --- |"]
    for broker, bootstrap in where.items():
        runs = [cells.run_cell("ceiling", Work("tickers", count), bootstrap) for _ in range(rounds)]
        rates, cpu = [run["rate"] for run in runs], [run["cpu"] for run in runs]
        lines.append(f"| {broker} | {_spread(rates, '{:,.0f}')} | {_spread(cpu, '{:.1f}')} |")
    return lines


def consumer(bootstrap: str, rounds: int) -> list[str]:
    """The consumer, on what the product has published: these books have no gap, so they are rebuilt to the end."""
    lines = ["| handler | records | 1/s | CPU µs | the producer before, 1/s | ratio |", "| --- " * 6 + "|"]
    for title, kind, count in (
        ("does nothing, tickers", "tickers", 400_000),
        ("rebuilds books, changes of ten levels", "deltas", 200_000),
    ):
        figures: dict[str, list[float]] = defaultdict(list)
        for _ in range(rounds):
            work = Work(kind, count, since=str(time.time_ns() // 1_000_000))
            produced = cells.run_cell("product", work, bootstrap)["rate"]
            run = cells.run_cell("consumer", work, bootstrap)
            for name, figure in (("rate", run["rate"]), ("cpu", run["cpu"]), ("produced", produced)):
                figures[name].append(figure)
            figures["ratio"].append(run["rate"] / produced)
        row = [
            _spread(figures["rate"], "{:,.0f}"),
            _spread(figures["cpu"], "{:.1f}"),
            _spread(figures["produced"], "{:,.0f}"),
            _spread(figures["ratio"], "{:.2f}"),
        ]
        lines.append(f"| {title} | {count:,} | " + " | ".join(row) + " |")
    return lines


def growth(bootstrap: str) -> list[str]:
    """CPU per message by symbols and by levels: the lower of two runs, because disturbances only add."""
    works = [
        *[Work("tickers", 100_000, symbols=n) for n in (1, 100, 1000)],
        *[Work("deltas", 100_000, symbols=n, levels=25) for n in (1, 100)],
        *[Work("kraken-deltas", 100_000, symbols=n, levels=25) for n in (1, 100, 1000)],
        *[Work("deltas", 100_000, levels=n) for n in (25, 1000, 5000)],
    ]
    with _frames_kept():
        rounds = [[cells.run_cell("product", work, bootstrap) for work in works] for _ in range(2)]
    lines = ["| messages | symbols | levels a side | CPU µs | memory, MiB |", "| --- | --- | --- | --- | --- |"]
    for work, runs in zip(works, zip(*rounds, strict=True), strict=True):
        levels = "-" if work.kind == "tickers" else f"{work.levels:,}"
        cpu, rss = (min(run[name] for run in runs) for name in ("cpu", "rss_mib"))
        lines.append(f"| {work.kind} | {work.symbols:,} | {levels} | {cpu:.1f} | {rss:.0f} |")
    return ["The lower of two runs.", "", *lines]


def memory(bootstrap: str) -> list[str]:
    """Resident memory over ten million messages."""
    run = cells.run_cell("product", Work("tickers", 400_000, repeat=25), bootstrap)
    head = " | ".join(f"{million} M" for million in range(1, 11))
    return [
        "Tickers at the highest rate; MiB resident after this many messages.",
        "",
        f"| {head} |",
        "| --- " * 10 + "|",
        "| " + " | ".join(f"{mib:.0f}" for mib in run["memory"]) + " |",
    ]


def _about() -> str:
    return (
        f"{machine()} The measured process, with all its threads, is on one core and the source of frames on the "
        "others; brokers and readers run where the system puts them. *Bare* is a minimal chain without guarantees "
        "(`bench/bare.py`), which compresses at the library's default level, 3; the product at 1, whose batches are "
        "as small. Figures are medians with minimum and maximum; a ratio is product / bare of two successive runs."
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("--quick", action="store_true", help="tickers and deltas on one broker only")
    parser.add_argument("--out", type=Path, help="also write the tables to this file")
    arguments = parser.parse_args()
    page = ["# Benchmark", "", _about()]
    with brokers(quick=arguments.quick) as where:
        if arguments.quick:
            page += ["", "## Chains", "", *chains(where, _QUICK)]
        else:
            page += ["", "## Chains", "", *chains(where, _FULL)]
            last = list(where.values())[-1]
            page += ["", "## Compared with cryptofeed", ""]
            if importlib.util.find_spec("cryptofeed") is None:
                page += ["Not measured: it is not installed (`make bench PEER=1` does that)."]
            else:
                page += [f"Version {version('cryptofeed')}, frames passed without a socket.", ""]
                page += peer(last, rounds=2)
            with_peer = importlib.util.find_spec("cryptofeed") is not None
            page += ["", "## Exchanges", "", *exchanges.table(last, peer=with_peer)]
            page += ["", "## librdkafka alone", "", *ceiling(where, 400_000, rounds=2)]
            page += ["", "## Consumer", "", *consumer(last, rounds=3)]
            page += ["", "## Start", "", *startup.table(last)]
            page += ["", "## Growth", "", *growth(last)]
            page += ["", "## Memory", "", *memory(last)]
            page += ["", "## Two producers", "", *pair.table(last)]
            page += ["", "## Everyday rates", "", *everyday.table(last), "", everyday.load(last)]
            page += ["", "## Latency", "", *latency.table(last)]
    text = "\n".join(page) + "\n"
    print(text)
    if arguments.out is not None:
        arguments.out.write_text(text)


if __name__ == "__main__":
    main()
