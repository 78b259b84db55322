"""The command ``tickwire``: puts the commands together and turns errors into one sentence and an exit code."""

import codecs
import io
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
import typer.main

from tickwire import __version__, compiled
from tickwire.cli import (
    broker,
    check,
    config,
    consume,
    demo,
    dlq,
    exchanges,
    export,
    init,
    produce,
    schemas,
    simulate,
    smoke,
    spill,
    topics,
    ui,
    watch,
)
from tickwire.cli.common import json_escapes
from tickwire.cli.logs import say_error, start_logging
from tickwire.config.loading import load_log
from tickwire.errors import TickwireError

_ANSWERED = {"--help", "--version", "--show-completion", "--install-completion"}
_HELP_COLUMNS = 120  # at most, in terminals that have them
# Of a wrong option or argument. The class that both typer's own click and an installed one derive this from.
_TyperError: type[Exception] = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")

app = typer.Typer(
    name="tickwire",
    help="Exchange market data into Kafka, every message accounted for.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(value: bool) -> None:
    if value:
        how = f"not compiled: {compiled.missing}" if compiled.missing else "compiled"
        print(f"tickwire {__version__} ({how})")
        raise typer.Exit


@app.callback()
def root(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Print the version, whether compiled, and end."
        ),
    ] = False,
) -> None:
    """Exchange market data into Kafka, every message accounted for."""


app.command()(produce.produce)
app.command()(consume.consume)
app.command(options_metavar=topics.USAGE, context_settings={"allow_extra_args": True})(topics.topics)
app.command()(init.init)
app.command()(check.check)
app.command()(broker.broker)
app.command()(simulate.simulate)
app.command()(exchanges.exchanges)
app.command()(demo.demo)
app.command()(export.export)
app.command()(ui.ui)
app.command()(watch.watch)
app.add_typer(config.app, name="config")
app.add_typer(dlq.app, name="dlq")
app.add_typer(schemas.app, name="schemas")
app.add_typer(smoke.app, name="smoke")
app.add_typer(spill.app, name="spill")


def main(arguments: Sequence[str] | None = None, *, path: Sequence[str] = (), name: str | None = None) -> None:
    """Run the command line and end the process: 0 done, 1 trouble at run time, 2 wrong usage.

    Without *arguments* the process's own count. A script calls this with the *path* of the command that it stands for,
    and its own *name* for the help.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    _write_what_no_encoding_has()
    command = typer.main.get_command(app)
    for part in path:
        command = command.commands[part]  # type: ignore[attr-defined]  # a group's; typer names no type for it
    _describe_in_whole_sentences(command)
    try:
        if not _ANSWERED.intersection(given):  # which answer whatever the settings are
            start_logging(load_log())
        code = command.main(args=given, prog_name=name, standalone_mode=False, max_content_width=_HELP_COLUMNS)
        sys.exit(code or 0)
    except TickwireError as e:
        say_error(e)
        sys.exit(e.exit_code)
    except _TyperError as e:
        sys.exit(_say_usage(e))
    except typer.Abort:  # a question was not answered
        sys.exit(1)
    except BrokenPipeError:  # the reader of our output has gone, as in `| head`
        sys.stderr.close()
        sys.exit(1)


def _describe_in_whole_sentences(group: Any) -> None:
    """Have a table of commands wrap what it says of each, where it would cut it to one line of the terminal."""
    for command in getattr(group, "commands", {}).values():
        command.short_help = command.get_short_help_str(sys.maxsize)
        _describe_in_whole_sentences(command)


def _say_usage(error: Any) -> int:
    """Say what is wrong with the arguments as every other error is said; without any, show the help."""
    context = getattr(error, "ctx", None)
    if context is not None and error.message in {"", context.get_help()}:
        error.show()
        return int(error.exit_code)
    command = "tickwire" if context is None else context.command_path
    say_error(f"{error.format_message().rstrip('.')}: see `{command} --help`.")
    return int(error.exit_code)


def _write_what_no_encoding_has() -> None:
    """Let standard output write every text, whatever its encoding: what that lacks as JSON writes it."""
    codecs.register_error("tickwire", json_escapes)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="tickwire")
