"""``tickwire dlq replay``."""

import json
import logging
import secrets
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from tickwire.cli.common import Brokers, kafka_settings, printable, show_table
from tickwire.cli.dlq.audit import Audit
from tickwire.cli.dlq.options import ErrorType, Grep, Key, Since, SourceTopic, Until, selection
from tickwire.cli.dlq.output import no_topic, scanned, scanned_facts
from tickwire.errors import TickwireError
from tickwire.signals import Stop

if TYPE_CHECKING:  # the command line works without the Kafka library
    from tickwire.config.kafka_config import KafkaConfig
    from tickwire.kafka.dead_letters.replay.routes import ReplayRules
    from tickwire.kafka.dead_letters.replay.run import ReplayReport

logger = logging.getLogger(__name__)

_SLOWEST, _FASTEST = 0.1, 1_000_000.0


def replay(
    execute: Annotated[bool, typer.Option("--execute", help="Act. Without this, show what would happen.")] = False,
    since: Since = None,
    until: Until = None,
    error_type: ErrorType = None,
    source_topic: SourceTopic = None,
    key: Key = None,
    grep: Grep = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Send at most this many.")] = None,
    target: Annotated[
        str | None, typer.Option(metavar="TOPIC", help="Send to this topic of market data instead of the source.")
    ] = None,
    max_replays: Annotated[
        int, typer.Option(min=0, help="Letters replayed this often go to the quarantine topic.")
    ] = 3,
    allow_orderbook: Annotated[
        bool, typer.Option("--allow-orderbook", help="Order books too, although they will be out of order.")
    ] = False,
    rate: Annotated[
        float | None, typer.Option(min=_SLOWEST, max=_FASTEST, help="Send at most this many a second.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write the result as JSON.")] = False,
    brokers: Brokers = None,
) -> None:
    """Send dead letters back to the topic where they failed; a dry run unless --execute is given.

    Each is sent once and remembered in the group dlq-replay-tool; letters that are not selected stay for another run.

    \b
    Examples:
      tickwire dlq replay
      tickwire dlq replay --error-type process --since 2026-01-31T12:00:00Z --rate 100 --execute
    """
    config = kafka_settings(brokers)
    from tickwire.kafka.dead_letters.replay.routes import ReplayRules  # noqa: PLC0415 - the library may be missing

    wanted = selection(since, until, error_type, source_topic, key, grep)
    rules = ReplayRules(wanted, target, max_replays, allow_orderbook, limit, rate)
    audit = Audit() if execute else None
    report = _run(config, rules, audit)
    print(json.dumps(replay_facts(report), indent=1)) if as_json else _show(report, config.dlq_topic)
    if report.ended == "signal":
        raise typer.Exit(1)


def _run(config: "KafkaConfig", rules: "ReplayRules", audit: Audit | None) -> "ReplayReport":
    with Stop() as stop, ExitStack() as stack:
        looked = stack.enter_context(_progress())
        return run_audited(config, rules, audit, lambda: stop.requested, looked, stack.close)


def run_audited(
    config: "KafkaConfig",
    rules: "ReplayRules",
    audit: Audit | None,
    stopping: Callable[[], bool] = lambda: False,
    looked: Callable[[int, int], None] = lambda _done, _total: None,
    over: Callable[[], None] = lambda: None,
) -> "ReplayReport":
    """Replay, call *over*, and write the audit line, also after an error; without *audit* it is a dry run."""
    from tickwire.kafka.dead_letters.replay.run import Replay  # noqa: PLC0415 - the library may be missing

    replay_id = secrets.token_hex(8)
    replay = Replay(config, rules, execute=audit is not None, replay_id=replay_id, stopping=stopping, looked=looked)
    error: BaseException | None = None
    try:
        return replay.run()
    except BaseException as e:
        error = e
        raise
    finally:
        over()  # ends the bar before a line is printed
        if audit is not None:
            facts = replay_facts(replay.report)
            cause = None if error is None else str(error) if isinstance(error, TickwireError) else repr(error)
            rest = {"topic": config.dlq_topic, "brokers": config.brokers, "rules": asdict(rules), "error": cause}
            audit.write("replay", rest | facts)
            logger.info(
                "dlq.replay id=%s ended=%s sent=%r audit=%r", replay_id, facts["ended"], facts["sent"], str(audit.path)
            )


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A progress bar on a terminal, else nothing."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("replay", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def replay_facts(report: "ReplayReport") -> dict[str, Any]:
    """The results of a run as JSON."""
    routes = [
        {"action": route.action, "to": route.topic, "error_type": error_type, "reason": route.reason, "records": count}
        for (route, error_type), count in report.routes.most_common()
    ]
    return {
        "replay_id": report.replay_id,
        "executed": report.executed,
        "ended": report.ended,
        "routes": routes,
        "sent": dict(report.sent),
        "dealt_with_earlier": report.earlier,
        "not_selected": report.not_selected,
        "positions": report.positions,
        "scanned": scanned_facts(report.ranges),
    }


def _show(report: "ReplayReport", topic: str) -> None:
    rows = [
        {"action": route.action, "to": printable(route.topic) or "-", "error": printable(error_type) or "-"}
        | {"why": printable(route.reason), "records": count}
        for (route, error_type), count in report.routes.most_common()
    ]
    show_table(rows)
    if not report.ranges and report.ended != "signal":
        print(no_topic(topic))
        return
    chosen: Counter[str] = Counter()
    for (route, _), count in report.routes.items():
        chosen[route.action] += count
    what = f"{report.not_selected} not asked for, {report.earlier} dealt with earlier, {chosen['stay']} have to stay"
    print(f"Looked at {topic}, offsets {scanned(report.ranges)}: {what}.")
    if report.ended == "limit":
        print("Stopped at --limit; there is more.")
    elif report.ended == "signal":
        print("Stopped by a signal; run again for the rest.")
    if report.executed:
        sent = ", ".join(f"{count} to {name}" for name, count in report.sent.items()) or "nothing"
        print(f"Replay {report.replay_id}: sent {sent}.")
    else:
        print("This was a dry run, nothing was sent: add --execute to act.")
