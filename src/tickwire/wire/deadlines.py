"""What is due on one connection: requests, restarts of books, its end. Times are monotonic, in seconds."""

from collections.abc import Collection, Sequence
from math import inf

from msgspec import Struct

from tickwire.errors import ConnectionLost
from tickwire.exchanges.contract import Channel, Exchange, Symbol
from tickwire.wire.answers import Answers, Item
from tickwire.wire.books import BookState
from tickwire.wire.first_messages import FirstMessages
from tickwire.wire.hearing import Hearing
from tickwire.wire.subscriptions import Subscriptions

_LONGEST_TICK_S = 1.0  # between two checks


class Ping(Struct, frozen=True):
    """Send a ping."""


class AskAgain(Struct, frozen=True):
    """Request every subscription again that has no answer."""


class Replace(Struct, frozen=True):
    """Replace this connection."""

    why: str


class Restart(Struct, frozen=True):
    """Restart this symbol's book, because its sides are crossed."""

    symbol: Symbol


class Silent(Struct, frozen=True):
    """Restart this subscription: it has been silent for unusually long while others are not."""

    channel: Channel
    symbol: Symbol
    quiet_s: float
    usual_s: float


class Unheard(Struct, frozen=True):
    """Request this subscription again: it was accepted, but no message came."""

    channel: Channel
    symbol: Symbol
    quiet_s: float


class Heard(Struct, frozen=True):
    """This subscription has messages again, after *seconds* of silence."""

    channel: Channel
    symbol: Symbol
    quiet_s: float


Due = Ping | AskAgain | Replace | Restart | Silent | Unheard | Heard


class Deadlines:
    """The deadlines of a connection of *exchange* with the books *states*; *others* are its other subscriptions.

    A subscription has *first_s* for its first message; 0: no limit. Check every ``tick_s``. Before :meth:`begin` only a
    connection without any frame is overdue.
    """

    def __init__(
        self,
        exchange: Exchange,
        states: Sequence[BookState],
        others: Sequence[Hearing],
        subscriptions: Subscriptions,
        first_s: float = 0.0,
    ) -> None:
        self._limits, self._states, self._others, self._subscriptions = exchange, states, others, subscriptions
        self.answers = Answers(exchange.name, exchange.ack_timeout_s)
        self._first_messages = FirstMessages(first_s)
        self._asked_at = self._leave_at = inf
        self._keepalive_s = inf if exchange.keepalive_s is None else exchange.keepalive_s
        self._ping_s = inf if exchange.ping_interval_s is None else exchange.ping_interval_s
        asks = (self._ping_s, self._keepalive_s, exchange.ack_timeout_s)
        self.tick_s = min(_LONGEST_TICK_S, min(*asks, exchange.silence_s, exchange.subscription_silence_s) / 5)

    def begin(self, now: float, life: float) -> None:
        """Measure from *now*, when the connection was opened; it is replaced after *life* times its longest life."""
        self._asked_at = now
        if self._limits.max_connection_s is not None:
            self._leave_at = now + self._limits.max_connection_s * life

    def forgive(self, now: float) -> None:
        """Restart the time-outs of answers and silences: nothing was read until *now*."""
        self.answers.forgive()
        self._first_messages.forgive()
        for hearing in self._carried():
            hearing.wake(now)

    def look(
        self,
        now: float,
        last_frame: float,
        pending: Collection[Item],
        delay_s: float,
        *,
        serving: bool,
        unheard: Collection[Item] = (),
    ) -> list[Due]:
        """Compare everything with its deadline. Raises :exc:`~tickwire.errors.ConnectionLost`.

        *last_frame*: time of the last frame of any kind. *pending*: subscriptions without an answer; *delay_s*: until
        all queued messages have been sent. *unheard*: subscriptions with an answer but no message. Silence of data is
        checked only while this connection is *serving*.
        """
        limits, quiet_s, due = self._limits, now - last_frame, list[Due]()
        if quiet_s >= limits.silence_s:
            raise ConnectionLost("silent", f"nothing came for {quiet_s:.1f} s")
        if now >= self._leave_at:
            due.append(Replace("before the exchange ends it for its age"))
        if self.answers.overdue(pending, now, delay_s):
            due.append(AskAgain())
        asked_s = now - self._asked_at
        if asked_s >= self._keepalive_s or min(quiet_s, asked_s) >= self._ping_s:
            self._asked_at = now
            due.append(Ping())
        if serving:
            due += [Unheard(*item, quiet_s) for item, quiet_s in self._first_messages.late(unheard, pending, now)]
            silent = self._silent(now, frozenset(pending))
            begun = {one.symbol for one in silent if isinstance(one, Silent) and one.channel == "orderbook"}
            due += [*silent, *self._crossed(now, begun)]
        return due

    def _silent(self, now: float, pending: Collection[Item]) -> list[Silent | Heard]:
        """The subscriptions that are silent for unusually long, and those that are so no longer.

        Tickers and trades that wait for an answer or their first message are left out.

        If no other subscription had a message in the second half of such a silence, the connection is lost, even if it
        answers pings.
        """
        found, looks = list[Silent | Heard](), list[tuple[Hearing, float]]()
        for hearing in self._carried():
            item = hearing.channel, hearing.symbol
            if hearing.channel != "orderbook" and (item in pending or self._first_messages.waits_for(item)):
                hearing.wake(now)
            before = hearing.silent_since
            looks.append((hearing, hearing.quiet_s(now)))
            if before is not None and hearing.silent_since is None:
                found.append(Heard(hearing.channel, hearing.symbol, now - before))
        last_s = min((quiet_s for _, quiet_s in looks), default=0.0)
        late = [(hearing, quiet_s) for hearing, quiet_s in looks if quiet_s >= self._most_s(hearing)]
        for hearing, quiet_s in late:
            if last_s > quiet_s / 2:
                raise self._lost(now, last_s, hearing)
        for hearing, quiet_s in late:
            found.append(Silent(hearing.channel, hearing.symbol, quiet_s, hearing.rhythm.usual_s))
            hearing.begin_again(now)
        return found

    def _most_s(self, hearing: Hearing) -> float:
        return min(hearing.most_s, self._limits.subscription_silence_s if hearing.channel == "orderbook" else inf)

    def _lost(self, now: float, last_s: float, odd: Hearing) -> ConnectionLost:
        usual = f"usual for {odd.symbol.native} on {odd.channel}: {odd.rhythm.usual_s:.1f} s"
        for hearing in self._carried():
            hearing.give_up(now)
        return ConnectionLost("silent", f"nothing that was subscribed came for {last_s:.1f} s ({usual})")

    def _carried(self) -> list[Hearing]:
        hearings = [*(state.hearing for state in self._states), *self._others]
        return [h for h in hearings if not self._subscriptions.is_refused(h.channel, h.symbol)]

    def _crossed(self, now: float, silent: Collection[Symbol]) -> list[Restart]:
        """The books whose sides have been crossed for too long; *silent* ones are restarted anyway."""
        most_s = self._limits.crossed_s
        if most_s is None:
            return []
        return [Restart(s.symbol) for s in self._states if s.symbol not in silent and s.stays_crossed(now, most_s)]
