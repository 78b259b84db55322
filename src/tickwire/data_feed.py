"""An exchange's market data, handed to callbacks and, with KAFKA_ENABLED=true, to Kafka."""

import asyncio
import logging
import random
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from msgspec.structs import replace

from tickwire import exchanges
from tickwire.config.feed_config import FeedConfig
from tickwire.config.kafka_config import KafkaConfig
from tickwire.config.share import WHOLE, Share
from tickwire.errors import TickwireError, UnknownSymbol
from tickwire.exchanges import ExchangeModule
from tickwire.exchanges.symbols import Listing
from tickwire.publishing import Publishing, make_publisher
from tickwire.signals import Stop, run_alone
from tickwire.wire.adapters import address_of, book_depth, open_adapter
from tickwire.wire.arguments import at_addresses, check_channels, feed_config, kafka_config
from tickwire.wire.background import Background
from tickwire.wire.book_now import BookNow
from tickwire.wire.books import Books, EpochsOf
from tickwire.wire.callbacks import Callback, Callbacks, check_callback
from tickwire.wire.connections import Connections
from tickwire.wire.context import FeedContext
from tickwire.wire.flow_control import FlowControl
from tickwire.wire.hearing import Hearings
from tickwire.wire.quiet import Quiet
from tickwire.wire.reconnector import Gate
from tickwire.wire.rest import Rest
from tickwire.wire.roster import Change, Roster
from tickwire.wire.subscriptions import Subscriptions
from tickwire.wire.tally import Tally
from tickwire.wire.trades import Trades

if TYPE_CHECKING:
    from tickwire.publishing import AnyPublisher

logger = logging.getLogger(__name__)

_CALLBACKS_S = 5.0  # at the end, for callbacks to take the last events and for async ones to work off their queues
_END_S = 15.0  # for closing sockets and for callbacks when a feed is stopped, with room to spare
_KEYFRAME_LOOK_S = _LOOK_S = 1.0
_HELD_LOOK_S = _EXPORT_S = 0.1


class WebSocketDataFeed:
    """Reads *symbols* of one *exchange* on *channels* until :meth:`stop`; reconnects for ever.

    An argument that is not given is taken from *feed*, or else from the ``FEED_*`` settings; *kafka* likewise defaults
    to the ``KAFKA_*`` settings. :attr:`callbacks` are called with every event, in order. With Kafka enabled and
    confluent-kafka installed the first callback publishes to Kafka, which may be unreachable at the start if
    *offline_start* is set. A *publisher* argument takes the events instead: a
    :class:`~tickwire.kafka.producing.memory.MemoryPublisher` keeps the records in a list. Several feeds may share one
    that is :func:`~tickwire.kafka.producing.opening.opened` before and closed after them. A feed can :meth:`run` once.

    Raises :exc:`~tickwire.errors.UnknownExchange`, :exc:`~tickwire.errors.UnknownChannel`,
    :exc:`~tickwire.errors.SettingsError`, and :exc:`TypeError` for *publisher* together with *kafka*: a publisher has
    its own settings.
    """

    def __init__(
        self,
        exchange: str | None = None,
        symbols: Sequence[str] | None = None,
        channels: Sequence[str] | None = None,
        *,
        feed: FeedConfig | None = None,
        kafka: KafkaConfig | None = None,
        publisher: "AnyPublisher | None" = None,
        offline_start: bool = False,
        _share: Share = WHOLE,  # of the symbols and limits, when several processes share them
        _on_found: Callable[[], Awaitable[object]] | None = None,  # awaited once the symbols are resolved
        _epochs: EpochsOf | None = None,  # of order books, for a member of a group of collectors
    ) -> None:
        self.config = feed_config(exchange, symbols, channels, feed)
        self._named_by = "the argument symbols" if symbols is not None else None
        self._module: ExchangeModule = exchanges.load(self.config.exchange)
        self._channels = check_channels(self._module, self.config.channels)
        self._share, self._on_found, self._epochs = _share, _on_found, _epochs
        self._flow = FlowControl(self._module.EXCHANGE.name)
        self.callbacks: list[Callback] = []
        self._tally = Tally(self._module.EXCHANGE.name)
        if publisher is None:
            publisher = make_publisher(
                _share.kafka(kafka_config(kafka)), self._module.EXCHANGE.name, offline_start=offline_start
            )
        elif kafka is not None:
            raise TypeError("the argument publisher has settings of its own: leave out kafka")
        self._publishing = Publishing(publisher, self._module.EXCHANGE.name, self._channels)
        if self._publishing.callback is not None:
            self.callbacks.append(self._publishing.callback)
        self._random = random.Random()  # noqa: S311 - spreads load, protects nothing
        self._dispatch: Callbacks | None = None
        self._finished = asyncio.Event()
        self._started = False
        self._background: Background | None = None
        self._books: Books | None = None
        self._booked = Listing(())
        self._roster: Roster | None = None
        self._connections: Connections | None = None
        self._reading, self._changing = asyncio.Event(), asyncio.Lock()

    def add_callback(self, callback: Callback) -> None:
        """Call *callback* with every event from now on, in order.

        A plain function runs on the event loop, so it must take microseconds: no socket is read while it works. One
        that is slower than the stream is named in the log (``feed.callback_slow``). Slow work belongs in an async
        function, which has a queue of its own; sockets are not read while 10,000 events wait in it. After :meth:`stop`
        callbacks have 5 s for the events that wait and for the last ``invalid`` of every book.

        Raises :exc:`TypeError` if *callback* cannot be called with one argument.
        """
        check_callback(callback)
        self.callbacks.append(callback)
        if self._dispatch is not None:
            self._dispatch_to(callback)

    async def run(self) -> None:
        """Read until :meth:`stop`.

        Raises :exc:`~tickwire.errors.UnknownSymbol`, :exc:`~tickwire.errors.SubscriptionRefused` and
        :exc:`~tickwire.errors.KafkaFailed`; an exchange that cannot be reached is tried again for ever.
        """
        if self._started:
            raise RuntimeError("this feed has run already: make a new one")
        self._started = True
        self._tally.running.inc()
        try:
            async with AsyncExitStack() as stack:
                await self._unless_stopped(self._serve(stack))
        finally:
            self._dispatch = None
            self._tally.running.dec()
            self._finished.set()
            self._reading.set()  # for whoever waits for it
        if self._flow.error is not None:
            raise self._flow.error

    async def stop(self) -> None:
        """Unsubscribe, close the sockets, hand out ``invalid`` for every book, flush; return when all is done.

        What the exchange sends after this call is discarded. Called from a callback, this returns at once, because
        stopping waits for that callback.
        """
        self._flow.stop()
        if self._started and not (self._dispatch is not None and self._dispatch.runs_here()):
            await self._finished.wait()

    async def __aenter__(self) -> Self:
        """Run in the background; a feed that fails cancels the body, as a failing task of a TaskGroup does."""
        self._background = Background(self.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Stop; raise what the run failed with, unless something else is being raised already."""
        self._flow.stop()
        await cast("Background", self._background).leave(error)

    async def run_until_signal(self, stop: Stop | None = None) -> int:
        """Do as :meth:`run` until SIGINT or SIGTERM comes, or :meth:`stop` is called; return an exit code.

        The exit code is 1 if records were lost, by the rule of ``tickwire produce``, else 0. A second signal ends the
        process at once. The previous signal handlers are restored afterwards. Call it in the main thread only. *stop*
        is a :class:`~tickwire.signals.Stop` that listens already.
        """
        if stop is None:
            with Stop() as ours:
                return await self.run_until_signal(ours)
        async with self:
            waits = {asyncio.create_task(stop.arrives()), asyncio.create_task(self._finished.wait())}
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
        return 1 if self._publishing.lost() else 0

    def main(self) -> int:
        """Do as :meth:`run_until_signal` in an event loop of its own (uvloop), and return the exit code.

        ``sys.exit(feed.main())`` is a whole program. If callbacks block, the process ends at the latest 15 s plus
        ``KAFKA_SHUTDOWN_SECONDS`` after the first signal, and says what it was doing.

        Raises as :meth:`run`, and :exc:`RuntimeError` outside the main thread or where an event loop runs.
        """
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("feed.main() listens to signals, so only the main thread can call it: use feed.run()")
        with Stop(limit_s=_END_S + self._publishing.shutdown_s) as stop:
            return run_alone(self.run_until_signal(stop))

    def book(self, symbol: str, depth: int | None = None) -> BookNow | None:
        """A copy of the order book of *symbol* as it stands now: the best *depth* levels a side, or all.

        *symbol* may be spelled as for the constructor. The copy may be newer than the last published event: within a
        plain callback by the rest of the same exchange message, within an async one by more, and with
        ``FEED_ORDERBOOK_INTERVAL_MS`` by up to an interval. A callback added in the same turn of the loop starts at it.

        None until the names of symbols are known, shortly after the start. Raises :exc:`KeyError` for a symbol whose
        book this feed does not read.
        """
        if self._books is None:
            return None
        try:
            native = self._booked.resolve(symbol, self.config.exchange).native
        except UnknownSymbol:
            known = ", ".join(one.canonical for one in self._booked.symbols) or "none"
            raise KeyError(f"{symbol!r}: this feed reads the order books of {known}") from None
        return self._books.look(native, depth)

    def accounting(self) -> dict[str, Any]:
        """What this feed took in and handed out, and what became of its records in Kafka (all 0 without Kafka).

        ``books`` says for each symbol whether its book is valid, since when, how often it broke, and the reason and
        duration of the last break. ``recovered`` counts the records that an earlier run left on disk; a shared
        publisher counts them for all feeds.
        """
        tally = self._tally
        return {
            "frames_received": tally.received,
            "frames_rejected": {reason: count.value for reason, count in tally.rejected.items()},
            "events": {kind: count.value for kind, count in tally.by_type.items()},
            "callback_errors": tally.callback_errors.value,
            "books": self._books.troubles.account() if self._books is not None else {},
            **self._publishing.accounting(),
        }

    def _dispatch_to(self, callback: Callback) -> None:
        """Call *callback* from now on. Only callbacks of the user need events with decoded levels; ours does not."""
        cast("Callbacks", self._dispatch).add(callback, text=callback == self._publishing.callback)
        self._publishing.alone(self.callbacks)

    async def _unless_stopped(self, work: Coroutine[Any, Any, None]) -> None:
        """Do *work* until it fails or :meth:`stop` is called."""
        working, stopping = asyncio.create_task(work), asyncio.create_task(self._flow.stopping.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            self._flow.stop()
            if self._dispatch is not None:
                self._dispatch.end_within(_CALLBACKS_S)
            working.cancel()
            await asyncio.wait({working, stopping})
        if working.cancelled():
            return
        try:
            working.result()
        except* TickwireError as group:
            self._flow.failed(cast("TickwireError", group.exceptions[0]))

    async def _serve(self, stack: AsyncExitStack) -> None:
        """Open everything, in the order in which *stack* closes it backwards, and read."""
        exchange = at_addresses(self._module.EXCHANGE, self.config)
        limits = (replace(limit, weight=max(1, limit.weight // self._share.of)) for limit in exchange.rest_limits)
        rest = await stack.enter_async_context(Rest(exchange.rest_url, limits, self._random.random))
        roster = self._roster = Roster(self._module, rest, self._share)
        await self._find_symbols(roster)
        if self._on_found is not None:
            await self._on_found()
        await self._publishing.open(stack, self._flow, self._tally.export)
        dispatch = self._dispatch = Callbacks(self._tally, self._flow)
        stack.push_async_callback(dispatch.close, _CALLBACKS_S)
        for callback in self.callbacks:
            self._dispatch_to(callback)
        books = self._make_books(dispatch)
        stack.callback(books.close)
        self._quiet = Quiet(dispatch.emit)
        emit = dispatch.emit if self._epochs is None else self._quiet
        trades = Trades(exchange, emit, self._tally)
        context = FeedContext(
            exchange=exchange,
            address=partial(address_of, self._module, self.config),
            rest=rest,
            books=books,
            ticker=emit,
            trades=trades,
            hearings=Hearings(trades),
            # In a group a refusal of all symbols is not final: other symbols may be assigned later.
            subscriptions=Subscriptions(exchange.name, int(self._epochs is not None), listed=()),
            tally=self._tally,
            random=self._random,
            first_message_s=self.config.first_message_seconds,
            direct=self._publishing.direct,
            failed=partial(dispatch.failed, self._publishing.callback),  # for errors on the short way
        )
        gate = Gate(exchange.connect_interval_s * self._share.of)
        self._connections = Connections(
            context, self._channels, partial(open_adapter, self._module, self.config), gate, self._flow
        )
        self._carry_out(Change(roster.share(roster.symbols), []))
        stack.callback(self._tally.show_age(self._flow.last_frame_age))
        stack.callback(self._tally.export)
        await self._read(books)

    async def _find_symbols(self, roster: Roster) -> None:
        """Resolve the symbols of this share, and tell the publisher which they are."""
        try:
            symbols, _ = await roster.want(self.config.symbols)
        except UnknownSymbol as e:
            e.named_by = self._named_by or e.named_by
            raise
        self._publishing.serve(symbols, roster.symbols, names=self._share.index == 0)

    async def change_symbols(self, symbols: Sequence[str]) -> None:
        """Read *symbols* (names and patterns) instead; those that stay keep their connection and their book.

        Symbols that go are unsubscribed and their books declared ``invalid``. Waits until the feed has started to read.

        Raises :exc:`~tickwire.errors.UnknownSymbol`; then nothing has changed.
        """
        await self._reading.wait()
        async with self._changing:
            if self._flow.stopping.is_set():
                return
            await self._change(await cast("Roster", self._roster).want(symbols))
            self.config = self.config.model_copy(update={"symbols": tuple(symbols)})

    def change_share(self, share: Share) -> Change:
        """Read another share of the symbols from now on; return which symbols were added and removed.

        For members of a group. Symbols that go are unsubscribed, their books are ``invalid``. No listing is fetched.
        """
        self._share = share
        if self._roster is None or self._flow.stopping.is_set():
            return Change([], [])
        change = self._roster.move(share)
        if self._connections is not None:
            self._carry_out(change)
        return change

    def repeat_books(self, first_s: float, last_s: float) -> None:
        """Write every valid book once more, each at some time *first_s* to *last_s* seconds from now."""
        if self._books is not None:
            self._books.repeat_within(first_s, last_s)

    async def _watch_listing(self) -> None:
        while True:
            await asyncio.sleep(self.config.listing_seconds)
            async with self._changing:
                await self._change(await cast("Roster", self._roster).look())

    async def _change(self, change: Change) -> None:
        asked = self._epochs is None and (change.added or change.removed)  # members of a group reserve no symbols
        refused = await self._publishing.change(*change) if asked else {}
        if not self._flow.stopping.is_set():
            self._carry_out(cast("Roster", self._roster).accept(change, refused))

    def _carry_out(self, change: Change) -> None:
        roster, connections = cast("Roster", self._roster), cast("Connections", self._connections)
        connections.change(change.added, change.removed, listed=roster.listed)
        warm = roster.warm()
        cast("Books", self._books).keep_warm(warm)
        self._quiet.keep(warm)
        self._booked = Listing(roster.share(roster.symbols) if "orderbook" in self._channels else ())

    def _make_books(self, dispatch: Callbacks) -> Books:
        depth, epochs = book_depth(self._module, self.config), self._epochs or self._publishing.epochs
        self._books = Books(self.config, depth, dispatch.emit, self._tally, self._random, epochs)
        self._flow.replaced_of = self._books.replaced
        return self._books

    async def _read(self, books: Books) -> None:
        """Keep everything going until this is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            if not self._publishing:  # else the publisher exports
                tasks.create_task(self._export())
            cast("Connections", self._connections).run(tasks)
            self._reading.set()
            if self.config.listing_seconds:
                tasks.create_task(self._watch_listing())
            tasks.create_task(self._flow.every(_LOOK_S, books.troubles.look))
            if self._epochs is not None:
                tasks.create_task(self._flow.every(_HELD_LOOK_S, lambda _: books.begin_held()))
            if books.keyframe_s or self._epochs is not None:
                look_s = min(_KEYFRAME_LOOK_S, books.keyframe_s / 10 or _KEYFRAME_LOOK_S)
                tasks.create_task(self._flow.every(look_s, books.write_keyframes))
            if books.interval_s:
                tasks.create_task(self._flow.every(books.interval_s, lambda _: books.write_changed()))
            await asyncio.Event().wait()  # without symbols there is no other task

    async def _export(self) -> None:
        while True:
            self._tally.export()
            await asyncio.sleep(_EXPORT_S)
