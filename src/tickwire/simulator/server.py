"""The simulated exchange on one port: the market's clock, its clients, its faults."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any, Self

from aiohttp import web

from tickwire.config.addresses import endpoint
from tickwire.errors import PortTaken, UsageError
from tickwire.events.decimals import product
from tickwire.simulator import load
from tickwire.simulator.client import BINARY, PING, TEXT, Client, frame
from tickwire.simulator.dialect import Broadcast, Conversation, Message, prices
from tickwire.simulator.faults import EXTRA, LOSSES, MUTE, Fault, Faults, parse_fault
from tickwire.simulator.instruments import Instrument, choose_names
from tickwire.simulator.web import Frontend, now_us

_TICK_S = 0.005
_BURST = 64  # steps between two checks of the sockets
_WAIT_S = 0.001  # between two checks of a blocked socket
_PONG_S = 60.0
_FREEZE_S = 30.0  # for clients to read what was sent
_OVERSIZE_BYTES = 64 * 1024 * 1024 + 1  # one more than any exchange may send


class SimulatedExchange:
    """An exchange on a port of this machine, from ``async with`` until its end.

    *symbols*: a number, or names. *rate*: steps of the market a second over all symbols, each of which is one
    order-book message to a subscriber, besides tickers; 0: as fast as the slowest client reads. *faults*: as on the
    command line, ``drop=30s``. Raises :exc:`~tickwire.errors.UsageError` for invalid arguments and, at the start,
    :exc:`~tickwire.errors.PortTaken`.
    """

    def __init__(
        self,
        dialect: str,
        symbols: int | Sequence[str] = 2,
        rate: float = 100.0,
        seed: int = 1,
        port: int = 0,
        host: str = "127.0.0.1",
        faults: Sequence[str] = (),
    ) -> None:
        kind = load(dialect)
        if not 0 <= rate < float("inf"):
            raise UsageError(f"The rate {rate} is no number of updates a second: expected 0 (no limit) or more.")
        parsed = [parse_fault(spec, kind.faults) for spec in faults]
        refused = _refused(parsed, kind.quote)
        self.name, self.dialect = dialect, kind(symbols, Random(f"{seed} market"), refused)  # noqa: S311 - repeatable, not secret
        self.faults = Faults(parsed, kind.faults, Random(f"{seed} faults"))  # noqa: S311 - the same
        self.clients: dict[Conversation, Client] = {}
        self.sent: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()
        self._rate, self._seed, self._host, self._port = rate, seed, host, port
        self._going = asyncio.Event()  # set while the market is not frozen
        self._going.set()
        self._steps = 0
        self._gaps: dict[tuple[Client, Broadcast], None] = {}  # missed a message and got none since
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Listen, and start the market."""
        self._runner = web.AppRunner(Frontend(self).application(), access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        try:
            await site.start()
        except OSError as e:
            await self._runner.cleanup()
            why = e.strerror or str(e)
            raise PortTaken("The simulated exchange", self._host, self._port, "--port", why) from e
        self._port = self._runner.addresses[0][1]
        self._tasks = [asyncio.create_task(self._run_market()), asyncio.create_task(self._keep_house())]
        self._tasks += [asyncio.create_task(self._repeat(name, every)) for name, every in self.faults.periods]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Cut every connection and stop listening."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        for client in self.clients.values():
            client.drop()
        await self._runner.cleanup()

    @property
    def ws_url(self) -> str:
        """Scheme, host and port of the WebSocket side."""
        return f"ws://{endpoint(self._host, self._port)}"

    @property
    def rest_url(self) -> str:
        """Scheme, host and port of the REST side."""
        return f"http://{endpoint(self._host, self._port)}"

    def settings(self) -> dict[str, str]:
        """The variables that point a feed at this exchange, with all its symbols."""
        return {
            "FEED_EXCHANGE": self.name,
            "FEED_SYMBOLS": ",".join(book.instrument.canonical for book in self.dialect.market.books),
            f"FEED_{self.name.upper()}_WS_URL": self.ws_url,
            f"FEED_{self.name.upper()}_REST_URL": self.rest_url,
        }

    def books(self, depth: int) -> dict[str, dict[str, object]]:
        """The best *depth* levels of every book by canonical symbol; ``sequence`` where it is sent.

        As on the wire, except that sizes in contracts are converted to the base.
        """
        return {
            book.instrument.canonical: {
                "bids": _amounts(book.bids.top(depth), book.instrument),
                "asks": _amounts(book.asks.top(depth), book.instrument),
                "sequence": book.update_id if self.dialect.numbered else None,
            }
            for book in self.dialect.market.books
        }

    @property
    def stats(self) -> dict[str, Any]:
        """Counts of what was sent, answered and broken."""
        subscriptions: Counter[str] = Counter()
        for channel in self.dialect.channels():
            subscriptions[channel.kind] += len(channel.subscribers)
        return {
            "exchange": self.name,
            "seed": self._seed,
            "frozen": not self._going.is_set(),
            "steps": self._steps,
            "frames": dict(self.sent),
            "answers": dict(self.answers),
            "faults": dict(self.faults.counts),
            "connections": len(self.clients),
            "subscriptions": dict(subscriptions),
        }

    def wire(self, text: str) -> bytes:
        """The frame of a message."""
        packed = self.dialect.binary(text)
        return frame(TEXT, text.encode()) if packed is None else frame(BINARY, packed)

    def inject(self, name: str) -> None:
        """Let a fault happen at the next suitable frame or answer. Raises :exc:`~tickwire.errors.UsageError`."""
        self.faults.arm(name)

    async def freeze(self) -> int:
        """Stop the market until :meth:`unfreeze`; wait until every client has read what it was sent.

        Returns the unread bytes. After a book message that a fault left out there is one more step, so that the client
        can notice.
        """
        self._going.clear()
        while self._gaps:
            client, channel = next(iter(self._gaps))
            if client.silent or client.session not in channel.subscribers:
                del self._gaps[client, channel]
            else:
                self._steps += 1
                self._publish(self.dialect.advance(channel.book, now_us()), faulty=False)
                self._flush()
                await asyncio.sleep(0)
        deadline = time.monotonic() + _FREEZE_S
        while self._unwritten() and time.monotonic() < deadline:  # noqa: ASYNC110 - sockets give no event for this
            await asyncio.sleep(_WAIT_S)
        return self._unwritten()

    def unfreeze(self) -> None:
        """Resume the market, without catching up."""
        self._going.set()

    def leave(self, client: Client) -> None:
        """Forget a client whose connection ended."""
        client.session.close()
        del self.clients[client.session]

    async def _run_market(self) -> None:
        loop = asyncio.get_running_loop()
        last = loop.time()
        while True:
            if not self._going.is_set():
                await self._going.wait()
                last = loop.time()
            if any(client.blocked for client in self.clients.values()):
                await asyncio.sleep(_WAIT_S)
                last = loop.time()  # no catching up
                continue
            if not self._rate:
                self._burst(_BURST if self.clients else 0)
                await asyncio.sleep(0 if self.clients else _TICK_S)
                continue
            due = int((loop.time() - last) * self._rate)
            if due:
                last += due / self._rate
                for start in range(0, due, _BURST):
                    self._burst(min(_BURST, due - start))
            await asyncio.sleep(_TICK_S)

    def _burst(self, steps: int) -> None:
        market, now = self.dialect.market, now_us()
        for _ in range(steps):
            self._publish(self.dialect.advance(market.pick(), now), faulty=True)
        self._steps += steps
        self._flush()

    def _publish(self, messages: list[Message], *, faulty: bool) -> None:
        clients, faults, gaps = self.clients, self.faults, self._gaps
        for channel, text, losable in messages:
            wire = self.wire(text)
            sent = 0
            for session in tuple(channel.subscribers) if faults.watching else channel.subscribers:
                client = clients[session]
                if client.silent:
                    continue
                if faulty and faults.watching:
                    fault = faults.frame(channel.kind, losable=losable)
                    if fault and not self._break(fault, client, channel, text):
                        continue
                if gaps and channel.kind == "book":
                    gaps.pop((client, channel), None)
                client.queue.append(wire)
                sent += 1
            self.sent[channel.kind] += sent

    def _flush(self) -> None:
        for client in self.clients.values():
            client.flush()

    def _break(self, fault: str, client: Client, channel: Broadcast, text: str) -> bool:
        """Apply *fault* to the message; return whether the message itself is still to be sent."""
        self.sent["faulty"] += 1
        if fault in LOSSES:
            self._gaps[client, channel] = None
        match fault:
            case "drop":
                client.drop()
            case "silence" | "deaf":
                client.silence(deaf=fault == "deaf")
            case "slow":
                client.slow()
            case "skip":
                pass
            case _ if fault in MUTE:
                del channel.subscribers[client.session]
            case _:
                client.queue.append(self._wrong(fault, text))
        return fault in {"slow", "duplicate", *MUTE, *EXTRA}

    def _wrong(self, fault: str, text: str) -> bytes:
        """The frame that *fault* makes of a message, or inserts before it."""
        match fault:
            case "corrupt":
                return self.wire(text[: len(text) // 2])
            case "checksum":
                return self.wire(self.dialect.spoil(text))
            case "duplicate":
                return self.wire(text)
            case "unknown":
                return self.wire(self.dialect.unknown)
            case "binary":
                return frame(BINARY, bytes(range(256)))
            case _:  # oversize
                return frame(TEXT, b" " * _OVERSIZE_BYTES)

    async def _repeat(self, name: str, every_s: float) -> None:
        while True:
            await asyncio.sleep(every_s)
            self.faults.arm(name)

    async def _keep_house(self) -> None:
        """Send heartbeats to clients without messages for a second, and pings if the server sends them."""
        loop = asyncio.get_running_loop()
        every = self.dialect.ping_interval_s
        next_ping = loop.time() + (every or 0.0)
        while True:
            await asyncio.sleep(1.0)
            now = loop.time()
            pinging = every is not None and now >= next_ping
            next_ping = now + every if every is not None and pinging else next_ping
            for client in [c for c in self.clients.values() if not c.silent]:
                if client.pong_due is not None and now > client.pong_due:
                    client.drop()
                elif pinging:
                    client.pong_due = client.pong_due or now + _PONG_S
                    client.control(PING, str(now_us() // 1000).encode())
                elif client.quiet and self.dialect.heartbeat:
                    self.sent["heartbeat"] += 1
                    client.send(self.wire(self.dialect.heartbeat))
                client.quiet = True

    def _unwritten(self) -> int:
        return sum(client.unwritten for client in self.clients.values())


def _refused(faults: Sequence[Fault], quote: str) -> frozenset[str]:
    names = [fault.symbol for fault in faults if fault.symbol]
    return frozenset(f"{base}-{other}" for base, other in (choose_names(names, quote) if names else ()))


def _amounts(levels: Sequence[tuple[int, int]], instrument: Instrument) -> list[list[str]]:
    written, contract = prices(levels, instrument), instrument.contract
    return written if contract == "1" else [[price, product(size, contract)] for price, size in written]
