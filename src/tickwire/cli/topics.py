"""``tickwire topics``: list, create, describe and delete topics."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from tickwire.cli.common import AsJson, Brokers, kafka_settings, printable, show_table
from tickwire.errors import UsageError

if TYPE_CHECKING:  # the command line works without the Kafka library
    from tickwire.kafka.admin.topics import Topics, TopicSpec

USAGE = "--list | --create NAME | --describe NAME | --delete NAME [OPTIONS]"


def topics(
    context: typer.Context,
    list_: Annotated[bool, typer.Option("--list", help="List the topics that are not Kafka's own.")] = False,
    create: Annotated[str | None, typer.Option(metavar="NAME", help="Create a topic, wait until it is usable.")] = None,
    describe: Annotated[str | None, typer.Option(metavar="NAME", help="Show partitions and settings.")] = None,
    delete: Annotated[str | None, typer.Option(metavar="NAME", help="Delete a topic with all its records.")] = None,
    partitions: Annotated[
        int | None, typer.Option(min=1, help="For --create; default: KAFKA_TOPIC_PARTITIONS.")
    ] = None,
    retention_ms: Annotated[
        int | None,
        typer.Option(min=-1, help="For --create: how long records are kept; -1: for ever; default: the broker's."),
    ] = None,
    replication_factor: Annotated[
        int | None, typer.Option(min=1, max=32767, help="For --create; default: KAFKA_TOPIC_REPLICATION.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="For --delete: do not ask.")] = False,
    as_json: AsJson = False,
    brokers: Brokers = None,
) -> None:
    """List, create, describe or delete topics; one of these at a time.

    Creating a topic that exists with the same settings is fine; with other settings it is an error.

    \b
    Examples:
      tickwire topics --list
      tickwire topics --create ticks.v1.raw --partitions 6 --retention-ms 86400000
      tickwire topics --describe ticks.v1.raw --json
      tickwire topics --delete ticks.v1.raw --yes
    """
    options = {"--partitions": partitions, "--retention-ms": retention_ms, "--replication-factor": replication_factor}
    if context.args:
        _explain(context.args)
    _check_usage({"--list": list_ or None, "--create": create, "--describe": describe, "--delete": delete}, options)
    config = kafka_settings(brokers)
    from tickwire.kafka.admin.topics import Topics, TopicSpec, refuse_foreign  # noqa: PLC0415 - the library may be missing

    kafka = Topics(config)
    if delete is not None:
        refuse_foreign(delete)
        if not yes:
            _confirm(delete)
    if create is not None:
        settings = {} if retention_ms is None else {"retention.ms": str(retention_ms)}
        _create(kafka, TopicSpec(create, partitions, replication_factor, settings), as_json)
    elif describe is not None:
        _describe(kafka, describe, as_json)
    elif delete is not None:
        kafka.delete(delete)
        _say({"topic": delete, "result": "deleted"}, f"deleted {delete}", as_json)
    else:
        _list(kafka, as_json)


def _explain(words: Sequence[str]) -> NoReturn:
    """Name the option for a word such as ``list``. Raises :exc:`~tickwire.errors.UsageError`."""
    action, *rest = words
    form = f"--{action}" if action in {"list", "create", "describe", "delete"} else "--list"
    command = " ".join(("tickwire topics", form, *(rest if form != "--list" else ())))
    raise UsageError(f"What to do with topics is an option, not the word {action!r}: write `{command}`.")


def _check_usage(actions: Mapping[str, object], options: Mapping[str, object]) -> None:
    given = [name for name, value in actions.items() if value is not None]
    if len(given) != 1:
        found = f"{' and '.join(given)} were given" if given else "none was given"
        raise UsageError(f"One of {', '.join(actions)} is expected, but {found}: choose one.")
    for option, value in options.items():
        if value is not None and given != ["--create"]:
            raise UsageError(f"{option} belongs to --create, not to {given[0]}: leave it out.")


def _confirm(name: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError(f"Deleting {name!r} removes all it holds: add --yes, or run this on a terminal to be asked.")
    if input(f"Type {printable(name)} to delete that topic with all it holds: ") != name:
        raise UsageError(f"The topic {name!r} was not deleted: what was typed is not its name.")


def _create(kafka: "Topics", spec: "TopicSpec", as_json: bool) -> None:
    created = kafka.create(spec)
    text = f"created {spec.name}" if created else f"{spec.name} exists already, as asked"
    _say({"topic": spec.name, "result": "created" if created else "exists"}, text, as_json)


def _describe(kafka: "Topics", name: str, as_json: bool) -> None:
    details = kafka.describe(name)
    facts: dict[str, object] = {
        "topic": name,
        "partitions": details.view.partitions,
        "replication_factor": details.view.replication,
        "partitions_without_leader": list(details.view.leaderless),
        "retention_ms": details.retention_ms,
        "cleanup_policy": details.cleanup,
        "max_message_bytes": details.largest_message,
    }
    lines = (f"{key}: {'not told by this broker' if value is None else value}" for key, value in facts.items())
    _say(facts, "\n".join(lines), as_json)


def _list(kafka: "Topics", as_json: bool) -> None:
    rows = [
        {"topic": printable(t.name), "partitions": t.partitions, "replication_factor": t.replication}
        for t in kafka.list()
    ]
    if as_json:
        print(json.dumps(rows, indent=1))
    elif rows:
        show_table(rows)
    else:
        print("no topics")


def _say(facts: Mapping[str, object], text: str, as_json: bool) -> None:
    print(json.dumps(facts, indent=1) if as_json else text)
