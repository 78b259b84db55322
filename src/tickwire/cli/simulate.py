"""``tickwire simulate``: a simulated exchange for trials."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer
import uvloop

from tickwire.signals import Stop
from tickwire.simulator import names

if TYPE_CHECKING:
    from tickwire.simulator.server import SimulatedExchange


def simulate(
    exchange: Annotated[str, typer.Option(help=f"The exchange to simulate: {', '.join(names())}.")] = "binance",
    symbols: Annotated[
        str, typer.Option(help="Number of symbols, or their names, comma-separated (BTC-USDT,ETH-USDT).")
    ] = "2",
    rate: Annotated[
        float, typer.Option(help="Order book updates a second over all symbols; 0: as fast as the slowest client.")
    ] = 100.0,
    seed: Annotated[int, typer.Option(help="Equal seeds give equal markets.")] = 1,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The port for WebSocket and REST; 0 chooses a free one.")
    ] = 0,
    fault: Annotated[
        list[str] | None,
        typer.Option(help="NAME=30s (every 30 seconds), NAME=0.001 (chance) or refuse=SYMBOL; may be repeated."),
    ] = None,
) -> None:
    """Run a simulated exchange until Ctrl-C: a seeded market in its own formats, over WebSocket and REST.

    Faults: drop (cut the connection), skip, duplicate, corrupt of order book messages, mute, mute-ticker, mute-trade
    (one symbol's order book, ticker or trades stop until they are subscribed again), silence, deaf (silence without
    pongs), slow, unknown, binary, oversize, rest429, rest418, rest503, refuse=SYMBOL; checksum (a wrong one) and stale
    (an old snapshot) where the exchange has them.

    Controls on the same port, from this machine only: GET /simulator/books?depth=10, GET /simulator/stats, POST
    /simulator/freeze (stop the market), POST /simulator/unfreeze (let it go on), POST /simulator/fault?name=drop (once,
    now).

    \b
    Examples:
      tickwire simulate --port 9001
      tickwire simulate --exchange kraken --symbols 10 --rate 1000 --fault drop=30s --fault skip=0.001
    """
    from tickwire.simulator.server import SimulatedExchange  # noqa: PLC0415 - no other command needs its web server

    chosen = int(symbols) if symbols.isascii() and symbols.isdigit() else symbols.split(",")
    simulated = SimulatedExchange(exchange, chosen, rate, seed, port, host, fault or ())
    with Stop() as stop, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(simulated, stop))


async def _run(simulated: "SimulatedExchange", stop: Stop) -> None:
    async with simulated:
        name = simulated.name
        ws, rest = simulated.ws_url, simulated.rest_url
        variables = f"FEED_{name.upper()}_WS_URL={ws} FEED_{name.upper()}_REST_URL={rest}"
        print(f"Simulated {name} listens on {ws}: set {variables}", flush=True)
        await stop.arrives()
