"""What is due on one connection: questions, restarts of books, its end. Times are one clock's, in seconds."""

from collections.abc import Collection, Sequence

from msgspec import Struct

from tickwire.errors import ConnectionLost
from tickwire.exchanges.contract import Exchange, Symbol
from tickwire.wire.answers import Answers, Item
from tickwire.wire.books import BookState
from tickwire.wire.subscriptions import Subscriptions

_LONGEST_TICK_S = 1.0  # between two looks


class Ping(Struct, frozen=True):
    """Ask the server for a sign of life."""


class AskAgain(Struct, frozen=True):
    """Ask once more for every subscription that has no answer."""


class Replace(Struct, frozen=True):
    """Open another connection instead of this one."""

    why: str


class Restart(Struct, frozen=True):
    """Start this symbol's book again."""

    symbol: Symbol
    reason: str


Due = Ping | AskAgain | Replace | Restart


class Deadlines:
    """The deadlines of a connection of *exchange* that carries the books *states*.

    It is looked at every ``tick_s``. Before :meth:`begin` nothing is due but the end of a connection that says nothing.
    """

    def __init__(self, exchange: Exchange, states: Sequence[BookState], subscriptions: Subscriptions) -> None:
        self._limits, self._states, self._subscriptions = exchange, states, subscriptions
        self.answers = Answers(exchange.name, exchange.ack_timeout_s)
        self._asked_at = self._leave_at = float("inf")
        self._keepalive_s = float("inf") if exchange.keepalive_s is None else exchange.keepalive_s
        asks = (exchange.ping_interval_s, self._keepalive_s, exchange.ack_timeout_s)
        self.tick_s = min(_LONGEST_TICK_S, min(*asks, exchange.silence_s, exchange.subscription_silence_s) / 5)

    def begin(self, now: float, life: float) -> None:
        """Measure from *now*, when the connection was opened; it may live for *life* times the longest life."""
        self._asked_at = now
        if self._limits.max_connection_s is not None:
            self._leave_at = now + self._limits.max_connection_s * life

    def forgive(self, now: float) -> None:
        """Start to measure answers and books again: what was not read until *now* was not late."""
        self.answers.forgive()
        for state in self._states:
            state.wake(now)

    def look(
        self, now: float, last_frame: float, pending: Collection[Item], delay_s: float, *, serving: bool
    ) -> list[Due]:
        """Compare everything with its deadline. Raises :exc:`~tickwire.errors.ConnectionLost`.

        *last_frame*: when a frame of any kind came last. *pending*: the subscriptions without an answer; *delay_s*:
        until all that is to be sent has been sent. The books are looked at where this connection is *serving* them.
        """
        limits, quiet_s, due = self._limits, now - last_frame, list[Due]()
        if quiet_s >= limits.silence_s:
            raise ConnectionLost("silent", f"nothing came for {quiet_s:.1f} s")
        if now >= self._leave_at:
            due.append(Replace("before the exchange ends it for its age"))
        if self.answers.overdue(pending, now, delay_s):
            due.append(AskAgain())
        asked_s = now - self._asked_at
        if asked_s >= self._keepalive_s or min(quiet_s, asked_s) >= limits.ping_interval_s:
            self._asked_at = now
            due.append(Ping())
        if serving:
            due += self._restarts(now)
        return due

    def _restarts(self, now: float) -> list[Restart]:
        """Name the books that are silent, and those whose sides have been crossed for too long to be true.

        Pings may be answered although no data comes: where all books are silent, the connection is lost.
        """
        most_s, crossed_s = self._limits.subscription_silence_s, self._limits.crossed_s
        carried = [s for s in self._states if not self._subscriptions.is_refused("orderbook", s.symbol)]
        stale = [state for state in carried if state.quiet_s(now) >= most_s]
        if stale and len(stale) == len(carried):
            raise ConnectionLost("silent", f"no book changed for {most_s:g} s")
        for state in stale:
            state.wake(now)
        crossed: list[BookState] = []
        if crossed_s is not None:
            crossed = [s for s in self._states if s not in stale and s.stays_crossed(now, crossed_s)]
        return [Restart(s.symbol, "stale") for s in stale] + [Restart(s.symbol, "crossed") for s in crossed]
