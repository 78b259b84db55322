"""The documentation says what the code does."""

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import prometheus_client
import pytest
import typer.main
from prometheus_client.metrics import MetricWrapperBase

from tickwire import metrics
from tickwire.cli.main import app
from tickwire.config.kafka_config import KafkaConfig
from tickwire.kafka.received import ReceivedRecord
from tickwire.records.codec import RecordWriter
from tickwire.records.kinds import topics_by_kind

ROOT = Path(__file__).parents[1]
SPECIFIED = {
    "kafka_messages_published_total": ("topic", "type", "exchange"),
    "kafka_delivery_errors_total": ("topic",),
    "kafka_producer_queue_drops_total": ("topic",),
    "kafka_consumer_commits_total": ("topic",),
    "kafka_consumer_errors_total": ("topic",),
    "kafka_dlq_published_total": ("dlq_topic", "source_topic", "error_type"),
}


def all_metrics() -> dict[str, MetricWrapperBase]:
    """Every metric by the name under which it is exported."""
    found = {}
    for value in vars(metrics).values():
        if isinstance(value, MetricWrapperBase):
            suffix = "_total" if isinstance(value, prometheus_client.Counter) else ""
            found[value._name + suffix] = value
    return found


def metric_rows() -> str:
    rows = [
        f"| `{name}` | {', '.join(f'`{label}`' for label in metric._labelnames) or 'none'} | {metric._documentation} |"
        for name, metric in all_metrics().items()
    ]
    return "\n".join(rows)


def test_the_metrics_table_is_the_metrics_there_are() -> None:
    text = (ROOT / "docs/operations.md").read_text()
    table = re.search(r"<!-- metrics -->\n[^\n]*\n\| --- [^\n]*\n(.*?)\n<!-- end of metrics -->", text, re.DOTALL)
    assert table is not None
    assert table[1] == metric_rows()


@pytest.mark.parametrize(("name", "labels"), SPECIFIED.items())
def test_the_specified_counters_have_exactly_their_names_and_labels(name: str, labels: tuple[str, ...]) -> None:
    assert all_metrics()[name]._labelnames == labels


def test_no_metric_has_a_symbol_label() -> None:
    for name, metric in all_metrics().items():
        assert not {"symbol", "key", "offset", "error"} & set(metric._labelnames), name


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", *map(str, (ROOT / "docs").rglob("*.md"))])
def test_links_between_pages_lead_somewhere(page: str) -> None:
    path = ROOT / page
    for target in re.findall(r"\]\((?!https?://)([^)#]+)", path.read_text()):
        assert (path.parent / target).exists(), f"{page} links to {target}"


def test_the_readme_names_every_command_and_no_other() -> None:
    commands = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    rows = "\n".join(line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("| `tickwire"))
    assert set(re.findall(r"`tickwire ([a-z]+)", rows)) == commands


def test_every_script_of_the_specification_is_there_and_in_the_readme() -> None:
    scripts = {path.stem for path in (ROOT / "scripts").glob("[a-z]*.py")}
    assert scripts == {
        "run_kafka_producer",
        "run_kafka_consumer",
        "kafka_check",
        "kafka_topics",
        "kafka_smoke_all",
        "kafka_e2e_smoke",
        "validate_kafka_smoke",
        "dlq_inspector",
    }
    readme = (ROOT / "README.md").read_text()
    assert all(f"`{script}`" in readme or f"scripts.{script}" in readme for script in scripts)


def test_only_the_settings_read_the_environment() -> None:
    readers = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "src").rglob("*.py")
        if re.search(r"os\.(environ|getenv)", path.read_text())
    }
    assert all(reader.startswith("src/tickwire/config/") for reader in readers), readers


def test_the_project_names_no_absolute_path_of_a_machine() -> None:
    pattern = re.compile(r"(?<![\w.])/(work|root|home/\w+)/")
    for path in [*ROOT.glob("*.*"), *ROOT.glob("src/**/*.py"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("scripts/*.py")]:
        if path.is_file():
            assert not pattern.search(path.read_text(errors="replace")), path


def test_the_page_on_the_architecture_names_every_room_and_no_other() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    source = ROOT / "src/tickwire"
    rooms = {
        f"{path.relative_to(source)}{'/' if path.is_dir() else ''}"
        for folder in (source, source / "kafka")
        for path in folder.iterdir()
        if (path / "__init__.py").exists() or (path.suffix == ".py" and not path.name.startswith("__"))
    }
    tables = page.partition("## The rooms, from the top")[2].partition("## Where is")[0]
    top, _, inside = tables.partition("Inside `kafka/`")
    named = {f"{prefix}{room}" for prefix, table in (("", top), ("kafka/", inside)) for room in _rooms(table)}
    assert named == rooms
    for path in re.findall(r"`([a-z_/]+\.py)`", page.partition("## Where is")[2]):
        assert (source / path).exists(), path


def _rooms(table: str) -> set[str]:
    cells = [row.split("|")[2] for row in table.splitlines() if re.match(r"\| \d", row)]
    return {room for cell in cells for room in re.findall(r"`([^`]+)`", cell)}


def commands(text: str) -> list[list[str]]:
    """The arguments of each `tickwire` in lines for a shell, without what is set before it and what comes after it."""
    found = []
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        words = shlex.split(line, comments=True)
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            del words[0]
        if words and words[0] == "tickwire":
            ends = [words.index(end) for end in ("|", "&&", ">", "&") if end in words]
            found.append(words[1 : min(ends, default=None)])
    return found


def blocks(page: Path, language: str = "") -> str:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)
    return "".join(text for of, text in found if of == language)


def accept(arguments: Sequence[str]) -> None:
    """Parse as the command line does, and do nothing."""
    words, command = [*arguments], cast("Any", typer.main.get_command(app))
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    command.make_context(command.name, words)


PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_command_line_takes_every_command_that_a_page_shows(page: Path) -> None:
    for arguments in commands(blocks(page)):
        accept(arguments)


def test_the_command_line_takes_every_example_of_its_help() -> None:
    def examples(command: Any) -> Iterator[str]:
        yield (command.help or "").partition("Examples:\n")[2]
        for sub in getattr(command, "commands", {}).values():
            yield from examples(sub)

    shown = [arguments for text in examples(typer.main.get_command(app)) for arguments in commands(text)]
    assert len(shown) > 50
    for arguments in shown:
        accept(arguments)


def test_the_messages_on_the_page_of_their_format_are_read_and_written_as_they_stand_there() -> None:
    writer = RecordWriter(topics_by_kind(KafkaConfig()))
    messages = blocks(ROOT / "docs/message-format.md", "json").splitlines()
    assert len(messages) == 5
    for message in messages:
        said = json.loads(message)
        key = f"{said['exchange']}|{said['symbol']}".encode()
        event = ReceivedRecord("t", 0, 0, key, message.encode(), (), 0).event
        assert writer.write(event).value.decode() == message
