"""`tickwire export` into Parquet, from an Apache Kafka that the product filled: ``python -m bench.export [--quick]``.

Measures one process with all its threads, on all processors, from its connection to Kafka until the files are complete.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from bench import cells
from bench.cells import Work
from bench.measuring import Meter
from tickwire.broker import ApacheCluster
from tickwire.config.kafka_config import KafkaConfig
from tickwire.export.reading import read_range
from tickwire.export.run import Export

_WORKS = (Work("tickers", 400_000, repeat=4), Work("deltas", 400_000))  # many, because the start takes half a second
_ROUNDS = 3


def _export(spec: dict[str, str]) -> None:
    """Measure one export of a topic from a time on."""
    config = KafkaConfig(enabled=True, brokers=spec["brokers"])
    meter = Meter()
    with tempfile.TemporaryDirectory(prefix="tickwire-bench-") as folder:
        meter.begin(0)
        with ExitStack() as files:
            run = Export(config, files, Path(folder), "parquet", exact=spec["numbers"] == "decimal128")
            run.write(read_range(config, [spec["topic"]], int(spec["since"]), sys.maxsize, lambda: False))
        [writer] = run.writers.values()
        meter.end(run.records, rows=writer.rows, bytes=writer.path.stat().st_size)


def _table(bootstrap: str, rounds: int, share: int) -> list[str]:
    lines = ["| messages | numbers | records | rows | 1/s | CPU µs a record | bytes a row |", "| --- " * 7 + "|"]
    for work, topic in zip(_WORKS, cells.TOPICS, strict=True):
        since = str(time.time_ns() // 1_000_000)
        cells.run_cell("product", replace(work, count=work.count // share), bootstrap)
        for numbers in ("text", "decimal128"):
            spec = json.dumps({"brokers": bootstrap, "topic": topic, "since": since, "numbers": numbers})
            runs = [cells.result(cells.start("bench.export", spec, before=lambda: None)) for _ in range(rounds)]
            rate, cpu = (statistics.median(run[name] for run in runs) for name in ("rate", "cpu"))
            records, count, size = (runs[-1][name] for name in ("messages", "rows", "bytes"))
            row = f"| {work.kind} | {numbers} | {records:,} | {count:,} "
            row += f"| **{rate:,.0f}** | {cpu:.1f} | {size / count:.1f} |"
            lines.append(row)
            print(row, file=sys.stderr, flush=True)
    return lines


def main() -> None:
    """Measure and print; with a specification run as the measured process."""
    if len(sys.argv) > 1 and sys.argv[1].startswith("{"):
        _export(json.loads(sys.argv[1]))
        return
    parser = argparse.ArgumentParser(prog="bench.export")
    parser.add_argument("--quick", action="store_true", help="one round of a tenth of the messages")
    rounds, share = (1, 10) if parser.parse_args().quick else (_ROUNDS, 1)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tickwire-bench-")))
        bootstrap = stack.enter_context(ApacheCluster(1, folder, cells.ROOT / ".cache")).bootstrap
        cells.create_topics(bootstrap)
        print("\n".join(["## Export", "", *_table(bootstrap, rounds, share)]))


if __name__ == "__main__":
    main()
