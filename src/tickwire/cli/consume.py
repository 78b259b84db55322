"""Read Kafka and pass every record to a handler: the default one rebuilds the order books."""

import json
import logging
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tickwire import compiled
from tickwire.cli.allocator import give_memory_back
from tickwire.cli.common import Brokers, check_writable, require_kafka, split_names, start_metrics
from tickwire.cli.health import Health, consumer_troubles
from tickwire.config.loading import load_kafka
from tickwire.errors import UsageError
from tickwire.metrics import consistent_registry
from tickwire.signals import Stop

logger = logging.getLogger(__name__)


class Output(StrEnum):
    """What is shown while records are read."""

    TABLE = "table"
    JSON = "json"
    NONE = "none"


def consume(
    topics: Annotated[str | None, typer.Option(help="Topics, comma-separated; our three topics if not given.")] = None,
    group: Annotated[str | None, typer.Option(help="KAFKA_GROUP_ID: the consumer group.")] = None,
    start: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="START",
            help="Where a group without offsets starts: committed, beginning, end, an ISO 8601 time or Unix ms.",
        ),
    ] = "committed",
    reset: Annotated[bool, typer.Option("--reset", help="Move the group to --from, even if it has offsets.")] = False,
    maximum: Annotated[int | None, typer.Option("--max", min=1, help="End after this many records.")] = None,
    handler: Annotated[
        str | None,
        typer.Option(metavar="MODULE:FUNCTION", help="Called with each record; rebuilds books if not given."),
    ] = None,
    batch: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Pass lists of at most N records of one partition.")
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option(min=1, help="KAFKA_CONSUMER_CONCURRENCY: threads that handle records, each partition in one."),
    ] = None,
    output: Annotated[Output, typer.Option("--format", help="What to show.")] = Output.TABLE,
    report: Annotated[Path | None, typer.Option(help="Write counts and rebuilt books to this file as JSON.")] = None,
    brokers: Brokers = None,
) -> None:
    """Read market data from Kafka until Ctrl-C; every record is handled at least once.

    Without --handler every record is checked, order books are rebuilt, and every missing message is reported. A handler
    takes one record (topic, partition, offset, key, value, headers, timestamp_ms, event), whose offset is committed
    after the handler has returned. With --batch it takes a list of records. If the handler raises, the record becomes a
    dead letter (KAFKA_DLQ_ENABLED=true), or this command ends. A group starts once, at --from or at the beginning, and
    continues from its offsets after every restart; --reset moves it, if it has no members at that time.

    \b
    Examples:
      KAFKA_ENABLED=true tickwire consume
      KAFKA_ENABLED=true tickwire consume --topics ticks.v1.raw --from end --format json
      KAFKA_ENABLED=true tickwire consume --reset --from 2026-01-31T12:00:00Z --max 1000
      KAFKA_ENABLED=true tickwire consume --group storage --handler my_handlers:store --concurrency 4
      KAFKA_ENABLED=true tickwire consume --group files --handler my_files:store --batch 2000
    """
    give_memory_back()
    config = load_kafka({"group_id": group, "brokers": brokers, "consumer_concurrency": concurrency}, enabled=True)
    require_kafka(config)
    # Imported after the check for the Kafka library, which these modules need.
    from tickwire.cli.consume_output import open_watch  # noqa: PLC0415
    from tickwire.kafka.consuming.consumer import run_kafka_consumer  # noqa: PLC0415
    from tickwire.kafka.consuming.handlers import load_handler  # noqa: PLC0415
    from tickwire.kafka.consuming.market_state import MarketState  # noqa: PLC0415
    from tickwire.kafka.consuming.positions import parse_start  # noqa: PLC0415

    if compiled.missing:
        logger.warning("consume.not_compiled (%s)", compiled.missing)
    begin = parse_start(start)
    if reset and begin.kind == "committed":
        raise UsageError("--reset says to move the group, but not where to: add --from beginning, end or a time.")
    names = None if topics is None else split_names(topics)
    state = MarketState() if handler is None else None
    if batch is not None and handler is None:
        raise UsageError("--batch is for a handler of yours, and there is none: add --handler module:function.")
    called = state if handler is None else load_handler(handler, batch)
    if report is not None:
        check_writable(report, "--report")
    registry = consistent_registry()
    health = Health(registry, consumer_troubles)
    start_metrics(config, registry, health)
    watch = open_watch(output, state)
    watch.beat = health.beat
    try:
        with Stop() as stop, watch:
            run_kafka_consumer(
                config,
                topics=names,
                start=begin,
                reset=reset,
                handler=called,
                max_records=maximum,
                stopping=lambda: stop.requested,
                observer=watch,
            )
    finally:
        if watch.report is not None:
            if output is not Output.NONE:
                print(watch.report.last_line(), file=sys.stderr if output is Output.JSON else sys.stdout, flush=True)
            if report is not None:
                books = {} if state is None else state.report()
                report.write_text(json.dumps(watch.report.to_json() | books, indent=1) + "\n")
