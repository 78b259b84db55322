"""Name the exchanges there are."""

import json
from typing import Annotated

import typer

from tickwire.exchanges import load, names


def exchanges(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List the exchanges with their channels.

    Example: tickwire exchanges
    """
    for name in names():
        exchange = load(name).EXCHANGE
        if as_json:
            print(json.dumps({"exchange": name, "channels": exchange.channels, "address": exchange.ws_url}))
        else:
            print(f"{name}\t{','.join(exchange.channels)}\t{exchange.ws_url}")
