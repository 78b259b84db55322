"""Read an exchange and publish to Kafka until told to stop, then show where every message went."""

import asyncio
import json
import logging
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop

from tickwire.cli.allocator import give_memory_back
from tickwire.cli.common import check_writable, require_kafka, show_table, split_settings, start_metrics
from tickwire.cli.worker import Reporter
from tickwire.cli.workers import Workers
from tickwire.config.feed_config import FeedConfig
from tickwire.config.loading import load_feed, load_kafka
from tickwire.config.share import WHOLE, Share
from tickwire.data_feed import WebSocketDataFeed
from tickwire.errors import UsageError
from tickwire.signals import Stop

logger = logging.getLogger(__name__)


def produce(
    exchange: Annotated[str | None, typer.Option(help="FEED_EXCHANGE: `tickwire exchanges` lists them.")] = None,
    symbols: Annotated[str | None, typer.Option(help="FEED_SYMBOLS: comma-separated, e.g. BTCUSDT,ETHUSDT.")] = None,
    channels: Annotated[str | None, typer.Option(help="FEED_CHANNELS: ticker, orderbook or both.")] = None,
    brokers: Annotated[str | None, typer.Option(help="KAFKA_BROKERS: host:port, comma-separated.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any KAFKA_* or FEED_* setting but a secret; repeatable."),
    ] = None,
    offline_start: Annotated[
        bool, typer.Option("--offline-start", help="Begin although Kafka does not answer; order books wait on disk.")
    ] = False,
    workers: Annotated[
        int, typer.Option(min=1, max=64, help="Processes that share the symbols, the limits and one metrics page.")
    ] = 1,
    report: Annotated[Path | None, typer.Option(help="Write the accounting to this file as JSON at the end.")] = None,
    worker: Annotated[str | None, typer.Option(hidden=True, help="Which worker this is, such as 2-of-4.")] = None,
    worker_channel: Annotated[int, typer.Option(hidden=True, help="A worker's socket to the first process.")] = -1,
) -> None:
    """Read an exchange's market data and publish it to Kafka until Ctrl-C.

    What Kafka has not taken by the end waits on disk (KAFKA_SPILL_DIR) and is sent first by the next start. A second
    Ctrl-C ends at once; the last line says what remains.

    With --workers each process serves a part of the symbols. One that dies is started again; one that ends with an
    error ends all.

    \b
    Examples:
      KAFKA_ENABLED=true tickwire produce
      KAFKA_ENABLED=true tickwire produce --exchange kraken --symbols BTC/USD,ETH/USD
      KAFKA_ENABLED=true tickwire produce --offline-start
      KAFKA_ENABLED=true tickwire produce --workers 2 --symbols BTCUSDT,ETHUSDT,SOLUSDT,XRPUSDT
      KAFKA_ENABLED=true tickwire produce --set FEED_ORDERBOOK_MODE=snapshot --set KAFKA_LINGER_MS=5
    """
    give_memory_back()
    kafka_values, feed_values = split_settings(settings or [])
    kafka = load_kafka(kafka_values | _given(brokers=brokers), enabled=True)
    require_kafka(kafka)
    feed_config = load_feed(feed_values | _given(exchange=exchange, symbols=symbols, channels=channels))
    if report is not None:
        check_writable(report, "--report")
    if worker is None:
        _check_workers(workers, feed_config)
        Share(0, workers).kafka(kafka)  # raises where a share is too small
    with ExitStack() as stack:
        source: WebSocketDataFeed | Workers
        run: Callable[[], int]
        if workers > 1:
            passed = _given(exchange=exchange, symbols=symbols, channels=channels, brokers=brokers)
            arguments = [f"--{name}={value}" for name, value in passed.items()]
            arguments += [f"--set={pair}" for pair in settings or []] + ["--offline-start"] * offline_start
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tickwire-workers-")))
            source = together = Workers(workers, arguments, folder)
            start_metrics(kafka, together.registry)
            run = lambda: _run_workers(together)  # noqa: E731
        else:
            share = WHOLE if worker is None else _become(worker, worker_channel)
            source = feed = WebSocketDataFeed(feed=feed_config, kafka=kafka, offline_start=offline_start, _share=share)
            if worker is None:
                start_metrics(kafka)
            run = lambda: uvloop.run(_run(feed))  # noqa: E731
        _account_for(source, run, report)


def _account_for(source: "WebSocketDataFeed | Workers", run: Callable[[], int], report: Path | None) -> None:
    """Run, and show where every message went, however it ends."""
    try:
        code = run()
    finally:
        accounting = source.accounting()
        _show(accounting)
        if report is not None:
            report.write_text(json.dumps(accounting, indent=1) + "\n")
    print(_last_line(accounting))
    if code or accounting["in_flight"] or accounting.get("unsettled"):
        raise typer.Exit(code or 1)


def _check_workers(workers: int, config: FeedConfig) -> None:
    if workers > len(config.symbols):
        raise UsageError(
            f"--workers {workers} is more than there are symbols ({len(config.symbols)}): "
            "each worker needs at least one, so name more symbols or take fewer workers."
        )


def _become(worker: str, channel: int) -> Share:
    """Take the place of a worker. Raises :exc:`~tickwire.errors.UsageError` for what no first process says."""
    try:
        share = Share.read(worker)
        Reporter(channel).start()
    except (ValueError, OSError) as e:
        raise UsageError(f"--worker is for processes that --workers starts ({e}): leave it out.") from None
    for handler in logging.getLogger().handlers:
        handler.setFormatter(logging.Formatter(f"%(asctime)s %(levelname)s [{share}] %(message)s"))
    return share


def _run_workers(workers: Workers) -> int:
    with Stop(workers.last_words) as stop:
        return workers.run(stop)


def _given(**values: str | None) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


async def _run(feed: WebSocketDataFeed) -> int:
    with Stop(lambda: _last_line(feed.accounting(), at_once=True)) as stop:
        running = asyncio.ensure_future(feed.run())
        asked = asyncio.ensure_future(stop.arrives())
        await asyncio.wait({running, asked}, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        if not running.done():
            await feed.stop()
        await running
    return 0


def _show(accounting: Mapping[str, Any]) -> None:
    """Print where every message went, one line a stage."""
    rows: dict[str, object] = {
        "frames received": accounting["frames_received"],
        **{f"frames rejected ({reason})": n for reason, n in accounting["frames_rejected"].items() if n},
        **{f"events ({kind})": n for kind, n in accounting["events"].items()},
        **{
            f"{topic} {outcome.replace('_', ' ')}": n
            for topic, account in accounting["topics"].items()
            for outcome, n in account.items()
            if outcome != "events"
        },
    }
    if accounting["recovered"].get("records"):
        rows |= {f"from an earlier run: {outcome}": n for outcome, n in accounting["recovered"].items()}
    show_table([{"stage": stage, "count": count} for stage, count in rows.items()])


def _last_line(accounting: Mapping[str, Any], *, at_once: bool = False) -> str:
    """Say what remains; *at_once*: at the second signal, when Kafka may yet store what it was sent."""
    on_disk = accounting["spilled"] + accounting["recovered"].get("waiting", 0)
    words = []
    if lost := accounting["in_flight"]:
        why = "the second signal left no time to write them to disk" if at_once else "the disk had no room for them"
        words.append(f"{lost} records are LOST: Kafka did not acknowledge them, and {why}.")
    if unsettled := accounting.get("unsettled"):
        words.append(
            f"{unsettled} records were with workers that died: those in memory are LOST unless Kafka has them, "
            "those on disk were found by the worker that followed."
        )
    if on_disk:
        words.append(f"{on_disk} records wait in {accounting['spill_folder']} and are sent first by the next start.")
    return " ".join(words) or "Nothing remains to be delivered."
