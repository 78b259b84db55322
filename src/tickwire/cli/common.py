"""Shared by several commands: the Kafka switch, the metrics exporter, output that is safe for terminals."""

import importlib.util
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from prometheus_client import CollectorRegistry, make_wsgi_app, start_http_server
from rich.console import Console
from rich.text import Text

from tickwire.cli.health import Health
from tickwire.config.kafka_config import KafkaConfig
from tickwire.config.loading import load_kafka
from tickwire.errors import KafkaDisabled, KafkaMissing, PortTaken, TickwireError, UsageError

Brokers = Annotated[str | None, typer.Option(help="KAFKA_BROKERS: host:port, comma-separated.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON.")]


def require_kafka(config: KafkaConfig) -> None:
    """Raise if Kafka is switched off or its library is missing."""
    if not config.enabled:
        raise KafkaDisabled
    if importlib.util.find_spec("confluent_kafka") is None:
        raise KafkaMissing


def kafka_settings(brokers: str | None) -> KafkaConfig:
    """The settings of a command that is about Kafka, which KAFKA_ENABLED need not switch on. Raises as above."""
    config = load_kafka({"brokers": brokers}, enabled=True)
    require_kafka(config)
    return config


def start_metrics(config: KafkaConfig, registry: CollectorRegistry, health: Health) -> None:
    """Serve the metrics of *registry*, and the answers of *health*, over HTTP if they are enabled.

    Raises :exc:`~tickwire.errors.PortTaken`.
    """
    if not config.metrics_enabled:
        return
    try:
        server, _ = start_http_server(config.metrics_port, addr=config.metrics_host, registry=registry)
        server.set_app(health.beside(make_wsgi_app(registry)))
    except OSError as e:
        raise PortTaken(
            "The metrics exporter", config.metrics_host, config.metrics_port, "KAFKA_METRICS_PORT", e.strerror or str(e)
        ) from e


def is_terminal() -> bool:
    """Whether standard output is a terminal; if not, commands print plain lines."""
    return sys.stdout.isatty()


def printable(text: str) -> str:
    r"""Replace control characters, which could control a terminal, by escapes such as ``\x1b``; line breaks too."""
    return "".join(c if unicodedata.category(c)[0] not in "CZ" or c == " " else _escape(c) for c in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def json_escapes(error: UnicodeError) -> tuple[str, int]:
    r"""A codec error handler that writes unencodable characters as JSON does, e.g. ``\u5e01``."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    pairs = zip(units[::2], units[1::2], strict=True)
    return "".join(f"\\u{high:02x}{low:02x}" for high, low in pairs), error.end


def split_names(text: str) -> list[str]:
    """The names in a comma-separated option."""
    return [name for part in text.split(",") if (name := part.strip())]


def split_some_names(option: str, text: str) -> list[str]:
    """The same of an *option* that must name something; raises :exc:`~tickwire.errors.UsageError`.

    An empty text is mostly a variable of a script that is not set, and nothing or everything would be a guess.
    """
    names = split_names(text)
    if not names:
        raise UsageError(f"{option} {text!r} names nothing: expected names with commas between them, or leave it out.")
    return names


def split_settings(pairs: Sequence[str]) -> tuple[dict[str, object], dict[str, object]]:
    """Sort ``NAME=VALUE`` flags into overrides of the KAFKA_* and of the FEED_* settings.

    Raises :exc:`~tickwire.errors.UsageError` for invalid flags, and for secrets, because other users can read a
    command's arguments.
    """
    kafka: dict[str, object] = {}
    feed: dict[str, object] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        prefix, _, setting = name.partition("_")
        if not equals or prefix not in {"KAFKA", "FEED"} or not setting:
            raise UsageError(f"--set {name!r} is not understood: expected NAME=VALUE with a KAFKA_* or FEED_* name.")
        if setting.lower() in KafkaConfig.secrets() and prefix == "KAFKA":
            raise UsageError(f"{name} is a secret: set it in the environment or in a file named by {name}_FILE.")
        (kafka if prefix == "KAFKA" else feed)[setting.lower()] = value
    return kafka, feed


def check_writable(path: Path, option: str) -> None:
    """Make sure, before a run starts, that its report can be written at the end."""
    try:
        with path.open("a"):
            pass
    except OSError as e:
        raise UnwritableFile(path, option, e.strerror or str(e)) from e


class UnwritableFile(TickwireError):
    """A file that the user named cannot be written."""

    def __init__(self, path: Path, option: str, cause: str) -> None:
        self.path, self.option, self.cause = path, option, cause

    def __str__(self) -> str:
        return f"Cannot write {str(self.path)!r} ({self.cause}): name a file in a writable folder with {self.option}."


def utc(time_ms: int) -> str:
    """A time as text."""
    try:
        return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):  # the number may be anything
        return f"{time_ms} ms"


def show(text: str, style: str = "") -> None:
    """Print a line, in colour on a terminal that supports it unless NO_COLOR is set."""
    Console(highlight=False, soft_wrap=True).print(Text(text, style=style))


def show_table(rows: Sequence[Mapping[str, object]]) -> None:
    """Print rows with the same keys as a table, with the keys as heading."""
    if not rows:
        return
    table = [list(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
    for line in table:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
