"""Keeps an exchange connected: one connection after the other, as long as the feed runs."""

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, NoReturn

from msgspec.structs import replace

from tickwire.errors import ConnectionLost
from tickwire.exchanges.contract import AdapterContract, ConnectionPlan, Symbol
from tickwire.wire.backoff import Backoff
from tickwire.wire.context import FeedContext
from tickwire.wire.session import Session
from tickwire.wire.succession import Present, Successor, next_step

logger = logging.getLogger(__name__)

_READY_S = 60.0  # for a new connection to have everything that the one to replace has

Running = asyncio.Task[ConnectionLost]


class Gate:
    """Admits connection attempts one by one, *interval_s* apart."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._next = float("-inf")

    async def turn(self) -> None:
        """Wait for the next turn."""
        now = monotonic()
        at = max(now, self._next)
        self._next = at + self._interval_s
        await asyncio.sleep(at - now)


class Reconnector:
    """Serves *plan*. *open_adapter* makes an adapter for each new connection from the current plan."""

    def __init__(
        self,
        context: FeedContext,
        plan: ConnectionPlan,
        open_adapter: Callable[[ConnectionPlan], AdapterContract],
        gate: Gate,
    ) -> None:
        self.plan = plan
        self._context, self._open_adapter, self._gate = context, open_adapter, gate
        self._session: Session | None = None
        self._successor: Session | None = None
        self._running: set[Running] = set()  # every session that is not done, including leaving ones
        self._last_frame = monotonic()
        self._over = False  # no more events are handed out
        self._reading = asyncio.Event()
        self._reading.set()

    @property
    def last_frame(self) -> float:
        """Monotonic time of the last frame, or of the start if none came."""
        if self._session is not None and self._session.opened_at is not None:
            self._last_frame = self._session.connection.last_frame
        return self._last_frame

    def pause(self) -> None:
        """Stop reading until :meth:`resume`; no connection is opened meanwhile."""
        self._reading.clear()
        for session in self._sessions():
            session.connection.pause()

    def resume(self) -> None:
        """Read on."""
        self._reading.set()
        for session in self._sessions():
            session.connection.resume()

    def hand_out_no_more(self) -> None:
        """Only count further messages."""
        self._over = True
        for session in self._sessions():
            session.hand_out_no_more()

    def waiting_s(self) -> float:
        """How many seconds the messages passed on now have waited here."""
        return 0.0 if self._session is None else self._session.connection.waiting_s()

    def restart(self, symbol: Symbol, reason: str) -> None:
        """Restart a book; without a connection it is already invalid and starts with the next connection."""
        if self._session is not None:
            self._session.restart(symbol, reason)

    def change(self, added: Sequence[Symbol], removed: Collection[Symbol]) -> None:
        """Serve *added* symbols too, and *removed* ones no longer; connections stay."""
        gone = [symbol for symbol in self.plan.symbols if symbol in removed]
        if not gone and not added:
            return
        kept = (symbol for symbol in self.plan.symbols if symbol not in removed)
        self.plan = replace(self.plan, symbols=(*kept, *added))
        for session in self._sessions():
            session.change(self.plan, added, gone)

    async def run(self) -> NoReturn:
        """Serve until cancelled. Raises :exc:`~tickwire.errors.SubscriptionRefused`."""
        backoff = Backoff(self._context.random.random)
        while True:
            lost, lived_s = await self._serve()
            wait = backoff.delay_s(lived_s)
            self._tell(lost, wait)
            await asyncio.sleep(wait)

    async def _serve(self) -> tuple[ConnectionLost, float]:
        """Open a connection and serve until one is lost; return why, and its lifetime in seconds."""
        present, successor = await self._open(standby=False), None
        self._session, backoff = present.session, Backoff(self._context.random.random)
        try:
            while True:
                match next_step(present.state(), "none" if successor is None else successor.follows(), over=self._over):
                    case "serve":
                        await _happens(present.session.due.wait(), present.task)
                    case "open":
                        successor = await self._open(standby=True)
                        self._successor = successor.session
                        ready = successor.session.ready()
                        successor.full = await _happens(ready, present.task, successor.task, within_s=_READY_S)
                    case "hand over" if successor is not None:
                        present.session.retire()
                        present.task.cancel()
                        self._tell(ConnectionLost("planned", present.session.due_why), 0.0)
                        self._session, self._successor = successor.session, None
                        present, successor, backoff = successor, None, Backoff(self._context.random.random)
                        present.session.take_over()
                    case "drop" if successor is not None:
                        self._successor = None
                        await self._drop(successor, present.task, backoff.delay_s())
                        successor = None
                    case _:
                        opened_at = present.session.opened_at
                        return present.task.result(), 0.0 if opened_at is None else monotonic() - opened_at
        finally:
            self._last_frame = self.last_frame
            await self._end(*self._running)
            self._session = self._successor = None

    async def _drop(self, successor: "_Live", present: Running, wait_s: float) -> None:
        """Give up a successor, and wait before the next one unless the *present* connection ends first."""
        task = successor.task
        why = str(task.exception() or task.result()) if task.done() else f"not ready within {_READY_S:g} s"
        await self._end(task)
        logger.warning(
            "feed.no_successor exchange=%s wait_s=%.1f detail=%r (the present one goes on)",
            self._context.exchange.name, wait_s, why,
        )  # fmt: skip
        await asyncio.wait({present}, timeout=wait_s)

    async def _open(self, *, standby: bool) -> "_Live":
        await self._reading.wait()
        await self._gate.turn()
        session = Session(self._context, self._open_adapter(self.plan), self.plan, standby=standby)
        if not self._reading.is_set():
            session.connection.pause()
        task = asyncio.create_task(session.run())
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return _Live(session, task)

    async def _end(self, *tasks: Running) -> None:
        """Let sessions leave in order."""
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _tell(self, lost: ConnectionLost, wait_s: float) -> None:
        self._context.tally.reconnects[lost.reason].add()
        logger.warning(
            "feed.reconnect exchange=%s reason=%s wait_s=%.1f detail=%r",
            self._context.exchange.name, lost.reason, wait_s, lost.detail,
        )  # fmt: skip

    def _sessions(self) -> list[Session]:
        return [session for session in (self._session, self._successor) if session is not None]


@dataclass(slots=True)
class _Live:
    """A session that runs in *task*; *full*: it has everything that the session to replace has."""

    session: Session
    task: Running
    full: bool = False

    def state(self) -> Present:
        """Its state as the serving session."""
        if self.task.done():
            return "lost"
        return "due" if self.session.due.is_set() else "serving"

    def follows(self) -> Successor:
        """Its state as the successor, after the time it had to get ready."""
        if self.task.done():
            return "lost"
        return "ready" if self.full else "late"


async def _happens(what: Coroutine[Any, Any, Any], *unless: Running, within_s: float | None = None) -> bool:
    """Wait for *what* until one of the sessions *unless* is done; return whether it happened."""
    waiting = asyncio.create_task(what)
    try:
        await asyncio.wait({waiting, *unless}, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        return waiting.done()
    finally:
        waiting.cancel()
