"""Whether a feed reads on, and when it ends: what its publisher, its callbacks and the feed itself may ask for."""

import asyncio
import logging
from time import monotonic

from tickwire.errors import TickwireError
from tickwire.wire.reconnector import Reconnector

logger = logging.getLogger(__name__)


class Flow:
    """The reconnectors of one feed, read or not. Everything is called on the event loop."""

    def __init__(self, exchange: str) -> None:
        self._exchange = exchange
        self._reconnectors: list[Reconnector] = []
        self._pauses: set[object] = set()  # who asked not to read
        self._turning = False  # the event loop has its turn
        self._restarts: dict[str, str] = {}  # exchange's own name of a symbol -> why its book is to start again
        self.stopping = asyncio.Event()
        self.error: TickwireError | None = None  # what the run ends with

    def add(self, reconnector: Reconnector) -> None:
        """Let this reconnector be read as the others are."""
        self._reconnectors.append(reconnector)
        if self.held:
            reconnector.pause()

    def remove(self, reconnector: Reconnector) -> None:
        """Let it go, as it serves nothing."""
        self._reconnectors.remove(reconnector)

    @property
    def held(self) -> bool:
        """Whether nothing is to be handed out now."""
        return self.paused or self._turning

    @property
    def paused(self) -> bool:
        """Whether somebody has no room for more, or all is to end."""
        return bool(self._pauses) or self.stopping.is_set()

    def pause(self, who: object = "publisher") -> None:
        """Read no socket until :meth:`resume`."""
        if not self._pauses and not self.stopping.is_set():
            logger.warning("feed.paused exchange=%s (what it reads is not taken fast enough)", self._exchange)
            self._hold()
        self._pauses.add(who)

    def resume(self, who: object = "publisher") -> None:
        """Read on, if nobody else has asked for a pause."""
        if who in self._pauses:
            self._pauses.remove(who)
            if not self._pauses:  # not now: whoever resumes may not be done with what it does
                asyncio.get_running_loop().call_soon(self._read_on)

    def turn(self) -> None:
        """Hand out nothing more until the event loop has had its turn."""
        if not self.held:
            self._turning = True
            self._hold()
            asyncio.get_running_loop().call_soon(self._turned)

    def restart(self, exchange_symbol: str, reason: str) -> None:
        """Start this book again: the publisher's reason is what its ``invalid`` says."""
        if not self._restarts:
            asyncio.get_running_loop().call_soon(self._restart_books)  # not in the middle of a frame
        self._restarts[exchange_symbol] = reason

    def failed(self, error: TickwireError) -> None:
        """End the run in order; it then raises *error*, if it is the first one."""
        if self.error is None:
            self.error = error
        self.stop()

    def stop(self) -> None:
        """End the run in order, and hand out nothing more of what the exchange says."""
        self.stopping.set()
        for reconnector in self._reconnectors:
            reconnector.hand_out_no_more()

    def waiting_s(self) -> float:
        """For how long what is handed out now waited here, in seconds; what waits in sockets is not known."""
        return max((reconnector.waiting_s() for reconnector in self._reconnectors), default=0.0)

    def last_frame_age(self) -> float:
        """Seconds; called by the thread that serves metrics."""
        return max((monotonic() - reconnector.last_frame for reconnector in self._reconnectors), default=0.0)

    def _hold(self) -> None:
        for reconnector in self._reconnectors:
            reconnector.pause()

    def _turned(self) -> None:
        self._turning = False
        self._read_on()

    def _read_on(self) -> None:
        for reconnector in self._reconnectors:
            if self.held:  # again, because of what a reconnector had kept
                return
            reconnector.resume()

    def _restart_books(self) -> None:
        restarts, self._restarts = self._restarts, {}
        booked = [one for one in self._reconnectors if "orderbook" in one.plan.channels and not self.stopping.is_set()]
        for reconnector in booked:
            for symbol in reconnector.plan.symbols:
                if symbol.native in restarts:
                    reconnector.restart(symbol, restarts[symbol.native])
