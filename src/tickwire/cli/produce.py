"""Read exchanges and publish to Kafka until stopped, then show the outcome of every message."""

import asyncio
import json
import logging
import re
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from tickwire import exchanges, metrics
from tickwire.cli.accounting import stages, troubles
from tickwire.cli.allocator import give_memory_back
from tickwire.cli.common import check_writable, printable, require_kafka, show_table, split_settings, start_metrics
from tickwire.cli.health import Health, producer_troubles
from tickwire.cli.logs import start_logging
from tickwire.cli.produce_output import Progress, progress, say_start
from tickwire.cli.rereading import reread
from tickwire.cli.worker import Reporter
from tickwire.cli.workers import REFUSED, SAID, WorkerProcesses
from tickwire.config.feed_config import FeedConfig
from tickwire.config.kafka_config import KafkaConfig
from tickwire.config.loading import load_feeds, load_kafka, load_log
from tickwire.config.share import WHOLE, Share
from tickwire.errors import SubscriptionRefused, TickwireError, UsageError
from tickwire.exchanges.wanted import Wanted
from tickwire.losses import droppable, last_line, losses
from tickwire.metrics_page import page_of
from tickwire.records.kinds import BOOKS, topics_by_kind
from tickwire.signals import Hangups, Stop, run_alone
from tickwire.wire.arguments import check_channels

if TYPE_CHECKING:
    from tickwire.cli.feeds import Feeds

logger = logging.getLogger(__name__)

_GROUP = re.compile(r"[a-zA-Z0-9._-]{1,100}")
_TICK_S = 1.0
_TROUBLES = 20  # books that are listed at the end with their last break


def produce(
    exchange: Annotated[
        str | None, typer.Option(help="FEED_EXCHANGE: comma-separated; `tickwire exchanges` lists them.")
    ] = None,
    symbols: Annotated[str | None, typer.Option(help="FEED_SYMBOLS: names or patterns, e.g. BTCUSDT,*-EUR.")] = None,
    channels: Annotated[str | None, typer.Option(help="FEED_CHANNELS: some of ticker,orderbook,trade.")] = None,
    brokers: Annotated[str | None, typer.Option(help="KAFKA_BROKERS: host:port, comma-separated.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any KAFKA_* or FEED_* setting except secrets; repeatable."),
    ] = None,
    offline_start: Annotated[
        bool, typer.Option("--offline-start", help="Start even if Kafka does not answer; order books wait on disk.")
    ] = False,
    workers: Annotated[
        int, typer.Option(min=1, max=64, help="Processes that share the symbols, the limits and one metrics page.")
    ] = 1,
    group: Annotated[
        str | None, typer.Option(help="Share the symbols with all processes, on any machine, that name this group.")
    ] = None,
    standby: Annotated[
        int,
        typer.Option(min=0, help="Symbols of other members to keep ready, for each exchange."),
    ] = 0,
    report: Annotated[Path | None, typer.Option(help="Write the accounting to this file as JSON at the end.")] = None,
    worker: Annotated[str | None, typer.Option(hidden=True, help="Which worker this is, such as 2-of-4.")] = None,
    worker_channel: Annotated[int, typer.Option(hidden=True, help="A worker's socket to the first process.")] = -1,
) -> None:
    """Read the market data of an exchange, or of several, and publish it to Kafka until Ctrl-C.

    Records that Kafka has not taken at the end wait on disk (KAFKA_SPILL_DIR), and the next start sends them first. A
    second Ctrl-C ends at once; the last line says what remains.

    If one of several exchanges fails for good, the others continue, and the exit code at the end is that of the
    failure.

    With --workers each process reads a part of the symbols. A process that dies is started again. One that ends with an
    error ends all, unless the error is that the exchange refused all of its symbols.

    With --group any number of processes, on any machines, divide the symbols: when one ends or dies, the others take
    over its symbols. With --standby they keep the books of such symbols ready.

    \b
    Examples:
      KAFKA_ENABLED=true tickwire produce
      KAFKA_ENABLED=true tickwire produce --exchange kraken --symbols BTC/USD,ETH/USD
      KAFKA_ENABLED=true tickwire produce --exchange binance,kraken --symbols BTC-USDT,kraken:BTC-USD
      KAFKA_ENABLED=true tickwire produce --offline-start
      KAFKA_ENABLED=true tickwire produce --workers 2 --symbols 'ALL,!*-BUSD'
      KAFKA_ENABLED=true tickwire produce --group prices --symbols 'ALL,!*-BUSD'
      KAFKA_ENABLED=true tickwire produce --set FEED_ORDERBOOK_MODE=snapshot --set KAFKA_LINGER_MS=5
    """
    give_memory_back()
    kafka_values, feed_values = split_settings(settings or [])
    kafka = load_kafka(kafka_values | _given(brokers=brokers), enabled=True)
    require_kafka(kafka)
    load = partial(load_feeds, feed_values | _given(exchange=exchange, symbols=symbols, channels=channels))
    configs = load()
    if report is not None:
        check_writable(report, "--report")
    asked = _topics(configs, kafka)
    if worker is None:
        for config in configs:
            check_channels(exchanges.load(config.exchange), config.channels)
        _check_group(group, workers, standby, offline_start=offline_start)
        _check_workers(workers, configs)
        Share(0, workers).kafka(kafka)  # raises if a share is too small
    task = _Task(asked, droppable(kafka), report, load)

    with ExitStack() as stack:
        hangups = stack.enter_context(Hangups())  # before a worker answers the first process
        source: Feeds | WorkerProcesses
        run: Callable[[Progress], int]
        if workers > 1:
            passed = _given(exchange=exchange, symbols=symbols, channels=channels, brokers=brokers)
            arguments = [f"--{name}={value}" for name, value in passed.items()]
            arguments += [f"--set={pair}" for pair in settings or []] + ["--offline-start"] * offline_start
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tickwire-workers-")))
            source = together = WorkerProcesses(workers, arguments, folder)
            run = lambda watch: _run_workers(together, hangups, watch)  # noqa: E731
        else:
            share = WHOLE if worker is None else _become(worker, worker_channel)
            source = feeds = _feeds(configs, kafka, asked, share, (group, standby), offline_start=offline_start)
            run = lambda watch: run_alone(_run(feeds, hangups, watch, task))  # noqa: E731
        watch = Progress()
        if worker is None:
            registry = source.registry if isinstance(source, WorkerProcesses) else metrics.consistent_registry()
            with_books = {config.exchange for config in configs if BOOKS.intersection(config.channels)}
            health = Health(registry, lambda page: producer_troubles(page, with_books))
            start_metrics(kafka, registry, health)
            watch = progress(lambda: page_of(registry.collect()), asked, kafka)
            watch.beat = health.beat
        try:
            _account_for(source, task, lambda: run(watch))
        except TickwireError as e:
            if worker is None:
                raise
            said = REFUSED if isinstance(e, SubscriptionRefused) else SAID
            print(f"{said}{printable(str(e))}")  # for the first process, which reports it
            raise typer.Exit(e.exit_code) from None


class _Task(NamedTuple):
    """The options of a run.

    Topics by channel, those whose records may be dropped, where to write a report, and what reads the settings again.
    """

    topics: Mapping[str, str]
    given_up: Collection[str]
    report: Path | None
    load: Callable[[], Sequence[FeedConfig]]


def _topics(configs: Sequence[FeedConfig], kafka: KafkaConfig) -> dict[str, str]:
    asked = {channel for config in configs for channel in config.channels}
    return {channel: topic for channel, topic in topics_by_kind(kafka).items() if channel in asked}


def _account_for(source: "Feeds | WorkerProcesses", task: _Task, run: Callable[[], int]) -> None:
    """Run, then show the outcome of every message; after an error before the first message, only the error."""
    code: int | None = None
    try:
        code = run()
    finally:
        accounting = source.accounting()
        if task.report is not None:
            task.report.write_text(json.dumps(accounting, indent=1) + "\n")
        if code is not None or any(stages(accounting, {}).values()):
            rows = stages(accounting, task.topics)
            show_table([{"stage": name, "count": count} for name, count in rows.items()])
            found = troubles(accounting)
            show_table([{name: printable(text) for name, text in row.items()} for row in found[:_TROUBLES]])
            if len(found) > _TROUBLES:
                print(f"and {len(found) - _TROUBLES} more books; --report has all")
            print(last_line(accounting, task.given_up))
    if code or losses(accounting, task.given_up):
        raise typer.Exit(code or 1)


def _check_workers(workers: int, configs: Sequence[FeedConfig]) -> None:
    symbols = sum(len(config.symbols) for config in configs)
    if workers > symbols and not any(Wanted(config.symbols).patterns for config in configs):
        raise UsageError(
            f"--workers {workers} is more than there are symbols ({symbols}): "
            "each worker needs at least one, so name more symbols or take fewer workers."
        )


def _check_group(group: str | None, workers: int, standby: int, *, offline_start: bool) -> None:
    if group is None:
        if standby:
            raise UsageError("--standby is for members of a group, which take over from each other: add --group NAME.")
        return
    if not _GROUP.fullmatch(group):
        raise UsageError(f"--group {group!r} should be 1 to 100 of the characters a-z, A-Z, 0-9, '.', '_' and '-'.")
    if workers > 1:
        raise UsageError("--group and --workers exclude each other: run more processes instead, each is a member.")
    if offline_start:
        raise UsageError("--group and --offline-start exclude each other: Kafka decides what a member serves.")


def _become(worker: str, channel: int) -> Share:
    """Become a worker. Raises :exc:`~tickwire.errors.UsageError` for values that a first process would not pass."""
    try:
        share = Share.read(worker)
        Reporter(channel).start()
    except (ValueError, OSError) as e:
        raise UsageError(f"--worker is for processes that --workers starts ({e}): leave it out.") from None
    start_logging(load_log(), str(share))
    return share


def _feeds(
    configs: Sequence[FeedConfig], kafka: KafkaConfig, asked: Mapping[str, str], share: Share,
    group: tuple[str | None, int], *, offline_start: bool,
) -> "Feeds":  # fmt: skip
    from tickwire.cli.feeds import Feeds  # noqa: PLC0415 - more to import than all else that commands need

    def begin() -> None:
        if share.index == 0:  # one worker logs for all
            say_start(configs, kafka, asked, share.of)

    return Feeds(
        configs, kafka, offline_start=offline_start, share=share, group=group[0], standby=group[1], on_found=begin
    )


def _run_workers(workers: WorkerProcesses, hangups: Hangups, watch: Progress) -> int:
    with watch, Stop(workers.last_words) as stop:
        return workers.run(stop, hangups, watch.turn)


def _given(**values: str | None) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


async def _run(feeds: "Feeds", hangups: Hangups, watch: Progress, task: _Task) -> int:
    with watch, Stop(lambda: last_line(feeds.accounting(), task.given_up, at_once=True)) as stop:
        running = asyncio.create_task(feeds.run(stop))
        rereading = asyncio.create_task(reread(feeds.by_exchange, task.load, hangups))
        while not running.done():
            await asyncio.wait({running}, timeout=_TICK_S)
            watch.turn()
        rereading.cancel()
        running.result()
    return 0
