"""An exchange's market data, handed to callbacks and, with KAFKA_ENABLED=true, to Kafka."""

import asyncio
import importlib.util
import logging
import random
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from tickwire import exchanges, metrics
from tickwire.config.addresses import is_loopback, replace_origin
from tickwire.config.feed_config import FeedConfig
from tickwire.config.kafka_config import KafkaConfig
from tickwire.config.loading import load_feed, load_kafka
from tickwire.config.share import WHOLE, Share
from tickwire.errors import TickwireError, UnknownChannel
from tickwire.exchanges import ExchangeModule
from tickwire.exchanges.contract import AdapterContract, Channel, Symbol
from tickwire.wire.books import Books
from tickwire.wire.callbacks import Callback, Callbacks, check_callback
from tickwire.wire.flow import Flow
from tickwire.wire.line import Gate, Line
from tickwire.wire.naming import resolve
from tickwire.wire.rest import Rest
from tickwire.wire.session import Surroundings
from tickwire.wire.subscriptions import Subscriptions
from tickwire.wire.tally import Tally

if TYPE_CHECKING:
    from tickwire.kafka.publisher import Publisher

logger = logging.getLogger(__name__)

_CALLBACKS_S = 5.0  # for callbacks to take the last events, and for async ones to finish what waits for them
_KEYFRAME_LOOK_S = 1.0
_EXPORT_S = 0.1
_STAGES = ("acknowledged", "conflated", "dropped", "failed", "spilled", "in_flight")  # where a record of Kafka may be


class WebSocketDataFeed:
    """Reads *symbols* of one *exchange* on *channels* until :meth:`stop`; reconnects for ever.

    What is not given comes from *feed*, or from the ``FEED_*`` settings where that is not given either; *kafka* in the
    same way from ``KAFKA_*``. :attr:`callbacks` are called with every event, in order. With Kafka enabled and
    confluent-kafka installed the first one publishes to Kafka, which with *offline_start* may be unreachable at first.
    An object serves one :meth:`run`.

    Raises :exc:`~tickwire.errors.UnknownExchange`, :exc:`~tickwire.errors.UnknownChannel` and
    :exc:`~tickwire.errors.SettingsError`.
    """

    def __init__(
        self,
        exchange: str | None = None,
        symbols: Sequence[str] | None = None,
        channels: Sequence[str] | None = None,
        *,
        feed: FeedConfig | None = None,
        kafka: KafkaConfig | None = None,
        offline_start: bool = False,
        _share: Share = WHOLE,  # of symbols and budgets, where several processes do the work
    ) -> None:
        given = {"exchange": exchange, "symbols": symbols, "channels": channels}
        given = {name: value for name, value in given.items() if value is not None}
        self.config = load_feed(given) if feed is None else FeedConfig(**(feed.model_dump() | given))
        self._module: ExchangeModule = exchanges.load(self.config.exchange)
        self._channels = _check_channels(self._module, self.config.channels)
        self._share = _share
        self._flow = Flow(self._module.EXCHANGE.name)
        self.callbacks: list[Callback] = []
        self._shutdown_s = 0.0  # for Kafka to take what is left at the end
        self._tally = Tally()
        self._publisher = self._make_publisher(load_kafka() if kafka is None else kafka, offline_start=offline_start)
        self._random = random.Random()  # noqa: S311 - spreads load, protects nothing
        self._dispatch: Callbacks | None = None
        self._finished = asyncio.Event()
        self._started = False
        self._background: asyncio.Task[None] | None = None

    def add_callback(self, callback: Callback) -> None:
        """Call *callback* with every event from now on, in order.

        A plain function runs on the event loop, so it must take microseconds: while it works no socket is read. One
        that the stream has to wait for is named in the log (``feed.callback_slow``). Slow work belongs in an async
        function, which has a queue of its own; the sockets wait while 10,000 events are in it. After :meth:`stop`
        all callbacks have 5 s for what they were given and for the last ``invalid`` of every book.

        Raises :exc:`TypeError` for what cannot be called with an event.
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
        try:
            async with AsyncExitStack() as stack:
                await self._unless_stopped(self._serve(stack))
        finally:
            self._dispatch = None
            self._finished.set()
        if self._flow.error is not None:
            raise self._flow.error

    async def stop(self) -> None:
        """Unsubscribe, close the sockets, hand out ``invalid`` for every book, flush; return when all is done.

        What the exchange says after this call is handed out to nobody. A callback that calls this gets control back at
        once, because the end waits for it.
        """
        self._flow.stop()
        if self._started and not (self._dispatch is not None and self._dispatch.runs_here()):
            await self._finished.wait()

    async def __aenter__(self) -> Self:
        """Run in the background."""
        self._background = asyncio.create_task(self.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Stop; raise what ended the run in the meantime, unless something else is being raised already."""
        self._flow.stop()
        task = cast("asyncio.Task[None]", self._background)
        await asyncio.wait({task})
        if error is None:
            await task
        elif not task.cancelled() and (failure := task.exception()) is not None:
            logger.error("feed.failed error=%r", str(failure))

    def accounting(self) -> dict[str, Any]:
        """What this feed took in and handed out, and what became of its records in Kafka (all 0 without Kafka).

        ``recovered`` is about records that an earlier run left on disk.
        """
        tally = self._tally
        topics = self._publisher.accounting() if self._publisher is not None else {}
        return {
            "frames_received": tally.frames.value,
            "frames_rejected": {reason: count.value for reason, count in tally.rejected.items()},
            "events": {kind: count.value for kind, count in tally.by_type.items()},
            "callback_errors": tally.callback_errors.value,
            **{stage: sum(getattr(account, stage) for account in topics.values()) for stage in _STAGES},
            "topics": {topic: asdict(account) for topic, account in topics.items()},
            "recovered": asdict(self._publisher.recovered()) if self._publisher is not None else {},
            "spill_folder": str(self._publisher.folder) if self._publisher is not None else None,
        }

    def _dispatch_to(self, callback: Callback) -> None:
        """Begin to call it. Ours copies levels as they are, and alone needs no events; others want to look at them."""
        dispatch, publisher = cast("Callbacks", self._dispatch), self._publisher
        dispatch.add(callback, text=publisher is not None and callback == publisher.publish)
        if publisher is not None and publisher.outlet is not None:
            publisher.outlet.alone = self.callbacks == [publisher.publish]

    def _publishing_failed(self, error: Exception) -> None:
        """Count what the publisher raised on the short way as it is counted on the long one."""
        if self._dispatch is not None and self._publisher is not None:
            self._dispatch.failed(self._publisher.publish, error)

    def _make_publisher(self, kafka: KafkaConfig, *, offline_start: bool) -> "Publisher | None":
        if not kafka.enabled:
            return None
        if importlib.util.find_spec("confluent_kafka") is None:
            logger.warning("feed.no_kafka (KAFKA_ENABLED is true, but confluent-kafka is not installed)")
            return None
        from tickwire.kafka.publisher import Publisher  # noqa: PLC0415 - its library may be missing

        publisher = Publisher(
            self._share.kafka(kafka),
            self._flow,
            source=self._share.source(self._module.EXCHANGE.name),
            offline_start=offline_start,
            export=self._tally.export,
        )
        self._shutdown_s = kafka.shutdown_seconds
        self.callbacks.append(publisher.publish)
        for channel, topic in (("ticker", kafka.ticker_topic), ("orderbook", kafka.orderbook_topic)):
            if channel in self._channels:  # binding the labels makes the zero visible
                metrics.MESSAGES_PUBLISHED.labels(topic, channel, self._module.EXCHANGE.name)
        return publisher

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
        exchange, config = self._module.EXCHANGE, self.config
        ws_url, rest_url = self._addresses()
        share, weight = self._share, exchange.rest_weight_per_minute
        rest = await stack.enter_async_context(Rest(rest_url, weight and weight // share.of, self._random.random))
        symbols = share.take(await resolve(self._module, rest, config.symbols))
        if self._publisher is not None:
            await asyncio.to_thread(self._publisher.open)
            self._publisher.start(asyncio.get_running_loop())
            stack.push_async_callback(self._publisher.close, self._shutdown_s)
        dispatch = self._dispatch = Callbacks(self._tally, self._flow)
        stack.push_async_callback(dispatch.close, _CALLBACKS_S)
        for callback in self.callbacks:
            self._dispatch_to(callback)
        booked = symbols if "orderbook" in self._channels else []
        depth = exchange.offered(config.orderbook_depth)
        if booked and depth != config.orderbook_depth:
            logger.warning(
                "feed.depth exchange=%s asked=%d taken=%d (the exchange offers no other that is nearer)",
                exchange.name, config.orderbook_depth, depth,
            )  # fmt: skip
        books = Books(booked, config, min(config.orderbook_depth, depth), dispatch.emit, self._tally, self._random)
        stack.callback(books.close)
        around = Surroundings(
            exchange=exchange,
            ws_url=ws_url,
            rest=rest,
            books=books,
            ticker=dispatch.emit,
            subscriptions=Subscriptions(exchange.name, len(symbols) * len(self._channels)),
            tally=self._tally,
            random=self._random,
            outlet=self._publisher.outlet if self._publisher is not None else None,
            failed=self._publishing_failed,
        )
        lines = self._make_lines(around, symbols)
        stack.callback(metrics.LAST_FRAME_AGE.set_function, float)
        metrics.LAST_FRAME_AGE.set_function(self._flow.last_frame_age)
        stack.callback(self._tally.export)
        async with asyncio.TaskGroup() as tasks:
            if self._publisher is None:  # which does it otherwise
                tasks.create_task(self._export())
            for line in lines:
                tasks.create_task(line.run())
            if books.keyframe_s:
                tasks.create_task(self._every(min(_KEYFRAME_LOOK_S, books.keyframe_s / 10), books.write_keyframes))
            if books.interval_s:
                tasks.create_task(self._every(books.interval_s, lambda _: books.write_changed()))
            await asyncio.Event().wait()  # a share may have no symbol

    def _make_lines(self, around: Surroundings, symbols: Sequence[Symbol]) -> list[Line]:
        exchange = self._module.EXCHANGE
        gate = Gate(exchange.connect_interval_s * self._share.of)
        size = exchange.symbols_per_connection
        parts = [symbols[i : i + size] for i in range(0, len(symbols), size)]
        lines = [Line(around, part, self._adapter_maker(part), gate) for part in parts]
        for line in lines:
            self._flow.add(line)
        return lines

    def _adapter_maker(self, symbols: Sequence[Symbol]) -> Callable[[], AdapterContract]:
        depth = self._module.EXCHANGE.offered(self.config.orderbook_depth)
        return lambda: self._module.Adapter(symbols, self._channels, depth)

    async def _every(self, seconds: float, work: Callable[[float], None]) -> None:
        """Do *work* again and again, but add nothing while what is there is not taken."""
        while True:
            await asyncio.sleep(seconds)
            if not self._flow.held:
                work(monotonic())

    async def _export(self) -> None:
        while True:
            self._tally.export()
            await asyncio.sleep(_EXPORT_S)

    def _addresses(self) -> tuple[str, str]:
        exchange, config = self._module.EXCHANGE, self.config
        ws, rest = config.ws_url(exchange.name), config.rest_url(exchange.name)
        ws_url = exchange.ws_url if ws is None else replace_origin(exchange.ws_url, ws)
        rest_url = exchange.rest_url if rest is None else replace_origin(exchange.rest_url, rest)
        plain = [url for url in (ws_url, rest_url) if url.startswith(("ws:", "http:")) and not is_loopback(url)]
        if plain:
            logger.warning("feed.not_encrypted urls=%s (anyone on the way can read and change the data)", plain)
        return ws_url, rest_url


def _check_channels(module: ExchangeModule, names: Sequence[str]) -> tuple[Channel, ...]:
    offered = module.EXCHANGE.channels
    for name in names:
        if name not in offered:
            raise UnknownChannel(name, module.EXCHANGE.name, offered)
    return cast("tuple[Channel, ...]", tuple(names))
