"""The connections of one feed: as many as the exchange's limits require for the current symbols."""

import asyncio
from collections.abc import Callable, Collection, Sequence

from tickwire.exchanges.contract import AdapterContract, Channel, ConnectionPlan, Symbol
from tickwire.wire.context import FeedContext
from tickwire.wire.flow_control import FlowControl
from tickwire.wire.reconnector import Gate, Reconnector


class Connections:
    """Reads the symbols that :meth:`change` adds, on *channels*.

    Connections open one after the other through *gate*; *flow* pauses and resumes them.
    """

    def __init__(
        self,
        context: FeedContext,
        channels: Sequence[Channel],
        open_adapter: Callable[[ConnectionPlan], AdapterContract],
        gate: Gate,
        flow: FlowControl,
    ) -> None:
        self._context, self._channels, self._open_adapter = context, channels, open_adapter
        self._gate, self._flow = gate, flow
        self._running: dict[Reconnector, asyncio.Task[None] | None] = {}
        self._tasks: asyncio.TaskGroup | None = None

    def run(self, tasks: asyncio.TaskGroup) -> None:
        """Connect; a permanent error ends *tasks*."""
        self._tasks = tasks
        for reconnector in self._running:
            self._running[reconnector] = tasks.create_task(reconnector.run())

    def change(
        self, added: Sequence[Symbol], removed: Collection[Symbol] = (), *, listed: Collection[Symbol] = ()
    ) -> None:
        """Read *added* symbols and give up *removed* ones; connections and books of the others stay as they are.

        New symbols go to connections with room, then to new ones. Connections without symbols are closed. *listed*: the
        symbols that are in the exchange's listing.
        """
        more = (len(added) - len(removed)) * len(self._channels)
        self._context.subscriptions.change(more, listed=listed, removed=removed)
        self._context.books.add(added if "orderbook" in self._channels else ())
        gone = frozenset(removed)
        for reconnector in self._running:
            reconnector.change((), gone)
        for plan in self._context.exchange.plans(added, self._channels):
            left = plan.symbols
            for reconnector in self._running:
                room = self._context.exchange.symbols_per_connection - len(reconnector.plan.symbols)
                if reconnector.plan.url == plan.url:
                    reconnector.change(left[:room], ())
                    left = left[room:]
            if left:
                self._open(ConnectionPlan(plan.url, left, plan.channels))
        for reconnector in [one for one in self._running if not one.plan.symbols]:
            self._close(reconnector)
        self._context.books.remove(removed)
        self._context.trades.forget(removed)
        self._context.hearings.forget(removed)

    def _open(self, plan: ConnectionPlan) -> None:
        reconnector = Reconnector(self._context, plan, self._open_adapter, self._gate)
        self._flow.add(reconnector)
        self._running[reconnector] = None if self._tasks is None else self._tasks.create_task(reconnector.run())

    def _close(self, reconnector: Reconnector) -> None:
        self._flow.remove(reconnector)
        task = self._running.pop(reconnector)
        if task is not None:
            task.cancel()
