"""``tickwire check``: whether Kafka is there, with everything in it that we need."""

import json
from typing import Annotated

import typer

from tickwire.cli.common import printable, require_kafka
from tickwire.config.loading import load_kafka


def check(
    timeout: Annotated[float, typer.Option(min=1, max=600, help="Seconds to wait for Kafka.")] = 8.0,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
    brokers: Annotated[str | None, typer.Option(help="KAFKA_BROKERS: host:port, comma-separated.")] = None,
) -> None:
    """Check Kafka step by step: addresses, login, brokers, our topics, the schema registry, round trip; writes nothing.

    Ends with 0 when a feed could start, else with 1. A hint is no failure.

    \b
    Examples:
      tickwire check
      tickwire check --brokers kafka-1:9092 --timeout 3 --json
    """
    config = load_kafka({"brokers": brokers}, enabled=True)
    require_kafka(config)
    from tickwire.kafka.admin.check import check as look  # noqa: PLC0415 - the package imports without the library
    from tickwire.kafka.admin.check import healthy  # noqa: PLC0415

    findings = []
    for finding in look(config, timeout):
        findings.append(finding)
        if not as_json:
            print(f"{finding.state:7} {finding.step:11} {printable(finding.text)}", flush=True)
    fine = healthy(findings)
    if as_json:
        steps = [{"step": f.step, "ok": f.ok, "hint": f.hint, "text": f.text} for f in findings]
        print(json.dumps({"healthy": fine, "steps": steps}, indent=1))
    else:
        print("Kafka is ready." if fine else "Kafka is not ready: see what FAILED.")
    if not fine:
        raise typer.Exit(1)
