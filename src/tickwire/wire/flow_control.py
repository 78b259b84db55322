"""Pauses, resumes and ends a feed, for its publisher, its callbacks and the feed itself."""

import asyncio
import logging
from collections.abc import Callable
from time import monotonic

from tickwire.errors import TickwireError
from tickwire.events.types import OrderBook
from tickwire.wire.reconnector import Reconnector

logger = logging.getLogger(__name__)


class FlowControl:
    """Controls the reconnectors of one feed. Call everything on the event loop."""

    def __init__(self, exchange: str) -> None:
        self._exchange = exchange
        self._reconnectors: list[Reconnector] = []
        self._pauses: set[object] = set()  # who asked for a pause
        self._turning = False  # waiting until the event loop has had a turn
        self._restarts: dict[str, str] = {}  # native symbol -> reason to restart its book
        self.stopping = asyncio.Event()
        self.replaced_of: Callable[[str], OrderBook | None] = _none
        self.error: TickwireError | None = None  # the error that ends the run

    def add(self, reconnector: Reconnector) -> None:
        """Add a reconnector."""
        self._reconnectors.append(reconnector)
        if self.held:
            reconnector.pause()

    def remove(self, reconnector: Reconnector) -> None:
        """Remove a reconnector without symbols."""
        self._reconnectors.remove(reconnector)

    @property
    def held(self) -> bool:
        """Whether no event may be handed out now."""
        return self.paused or self._turning

    @property
    def paused(self) -> bool:
        """Whether a pause was requested, or the run ends."""
        return bool(self._pauses) or self.stopping.is_set()

    def pause(self, who: object = "publisher") -> None:
        """Read no socket until :meth:`resume`."""
        if not self._pauses and not self.stopping.is_set():
            logger.warning("feed.paused exchange=%s (what it reads is not taken fast enough)", self._exchange)
            self._hold()
        self._pauses.add(who)

    def resume(self, who: object = "publisher") -> None:
        """Resume, if no other pause is in force."""
        if who in self._pauses:
            self._pauses.remove(who)
            if not self._pauses:  # later: the caller may be in the middle of its work
                asyncio.get_running_loop().call_soon(self._read_on)

    def turn(self) -> None:
        """Hand out no more events until the event loop has had a turn."""
        if not self.held:
            self._turning = True
            self._hold()
            asyncio.get_running_loop().call_soon(self._turned)

    def restart(self, exchange_symbol: str, reason: str) -> None:
        """Restart this book; *reason* goes into its ``invalid``."""
        if not self._restarts:
            asyncio.get_running_loop().call_soon(self._restart_books)  # later: not in the middle of a frame
        self._restarts[exchange_symbol] = reason

    def replaced(self, exchange_symbol: str) -> OrderBook | None:
        """Take the ``invalid`` of an epoch of this book that another one replaced while it was valid."""
        return self.replaced_of(exchange_symbol)

    def failed(self, error: TickwireError) -> None:
        """End the run in order; it raises the first *error*."""
        if self.error is None:
            self.error = error
        self.stop()

    def stop(self) -> None:
        """End the run in order, and discard all further messages of the exchange."""
        self.stopping.set()
        for reconnector in self._reconnectors:
            reconnector.hand_out_no_more()

    async def every(self, seconds: float, work: Callable[[float], None]) -> None:
        """Do *work* every so many *seconds*, except while the feed is paused."""
        while True:
            await asyncio.sleep(seconds)
            if not self.paused:
                work(monotonic())

    def waiting_s(self) -> float:
        """How many seconds the events handed out now have waited here; waiting in sockets is not known."""
        return max((reconnector.waiting_s() for reconnector in self._reconnectors), default=0.0)

    def last_frame_age(self) -> float:
        """Seconds since the last frame of the quietest connection; called by the thread that serves metrics."""
        return max((monotonic() - reconnector.last_frame for reconnector in self._reconnectors), default=0.0)

    def _hold(self) -> None:
        for reconnector in self._reconnectors:
            reconnector.pause()

    def _turned(self) -> None:
        self._turning = False
        self._read_on()

    def _read_on(self) -> None:
        for reconnector in self._reconnectors:
            if self.held:  # paused again by messages that a reconnector had kept
                return
            reconnector.resume()

    def _restart_books(self) -> None:
        restarts, self._restarts = self._restarts, {}
        booked = [one for one in self._reconnectors if "orderbook" in one.plan.channels and not self.stopping.is_set()]
        for reconnector in booked:
            for symbol in reconnector.plan.symbols:
                if symbol.native in restarts:
                    reconnector.restart(symbol, restarts[symbol.native])


def _none(_exchange_symbol: str) -> None:
    return None
