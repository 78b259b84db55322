"""Describe the supported exchanges."""

import json
from typing import Annotated

import typer

from tickwire.cli.common import show_table
from tickwire.cli.exchange_pages import long, page, short
from tickwire.errors import UsageError
from tickwire.exchanges import load, names


def exchanges(
    name: Annotated[str | None, typer.Argument(help="An exchange to show with its limits and their sources.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    whole: Annotated[bool, typer.Option("--page", help="Print all exchanges as Markdown: docs/exchanges.md.")] = False,
) -> None:
    """List the exchanges with their channels, and how their order books are checked.

    \b
    Examples:
      tickwire exchanges
      tickwire exchanges kraken
    """
    if (name is not None) + as_json + whole > 1:
        raise UsageError("`tickwire exchanges` takes one of NAME, --json and --page.")
    if whole:
        print(page(), end="")
    elif name is not None:
        print(long(name))
    elif as_json:
        for each in names():
            exchange = load(each).EXCHANGE
            known = {"exchange": each, "channels": exchange.channels, "address": exchange.ws_url}
            print(
                json.dumps(
                    known | {"depths": short(each)["depths"], "checks": exchange.checks, "sizes": exchange.sizes}
                )
            )
    else:
        show_table([short(each) for each in names()])
