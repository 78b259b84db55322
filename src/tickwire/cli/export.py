"""Export topics to files for data frames: Parquet, Arrow or CSV."""

import importlib.util
import time
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tickwire.cli.common import Brokers, UnwritableFile, kafka_settings, printable, show_table, split_some_names
from tickwire.errors import UsageError
from tickwire.kafka.times import parse_time
from tickwire.records.kinds import topics_by_kind
from tickwire.signals import Stop


class Format(StrEnum):
    """The file format."""

    PARQUET = "parquet"
    ARROW = "arrow"
    CSV = "csv"


class Numbers(StrEnum):
    """How prices and sizes are written."""

    TEXT = "text"
    DECIMAL128 = "decimal128"


def export(
    start: Annotated[str, typer.Option("--from", metavar="TIME", help="Start: ISO 8601 (UTC), or Unix ms.")],
    end: Annotated[str | None, typer.Option("--to", metavar="TIME", help="End, exclusive; default: now.")] = None,
    form: Annotated[Format, typer.Option("--format", help="File format.")] = Format.PARQUET,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder to write to.")] = Path(),
    channels: Annotated[str, typer.Option(help="Some of ticker,orderbook,trade.")] = "ticker,orderbook,trade",
    symbols: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Only these: BTC-USDT, kraken:BTC-USD; comma-separated.")
    ] = None,
    numbers: Annotated[
        Numbers, typer.Option(help="Prices and sizes: unchanged text, or decimal128(38, 24).")
    ] = Numbers.TEXT,
    levels: Annotated[
        int,
        typer.Option(min=0, max=100, help="Books: so many best levels after each message; 0: a row for each change."),
    ] = 0,
    brokers: Brokers = None,
) -> None:
    """Write a time range to files: ticker.parquet, orderbook.parquet, trade.parquet.

    The time is that of the record in Kafka, which is when the message was received. Rows have the order of each
    partition, and so of each symbol. Records that arrive meanwhile are left out. A file appears when it is complete.

    \b
    Examples:
      tickwire export --from 2026-01-31 --to 2026-02-01 --out day
      tickwire export --from 2026-01-31T12:00:00Z --channels orderbook --levels 5 --numbers decimal128
      tickwire export --from 2026-01-31 --symbols kraken:BTC-USD --format csv
    """
    config = kafka_settings(brokers)
    if importlib.util.find_spec("pyarrow") is None:
        raise UsageError("An export needs pyarrow: install it with `pip install 'tickwire[export]'`.")
    from tickwire.export.reading import read_range  # noqa: PLC0415 - the libraries may be missing
    from tickwire.export.run import Export  # noqa: PLC0415

    from_ms = parse_time("--from", start)
    to_ms = int(time.time() * 1000) if end is None else parse_time("--to", end)
    if to_ms <= from_ms:
        raise UsageError(f"--to {end or 'now'} is not after --from {start}: nothing lies between them.")
    known = topics_by_kind(config)
    asked = split_some_names("--channels", channels)
    if unknown := set(asked) - set(known):
        raise UsageError(f"--channels {', '.join(sorted(unknown))} is none: expected some of {', '.join(known)}.")
    wanted = None if symbols is None else [_symbol(name) for name in split_some_names("--symbols", symbols)]
    began = time.monotonic()
    try:
        out.mkdir(parents=True, exist_ok=True)
        with Stop() as stop, ExitStack() as files:
            exact = numbers is Numbers.DECIMAL128
            run = Export(config, files, out, form, exact=exact, levels=levels, symbols=wanted)
            run.write(read_range(config, [known[name] for name in asked], from_ms, to_ms, lambda: stop.requested))
            if stop.requested:
                print("Stopped by a signal: no file was written.")
                raise typer.Exit(1)
    except OSError as e:
        raise UnwritableFile(out, "--out", e.strerror or str(e)) from e
    seconds = time.monotonic() - began
    show_table([{"file": str(w.path), "rows": w.rows, "bytes": w.path.stat().st_size} for w in run.writers.values()])
    print(f"{run.records} records in {seconds:.1f} s ({run.records / seconds:,.0f} a second).")
    if run.unreadable:
        print(
            f"{run.unreadable} of them could not be read and are left out; the first: {printable(run.first_unreadable)}"
        )
        raise typer.Exit(1)


def _symbol(name: str) -> str:
    exchange, colon, symbol = name.rpartition(":")
    return f"{exchange.lower()}{colon}{symbol.upper()}"
