"""A line to the exchange: one connection after the other, for as long as the feed runs."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from time import monotonic
from typing import NoReturn

from tickwire.exchanges.contract import AdapterContract, Symbol
from tickwire.wire.backoff import Backoff
from tickwire.wire.session import Session, Surroundings

logger = logging.getLogger(__name__)


class Gate:
    """Lets connection attempts through one by one, *interval_s* apart."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._next = float("-inf")

    async def turn(self) -> None:
        """Wait for the next place."""
        now = monotonic()
        at = max(now, self._next)
        self._next = at + self._interval_s
        await asyncio.sleep(at - now)


class Line:
    """The connection that serves *symbols*. *open_adapter* makes the adapter of each new connection."""

    def __init__(
        self, around: Surroundings, symbols: Sequence[Symbol], open_adapter: Callable[[], AdapterContract], gate: Gate
    ) -> None:
        self.symbols = symbols
        self._around, self._open_adapter, self._gate = around, open_adapter, gate
        self._session: Session | None = None
        self._last_frame = monotonic()
        self._reading = asyncio.Event()
        self._reading.set()

    @property
    def last_frame(self) -> float:
        """When the last frame came, on the monotonic clock; the line's start if none did."""
        if self._session is not None and self._session.opened_at is not None:
            self._last_frame = self._session.connection.last_frame
        return self._last_frame

    def pause(self) -> None:
        """Read nothing until :meth:`resume`; no connection is opened meanwhile."""
        self._reading.clear()
        if self._session is not None:
            self._session.connection.pause()

    def resume(self) -> None:
        """Read on."""
        self._reading.set()
        if self._session is not None:
            self._session.connection.resume()

    def hand_out_no_more(self) -> None:
        """Count what still comes, and do nothing else with it."""
        if self._session is not None:
            self._session.hand_out_no_more()

    def waiting_s(self) -> float:
        """For how long what is handed over now has waited here, in seconds."""
        return 0.0 if self._session is None else self._session.connection.waiting_s()

    def restart(self, symbol: Symbol, reason: str) -> None:
        """Start a book again; without a connection it is invalid already and starts with the next one."""
        if self._session is not None:
            self._session.restart(symbol, reason)

    async def run(self) -> NoReturn:
        """Serve until cancelled. Raises :exc:`~tickwire.errors.SubscriptionRefused`."""
        backoff = Backoff(self._around.random.random)
        name = self._around.exchange.name
        while True:
            await self._reading.wait()
            await self._gate.turn()
            session = self._session = Session(self._around, self._open_adapter(), self.symbols)
            if not self._reading.is_set():
                session.connection.pause()
            try:
                lost = await session.run()
            finally:
                self._last_frame = self.last_frame
                self._session = None
            self._around.tally.reconnects[lost.reason].add()
            wait = backoff.delay_s(0.0 if session.opened_at is None else monotonic() - session.opened_at)
            logger.warning(
                "feed.reconnect exchange=%s reason=%s wait_s=%.1f detail=%r", name, lost.reason, wait, lost.detail
            )
            await asyncio.sleep(wait)
