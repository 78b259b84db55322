"""``tickwire schemas``: our schemas and the schema registry."""

import json
from typing import Any

import typer

from tickwire.cli.common import AsJson, printable, show_table
from tickwire.config.loading import load_kafka
from tickwire.registry.client import Registry
from tickwire.registry.shapes import differences
from tickwire.registry.subjects import Subject, newest, obstacles, register, require_subjects
from tickwire.registry_errors import SchemaMissing

app = typer.Typer(help="Check, register and compare the schemas of topics that are not JSON.", no_args_is_help=True)


@app.callback()
def root() -> None:
    """Check, register and compare the schemas of topics that are not JSON."""


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the subjects of our topics: format, versions, newest id, compatibility level.

    \b
    Example:
      KAFKA_VALUE_FORMAT=avro KAFKA_SCHEMA_REGISTRY_URL=http://localhost:8081 tickwire schemas list
    """
    registry, subjects = _open()
    rows = [_row(registry, subject) for subject in subjects]
    if as_json:
        print(json.dumps(rows, indent=1))
    else:
        show_table([{name: "-" if value is None else value for name, value in row.items()} for row in rows])


@app.command("check")
def check(as_json: AsJson = False) -> None:
    """Check whether our schemas are compatible with every registered version; changes nothing.

    The exit code is 1 if one is not, and the field is named. A missing subject accepts every schema.
    """
    registry, subjects = _open()
    found = {subject.name: obstacles(registry, subject) for subject in subjects}
    if as_json:
        print(json.dumps(found, indent=1))
    else:
        for name, why in found.items():
            print("\n".join(f"{name}: {printable(line)}" for line in why or ["fits"]))
    if any(found.values()):
        raise typer.Exit(1)


@app.command("register")
def register_(as_json: AsJson = False) -> None:
    """Register our schemas with the level BACKWARD_TRANSITIVE, and check that they are stored as they were sent.

    An existing schema is not changed. The exit code is 1 if one is incompatible or stored in another form, and the
    field is named.
    """
    registry, subjects = _open()
    rows = []
    for subject in subjects:
        done = register(registry, subject)
        rows.append({"subject": subject.name, "id": done.id, "version": done.version, "new": done.new})
        if not as_json:
            how = "registered" if done.new else "is there already"
            print(f"{subject.name}: {how}, id {done.id}, version {done.version}")
    if as_json:
        print(json.dumps(rows, indent=1))


@app.command("diff")
def diff(as_json: AsJson = False) -> None:
    """Show in which fields our schemas differ from the newest registered ones.

    The exit code is 1 if one differs or is not registered.
    """
    registry, subjects = _open()
    found: dict[str, list[str]] = {}
    for subject in subjects:
        version = newest(registry, subject)
        if version is None:
            raise SchemaMissing(registry.url, f"subject {subject.name}")
        try:
            found[subject.name] = [str(difference) for difference in differences(version.schema, subject.schema)]
        except ValueError as e:
            found[subject.name] = [str(e)]
    if as_json:
        print(json.dumps(found, indent=1))
    else:
        for name, lines in found.items():
            print("\n".join(f"{name}: {printable(line)}" for line in lines or ["no difference"]))
    if any(found.values()):
        raise typer.Exit(1)


def _open() -> tuple[Registry, list[Subject]]:
    config = load_kafka(enabled=True)
    subjects = require_subjects(config)
    return Registry(config), subjects


def _row(registry: Registry, subject: Subject) -> dict[str, Any]:
    version = newest(registry, subject)
    return {
        "subject": subject.name,
        "format": subject.schema.format,
        "versions": 0 if version is None else len(registry.versions(subject.name)),
        "id": None if version is None else version.id,
        "level": registry.compatibility(subject.name),
    }
