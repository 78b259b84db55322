"""``tickwire dlq purge``."""

import json
import logging
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from tickwire.cli.common import Brokers, kafka_settings, printable, show_table
from tickwire.cli.dlq.audit import Audit
from tickwire.cli.dlq.output import no_topic
from tickwire.errors import TickwireError, UsageError
from tickwire.kafka.times import parse_time

if TYPE_CHECKING:  # the command line works without the Kafka library
    from tickwire.kafka.dead_letters.reader import Range

logger = logging.getLogger(__name__)


def purge(
    before: Annotated[
        str | None, typer.Option(metavar="TIME", help="Delete older ones: ISO 8601 (UTC), or Unix milliseconds.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Delete all that are there now.")] = False,
    topic_name_again: Annotated[
        str | None, typer.Option(metavar="NAME", help="The topic's name, for scripts; else you are asked to type it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write the result as JSON.")] = False,
    brokers: Brokers = None,
) -> None:
    """Delete the oldest dead letters for good, replayed or not.

    \b
    Examples:
      tickwire dlq purge --before 2026-01-01T00:00:00Z
      tickwire dlq purge --all --topic-name-again events.v1.dlq
    """
    if everything == (before is not None):
        raise UsageError("What to remove is not clear: give either --before TIME or --all.")
    config = kafka_settings(brokers)
    from tickwire.kafka.dead_letters import purge as purging  # noqa: PLC0415 - the library may be missing

    topic = config.dlq_topic
    before_ms = None if before is None else parse_time("--before", before)
    if topic_name_again is None and not sys.stdin.isatty():
        raise UsageError(
            f"Removing dead letters needs the topic's name: add --topic-name-again {topic}, or use a terminal."
        )
    ranges = purging.plan_purge(config, topic, before_ms)
    if not ranges:
        print(json.dumps({"topic": topic, "removed": [], "error": None}) if as_json else no_topic(topic))
        return
    offsets = sum(part.end - part.start for part in ranges)
    if topic_name_again is None:
        show_table([{"partition": p.partition, "from": p.start, "up to": p.end - 1} for p in ranges if p.end > p.start])
        topic_name_again = input(f"Type {printable(topic)} to remove these {offsets} offsets for good: ")
    if topic_name_again != topic:
        raise UsageError(f"Nothing was removed: {topic_name_again!r} is not the name of the topic, {topic!r}.")
    audit = Audit()
    cause: str | None = "interrupted"
    try:
        purging.purge(config, topic, ranges)
        cause = None
    except TickwireError as e:
        cause = str(e)
        raise
    finally:
        facts = {"topic": topic, "removed": [_facts(part) for part in ranges], "error": cause}
        audit.write("purge", {"brokers": config.brokers, "before_ms": before_ms, **facts})
        logger.info("dlq.purge topic=%s offsets=%d error=%r audit=%r", topic, offsets, cause, str(audit.path))
    print(json.dumps(facts, indent=1) if as_json else f"Removed {offsets} offsets of {topic}.")


def _facts(part: "Range") -> dict[str, int]:
    return {"partition": part.partition, "from": part.start, "to": part.reached, "asked": part.end}
