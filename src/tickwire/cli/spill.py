"""``tickwire spill``: records that wait on disk for Kafka."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from tickwire.cli.common import AsJson, Brokers, printable, require_kafka, show_table, utc
from tickwire.config.kafka_config import KafkaConfig
from tickwire.config.loading import load_kafka
from tickwire.config.paths import spill_root
from tickwire.errors import SpillInUse, SpillUnusable, UsageError
from tickwire.kafka.spill.home import remove, source_of, turn, user_of, waiting
from tickwire.kafka.spill.looking import Contents, look
from tickwire.kafka.spill.owner import Owner, load_owner, save_owner
from tickwire.signals import Stop

app = typer.Typer(help="Look at records that wait on disk, send them, drop them.", no_args_is_help=True)

Folders = Annotated[list[str] | None, typer.Argument(metavar="[FOLDER]...", help="As `tickwire spill list` names it.")]


@app.callback()
def root() -> None:
    """List, send or drop records that wait on disk for Kafka (KAFKA_SPILL_DIR)."""


@dataclass(frozen=True, slots=True)
class _Found:
    """One folder; *user* is the process that uses it."""

    name: str
    path: Path
    source: str
    owner: Owner
    contents: Contents
    user: str | None


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the folders with waiting records: cluster, topics, number, times, and the process that sends them.

    \b
    Examples:
      tickwire spill list
      tickwire spill list --json
    """
    folder = spill_root(load_kafka({}).spill_dir)
    rows = [_row(found) for found in _find(folder)]
    if as_json:
        print(json.dumps(rows, indent=1))
    elif rows:
        show_table([{name: printable(_text(value)) for name, value in row.items()} for row in rows])
    else:
        print(f"Nothing waits in {printable(str(folder))}.")


@app.command()
def send(
    folders: Folders = None,
    yes: Annotated[
        bool,
        typer.Option("--yes", help="Send to the present cluster, even records for another or an unknown one."),
    ] = False,
    brokers: Brokers = None,
) -> None:
    """Send records that no process sends, of all folders or of the named ones, to the cluster they are for.

    \b
    Examples:
      KAFKA_ENABLED=true tickwire spill send
      KAFKA_ENABLED=true tickwire spill send binance/1f0c5a8e9b27 --yes
    """
    config = load_kafka({"brokers": brokers})
    require_kafka(config)
    from tickwire.kafka.clients import connect_check  # noqa: PLC0415 - its library may be missing
    from tickwire.kafka.producing.place import brokers_of, cluster_name  # noqa: PLC0415

    directory = spill_root(config.spill_dir)
    chosen = _choose(_find(directory), folders)
    present = Owner(cluster=cluster_name(connect_check(config), config), brokers=brokers_of(config))
    complete = True
    for found in chosen:
        if found.user is not None:
            if folders:
                raise SpillInUse(str(found.path), found.user)
            continue
        if not yes and (found.owner.unknown or not found.owner.is_for_cluster_of(present)):
            print(
                f"{found.name}: {found.contents.records} records stay. They are for the cluster {found.owner}, "
                f"and this is {present}: add --yes to send them here."
            )
            complete = False
        else:
            complete &= _send(config, directory, found, present)
    if not complete:
        raise typer.Exit(1)


@app.command()
def drop(
    folders: Folders = None,
    everything: Annotated[bool, typer.Option("--all", help="All folders that no process uses.")] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Really drop; without it, only say what would be dropped.")
    ] = False,
) -> None:
    """Delete waiting records for good, without sending them.

    \b
    Examples:
      tickwire spill drop binance/1f0c5a8e9b27
      tickwire spill drop --all --yes
    """
    if everything == bool(folders):
        raise UsageError("What to drop is not clear: name folders as `tickwire spill list` does, or give --all.")
    directory = spill_root(load_kafka({}).spill_dir)
    total = 0
    with _turn(directory):
        for found in _choose(_look(directory), folders):
            if found.user is not None and folders:
                raise SpillInUse(str(found.path), found.user)
            if found.user is not None:
                continue
            total += found.contents.records
            if yes:
                remove(found.path)
            print(f"{found.name}: {found.contents.records} records {'are dropped' if yes else 'would be dropped'}.")
    if not yes and total:
        raise UsageError(f"Nothing was dropped: add --yes to remove these {total} records for good.")


def _send(config: KafkaConfig, directory: Path, found: _Found, present: Owner) -> bool:
    """Send one folder and print the result; False if records are left."""
    from tickwire.kafka.producing import leftovers  # noqa: PLC0415 - its library may be missing

    topics = tuple(sorted(found.contents.topics))
    with _turn(directory):
        save_owner(found.path, Owner(cluster=present.cluster, brokers=present.brokers, topics=topics))
    with Stop() as stop:
        sent = asyncio.run(leftovers.send(config, found.source, found.path, lambda: stop.requested))
    ended = f"{sent.acknowledged} sent, {sent.failed + sent.dropped} refused, {sent.lost} damaged"
    print(f"{found.name}: {ended}, {sent.waiting} wait there still.")
    if sent.waiting == 0:
        with _turn(directory):
            if user_of(found.path) is None:
                remove(found.path)
    return not (sent.waiting or sent.failed or sent.dropped or sent.lost)


def _find(directory: Path) -> list[_Found]:
    with _turn(directory):
        return _look(directory)


def _look(directory: Path) -> list[_Found]:
    found = []
    for path in waiting(directory):
        try:
            name = str(path.relative_to(directory))
            found.append(_Found(name, path, source_of(directory, path), load_owner(path), look(path), user_of(path)))
        except OSError as e:
            raise SpillUnusable(str(path), e.strerror or str(e)) from e
    return found


def _choose(found: Sequence[_Found], names: Sequence[str] | None) -> list[_Found]:
    if not names:
        return list(found)
    known = {one.name: one for one in found}
    for name in names:
        if name not in known:
            there = ", ".join(known) or "none"
            raise UsageError(f"{name!r} is no folder in which records wait: expected one of {there}.")
    return [known[name] for name in dict.fromkeys(names)]


def _turn(directory: Path) -> AbstractContextManager[None]:
    return turn(directory) if directory.is_dir() else nullcontext()


def _row(found: _Found) -> dict[str, Any]:
    contents = found.contents
    return {
        "folder": found.name,
        "exchange": found.source,
        "cluster": str(found.owner),
        "topics": dict(contents.topics),
        "records": contents.records,
        "bytes": contents.bytes,
        "oldest": None if contents.oldest_ms is None else utc(contents.oldest_ms),
        "newest": None if contents.newest_ms is None else utc(contents.newest_ms),
        "process": found.user,
    }


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(value)
    return "-" if value is None else str(value)
