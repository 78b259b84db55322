"""The command ``tickwire``: puts the commands together and turns errors into one sentence and an exit code."""

import logging
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
import typer.main

from tickwire import __version__
from tickwire.cli import broker, check, config, consume, demo, dlq, exchanges, produce, simulate, smoke, spill, topics
from tickwire.cli.common import printable
from tickwire.errors import TickwireError

app = typer.Typer(
    name="tickwire",
    help="Exchange market data into Kafka, every message accounted for.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(value: bool) -> None:
    if value:
        print(f"tickwire {__version__}")
        raise typer.Exit


@app.callback()
def root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Exchange market data into Kafka, every message accounted for."""


app.command()(produce.produce)
app.command()(consume.consume)
app.command()(topics.topics)
app.command()(check.check)
app.command()(broker.broker)
app.command()(simulate.simulate)
app.command()(exchanges.exchanges)
app.command()(demo.demo)
app.add_typer(config.app, name="config")
app.add_typer(dlq.app, name="dlq")
app.add_typer(smoke.app, name="smoke")
app.add_typer(spill.app, name="spill")


def main(arguments: Sequence[str] | None = None, *, path: Sequence[str] = (), name: str | None = None) -> None:
    """Run the command line and end the process: 0 done, 1 trouble at run time, 2 wrong usage.

    Without *arguments* the process's own count. A script calls this with the *path* of the command that it stands for,
    and its own *name* for the help.
    """
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    command = typer.main.get_command(app)
    for part in path:
        command = command.commands[part]  # type: ignore[attr-defined]  # a group's; typer names no type for it
    try:
        command.main(args=None if arguments is None else list(arguments), prog_name=name)
    except TickwireError as e:
        print(f"error: {printable(str(e))}", file=sys.stderr)
        sys.exit(e.exit_code)
    except BrokenPipeError:  # the reader of our output has gone, as in `| head`
        sys.stderr.close()
        sys.exit(1)
