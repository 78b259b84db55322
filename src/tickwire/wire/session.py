"""One connection's life: subscribe, translate messages, keep alive, notice silence, unsubscribe."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

from tickwire.compiled import native
from tickwire.errors import ConnectionLost, FeedError, FrameRejected, NotWanted, SubscriptionRefused
from tickwire.events.short_way import ShortWayReceiver
from tickwire.events.types import OrderBook, Ticker, Trade
from tickwire.exchanges.contract import (
    AdapterContract,
    ConnectionPlan,
    Fetch,
    Output,
    Reconnect,
    Refused,
    Resync,
    Send,
    Subscribed,
    Symbol,
)
from tickwire.wire.clock import clock, now_us
from tickwire.wire.connection import Connection
from tickwire.wire.context import FeedContext
from tickwire.wire.deadlines import AskAgain, Deadlines, Ping, Replace, Restart, Silent, Unheard
from tickwire.wire.fetches import Fetches
from tickwire.wire.hearing import Hearing
from tickwire.wire.leaving import answers_are_in
from tickwire.wire.pacer import Pacer
from tickwire.wire.resyncs import Resyncs
from tickwire.wire.silences import tell
from tickwire.wire.standby import Standby

logger = logging.getLogger(__name__)

_PLANNED_FROM = 0.9  # of the longest life, at random from here on, so that connections are not all replaced at once
_ADDRESS_S = 15.0  # for an address that is given out over REST
_CLOSE_S = 1.0
_LOOK_S = 0.02
_DEEP_S = 20.0  # for snapshots deeper than the first ones
_KEPT_S = 5.0


class Session:
    """A connection and its adapter, both used once. Call :meth:`run` once.

    On *standby* it keeps its own books and hands out no events until :meth:`take_over`.
    """

    def __init__(
        self, context: FeedContext, adapter: AdapterContract, plan: ConnectionPlan, *, standby: bool = False
    ) -> None:
        self._context, self._adapter, self._plan = context, adapter, plan
        self._booked = plan.symbols if "orderbook" in plan.channels else ()
        self._receive = adapter.receive
        self._frames = context.tally.frames
        self._serving = not standby
        self._standby = Standby()
        message = self.message if standby else self._short_way()
        self.connection = Connection(self, context.exchange.max_frame_bytes, message, context.exchange.frames)
        write = self.connection.send if context.exchange.time_mark is None else self._write_dated
        self._pacer = Pacer(context.exchange.message_interval_s, write)
        self._fetches = Fetches(
            adapter, context.rest, context.books, context.subscriptions, context.random,
            self._take, self._failed, self._reject,
        )  # fmt: skip
        self._resyncs = Resyncs(context.books, lambda symbol: self._act(adapter.resync, symbol))
        self._handlers: dict[type[Output], Callable[[Any], None]] = {
            Ticker: context.ticker,
            OrderBook: context.books.handle,
            Trade: context.trades.handle,
            Send: self._send,
            Fetch: self._fetches.put,
            Resync: self._resyncs.put,
            Subscribed: self._carried,
            Refused: self._refused,
            Reconnect: self._replace,
        }
        if standby:
            self._handlers |= self._standby.handlers()
        self._states = context.books.of(self._booked)
        self._others: list[Hearing] = []  # of tickers and trades
        asked = context.subscriptions, context.first_message_s
        self._deadlines = Deadlines(context.exchange, self._states, self._others, *asked)
        self._fatal: SubscriptionRefused | None = None
        self._logged: set[str] = set()
        self.opened_at: float | None = None
        self.due = asyncio.Event()  # set when this connection is to be replaced
        self.due_why = ""

    async def run(self) -> ConnectionLost:
        """Serve until the connection ends; return the cause.

        Raises :exc:`~tickwire.errors.SubscriptionRefused`. Cancel it to unsubscribe and leave in order.
        """
        books, connection, lost_books = self._context.books, self.connection, self._context.books.lost
        if self._serving:
            books.opened(self._booked, self._adapter.book)
        watch = None
        try:
            await connection.open(await self._address(), self._context.exchange.headers)
            self._begin()
            watch = asyncio.create_task(self._watch())
            lost = await connection.closed()
        except ConnectionLost as e:
            return e
        except asyncio.CancelledError:
            lost_books = books.left
            await self._leave(watch)
            raise
        finally:
            self._end(watch)
            if self._serving:
                lost_books(self._booked)
            # Frees the books: the session is in reference cycles, which the collector may not look at for hours.
            self._adapter.remove(self._plan.symbols)
        if self._fatal is not None:
            raise self._fatal
        return lost

    async def _address(self) -> str:
        """Where to connect. Raises :exc:`~tickwire.errors.ConnectionLost`."""
        rest = self._context.rest
        try:
            async with asyncio.timeout(_ADDRESS_S):
                return await rest.read(self._context.address(self._plan.url))
        except (FeedError, TimeoutError) as e:
            why = str(e) or f"nothing within {_ADDRESS_S:g} s; {rest.last_trouble}"
            raise ConnectionLost("connect", f"no address: {why}") from e

    def _short_way(self) -> Callable[[bytes], None]:
        """The function that takes messages: a receiver with the short way to the producer, or this session's."""
        context, way = self._context, getattr(self._adapter, "short_way", None)
        # Without the compiled form adapters are faster: msgspec decodes a frame faster than a regular expression.
        if native is None or way is None or context.direct is None or context.failed is None:
            return self.message
        types, events = (Ticker, OrderBook, Trade), context.tally.events
        return ShortWayReceiver(
            way, context.books.numbers(), context.books.tops(), context.trades.numbers, context.direct, clock,
            context.tally.short_way, tuple(events[kind] for kind in types), types, self.message, context.failed,
        )  # fmt: skip

    # Called by the connection

    def message(self, payload: bytes) -> None:
        """Translate one message."""
        # The same as _act, written out because it runs for every message.
        self._frames.value += 1
        handlers = self._handlers
        try:
            for output in self._receive(payload, now_us()):
                handlers[type(output)](output)
        except Exception as e:  # noqa: BLE001 - as in _act
            self._failed(e)

    def rejected(self, reason: str, detail: str) -> None:
        """Count a message that was rejected before the adapter."""
        self._frames.add()
        self._reject(reason, detail)

    def _count(self, _payload: bytes) -> None:
        self._frames.value += 1

    # Called by the feed

    def hand_out_no_more(self) -> None:
        """Only count further messages."""
        self._fetches.cancel()
        self.connection.hand_to(self._count)
        self.connection.resume()

    def restart(self, symbol: Symbol, reason: str) -> None:
        """Restart a book for a reason on our side."""
        if self.opened_at is not None:
            self._act(self._adapter.restart, symbol, reason, now_us())

    def change(self, plan: ConnectionPlan, added: Sequence[Symbol], removed: Sequence[Symbol]) -> None:
        """Switch to *plan*: unsubscribe *removed* symbols, subscribe *added* ones, keep the others."""
        self._plan, self._booked = plan, plan.symbols if "orderbook" in plan.channels else ()
        self._states[:] = self._context.books.of(self._booked)
        for symbol in removed:
            self._fetches.forget(symbol)
            self._standby.forget(symbol)
        self._listen()
        if self._serving and self._booked:
            self._context.books.opened(added, self._adapter.book)
        self._act(self._adapter.remove, removed)
        self._act(self._adapter.add, added)

    async def ready(self) -> None:
        """Wait until this connection on standby has all that the serving one has; for deeper books only briefly."""
        deep_by = monotonic() + _DEEP_S
        # Polls, because frames and answers change the state.
        while not self._has_all() or (self._fetches.busy and monotonic() < deep_by):  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_S)

    def take_over(self) -> None:
        """Serve from now on, in place of a session that was just retired; missing books start as usual."""
        context, standby = self._context, self._standby
        self._serving = True
        self._handlers |= {Ticker: context.ticker, OrderBook: context.books.handle, Trade: context.trades.handle}
        self._handlers |= {Refused: self._refused, Reconnect: self._replace}
        self._listen()
        self.connection.hand_to(self._short_way())
        context.books.hand_over(self._booked, self._adapter.book, standby.books)
        for ticker in standby.tickers.values():
            # Repeated, because the other connection may not have seen it; with the present time, which never goes back.
            ticker.received_us = now_us()
            context.ticker(ticker)
        for trade in standby.take_trades():
            context.trades.handle(trade)
        self._take(list(standby.refused.values()))

    def retire(self) -> None:
        """Stop handing out events: another session serves now. Then cancel :meth:`run`."""
        self._serving = False
        self.hand_out_no_more()

    def _has_all(self) -> bool:
        adapter, standby = self._adapter, self._standby
        if self.opened_at is None or self.connection.paused or adapter.pending():
            return False
        books = [symbol for symbol in self._context.books.valid(self._booked) if symbol.native not in standby.refused]
        return all(symbol.native in standby.books and adapter.book(symbol) is not None for symbol in books)

    def _take(self, outputs: list[Output]) -> None:
        self._act(lambda: outputs)

    def _act(self, translate: Callable[..., list[Output]], *arguments: object) -> None:
        """Carry out the adapter's outputs, and survive its exceptions on hostile input."""
        handlers = self._handlers
        try:
            for output in translate(*arguments):
                handlers[type(output)](output)
        except Exception as e:  # noqa: BLE001 - the boundary to what a server sends; counted, logged, acted upon
            self._failed(e)

    def _failed(self, error: Exception) -> None:
        match error:
            case FrameRejected():
                self._reject(error.reason, error.detail)
            case NotWanted():
                pass  # of a removed symbol: the exchange may send a little longer
            case ConnectionLost():
                self.connection.give_up(error)
            case SubscriptionRefused():
                self._fatal = error
                self.connection.give_up(ConnectionLost("subscribe", str(error)))
            case _:
                # The adapter's state is in doubt; a new connection has a new adapter.
                self._context.tally.reject("malformed")
                logger.error("feed.adapter_error exchange=%s", self._context.exchange.name, exc_info=error)
                self.connection.give_up(ConnectionLost("protocol", f"{type(error).__name__}: {error}"))

    def _reject(self, reason: str, detail: str) -> None:
        self._context.tally.reject(reason)
        if reason not in self._logged:
            self._logged.add(reason)
            name = self._context.exchange.name
            logger.warning(
                "feed.rejected exchange=%s reason=%s detail=%r (the first of this connection)", name, reason, detail
            )

    # Outputs of the adapter

    def _send(self, send: Send) -> None:
        if send.urgent:
            self._pacer.send_now(send.payload)
        else:
            self._pacer.put(send.payload, send.delay_s)

    def _write_dated(self, message: bytes) -> None:
        mark = self._context.exchange.time_mark or b""
        self.connection.send(message.replace(mark, b"%d" % (now_us() // 1_000_000)))

    def _carried(self, subscribed: Subscribed) -> None:
        self._deadlines.answers.any = True
        self._context.subscriptions.carried(subscribed)

    def _refused(self, refused: Refused) -> None:
        self._context.subscriptions.refused(refused)
        if refused.channel == "orderbook":
            self._context.books.withdraw(refused.symbol)

    def _replace(self, asked: Replace | Reconnect) -> None:
        if not self.due.is_set():
            self.due_why = asked.why
            self.due.set()

    # Deadlines

    def _begin(self) -> None:
        self.opened_at = monotonic()
        self._deadlines.begin(self.opened_at, self._context.random.uniform(_PLANNED_FROM, 1.0))
        self._listen()
        self._act(self._adapter.start)

    def _listen(self) -> None:
        if self._serving:
            self._others[:] = self._context.hearings.listen(self._plan, self._adapter, monotonic())

    async def _watch(self) -> None:
        deadlines, connection, now = self._deadlines, self.connection, monotonic()
        while True:
            await asyncio.sleep(deadlines.tick_s)
            before, now = now, monotonic()
            # The process was stopped, or a callback blocked it: unread messages were not late.
            if connection.paused or now - before > deadlines.tick_s + _KEPT_S:
                deadlines.forgive(now)
            else:
                self._act(self._look, now)

    def _look(self, now: float) -> list[Output]:
        """Carry out what is due. Raises :exc:`~tickwire.errors.ConnectionLost`."""
        adapter, outputs = self._adapter, list[Output]()
        tally, books = self._context.tally, self._context.books
        so_far = now, self.connection.last_frame, adapter.pending(), self._pacer.delay_s
        for due in self._deadlines.look(*so_far, serving=self._serving, unheard=adapter.unheard()):
            tell(due, tally)
            match due:
                case Ping():
                    self._ping()
                case AskAgain():
                    outputs += adapter.retry()
                case Replace():
                    self._replace(due)
                case Restart():
                    outputs += adapter.restart(due.symbol, "crossed", now_us())
                case Silent(channel="orderbook"):
                    outputs += adapter.restart(due.symbol, "stale", now_us())
                case Silent() | Unheard():
                    outputs += adapter.renew(due.channel, due.symbol, now_us())
        books.show_silent()
        return outputs

    def _ping(self) -> None:
        text = self._adapter.ping()
        if text is not None:
            self._pacer.put(text)
        else:
            self.connection.ping()
            self._pacer.note()

    # The end

    async def _leave(self, watch: asyncio.Task[None] | None) -> None:
        """Unsubscribe, wait for the answers, close."""
        if watch is None or not self.connection.is_open:
            return
        watch.cancel()
        self._act(self._adapter.stop)
        await answers_are_in(self.connection, self._pacer)
        await self.connection.close(_CLOSE_S)

    def _end(self, watch: asyncio.Task[None] | None) -> None:
        """Cancel everything that still runs."""
        if watch is not None:
            watch.cancel()
        self._fetches.cancel()
        self._resyncs.cancel()
        self._pacer.clear()
        self.connection.abort()
