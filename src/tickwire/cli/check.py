"""``tickwire check``: checks Kafka, everything that we need in it, and the folder for records that wait."""

import json
import os
import shutil
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Annotated

import typer

from tickwire.cli.common import AsJson, Brokers, kafka_settings, printable
from tickwire.config.kafka_config import KafkaConfig
from tickwire.config.loading import load_feeds
from tickwire.config.paths import spill_root
from tickwire.errors import NoHome
from tickwire.records.kinds import topics_by_kind

if TYPE_CHECKING:
    from tickwire.kafka.admin.check import Finding


def check(
    timeout: Annotated[float, typer.Option(min=1, max=600, help="Seconds to wait for Kafka.")] = 8.0,
    as_json: AsJson = False,
    brokers: Brokers = None,
) -> None:
    """Check Kafka step by step: addresses, login, topics, rights, registry, disk; writes nothing.

    The exit code is 0 if a feed or a consumer could start, else 1. A hint is no failure.

    \b
    Examples:
      tickwire check
      tickwire check --brokers kafka-1:9092 --timeout 3 --json
    """
    config = kafka_settings(brokers)
    from tickwire.kafka.admin.check import check as look  # noqa: PLC0415 - the package imports without the library
    from tickwire.kafka.admin.check import healthy  # noqa: PLC0415

    findings = []
    channels = {channel for feed in load_feeds() for channel in feed.channels}
    written = [topic for channel, topic in topics_by_kind(config).items() if channel in channels]
    for finding in chain(look(config, timeout, written), _spill(config)):
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


def _spill(config: KafkaConfig) -> "Iterator[Finding]":
    """The folder in which records would wait for Kafka: whether it is writable and has room, and its records."""
    from tickwire.kafka.admin.check import Finding  # noqa: PLC0415 - as above
    from tickwire.kafka.spill.home import waiting  # noqa: PLC0415

    try:
        folder = spill_root(config.spill_dir)
    except NoHome as e:
        yield Finding("spill", False, str(e))
        return
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        yield Finding("spill", False, f"{folder} cannot be written: name another folder with KAFKA_SPILL_DIR")
        return
    free = shutil.disk_usage(there).free
    yield Finding("spill", True, f"{folder} can be written, {free} bytes are free")
    if free < config.spill_max_bytes:
        text = f"the disk is full before KAFKA_SPILL_MAX_BYTES ({config.spill_max_bytes}) is: make room, or lower it"
        yield Finding("spill", True, text, hint=True)
    if folders := waiting(folder):
        text = f"records wait in {len(folders)} folders there: `tickwire spill list` says which, and who sends them"
        yield Finding("spill", True, text, hint=True)
