"""``tickwire config``: the settings in force and their origins."""

import dataclasses
import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tickwire.cli.common import is_terminal, printable
from tickwire.config.loading import Setting, origins

app = typer.Typer(help="Show the settings in force.", no_args_is_help=True)


@app.callback()
def config() -> None:
    """Show the settings in force."""


@app.command()
def show(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON array of variable, value and origin.")
    ] = False,
) -> None:
    """Print every setting with its value and origin; secrets are hidden.

    The environment overrides the settings file, which overrides the defaults.

    \b
    Examples:
      tickwire config show
      KAFKA_BROKERS=kafka:9092 tickwire config show
      tickwire config show --json
    """
    settings = origins()
    if as_json:
        print(json.dumps([dataclasses.asdict(setting) for setting in settings], indent=2))
    elif is_terminal():
        _print_table(settings)
    else:
        for setting in settings:
            print("\t".join(_cells(setting)))


def _print_table(settings: tuple[Setting, ...]) -> None:
    table = Table("variable", "value", "from")
    for setting in settings:
        table.add_row(*(Text(cell, overflow="fold") for cell in _cells(setting)))  # Text: values are not rich markup
    Console().print(table)


def _cells(setting: Setting) -> tuple[str, str, str]:
    return setting.variable, printable(_text(setting.value)), printable(setting.origin)


def _text(value: bool | int | str | None) -> str:
    if value is None:
        return "-"
    return str(value).lower() if isinstance(value, bool) else str(value)
