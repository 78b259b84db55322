"""Read an exchange and publish to Kafka until told to stop, then show where every message went."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop

from tickwire.cli.common import check_writable, require_kafka, show_table, split_settings, start_metrics
from tickwire.cli.signals import Stop
from tickwire.config.loading import load_feed, load_kafka
from tickwire.data_feed import WebSocketDataFeed


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
    report: Annotated[Path | None, typer.Option(help="Write the accounting to this file as JSON at the end.")] = None,
) -> None:
    """Read an exchange's market data and publish it to Kafka until Ctrl-C.

    What Kafka has not taken by the end waits on disk (KAFKA_SPILL_DIR) and is sent first by the next start. A second
    Ctrl-C ends at once; the last line says what remains.

    \b
    Examples:
      KAFKA_ENABLED=true tickwire produce
      KAFKA_ENABLED=true tickwire produce --exchange kraken --symbols BTC/USD,ETH/USD
      KAFKA_ENABLED=true tickwire produce --offline-start
      KAFKA_ENABLED=true tickwire produce --set FEED_ORDERBOOK_MODE=snapshot --set KAFKA_LINGER_MS=5
    """
    kafka_values, feed_values = split_settings(settings or [])
    kafka = load_kafka(kafka_values | _given(brokers=brokers))
    require_kafka(kafka)
    feed_config = load_feed(feed_values | _given(exchange=exchange, symbols=symbols, channels=channels))
    feed = WebSocketDataFeed(feed=feed_config, kafka=kafka, offline_start=offline_start)
    if report is not None:
        check_writable(report, "--report")
    start_metrics(kafka)
    try:
        uvloop.run(_run(feed))
    finally:
        accounting = feed.accounting()
        _show(accounting)
        if report is not None:
            report.write_text(json.dumps(accounting, indent=1) + "\n")
    print(_last_line(accounting))
    if accounting["in_flight"]:
        raise typer.Exit(1)


def _given(**values: str | None) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


async def _run(feed: WebSocketDataFeed) -> None:
    with Stop(lambda: _last_line(feed.accounting(), at_once=True)) as stop:
        running = asyncio.ensure_future(feed.run())
        asked = asyncio.ensure_future(stop.arrives())
        await asyncio.wait({running, asked}, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        if not running.done():
            await feed.stop()
        await running


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
    if on_disk:
        words.append(f"{on_disk} records wait in {accounting['spill_folder']} and are sent first by the next start.")
    return " ".join(words) or "Nothing remains to be delivered."
