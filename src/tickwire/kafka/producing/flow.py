"""What a publisher asks of the feeds that use it."""

from collections.abc import Callable
from typing import Protocol

from tickwire.errors import TickwireError
from tickwire.events.types import OrderBook


class Flow(Protocol):
    """What the publisher calls of each feed that uses it, always on the event loop."""

    def pause(self) -> None:
        """Stop reading sockets: there is no room for more."""

    def resume(self) -> None:
        """Read sockets again."""

    def restart(self, exchange_symbol: str, reason: str) -> None:
        """Declare this book ``invalid`` and start it again.

        *reason* is ``overflow``: one of its records could not be stored; or ``moved``: partitions were added.
        """

    def replaced(self, exchange_symbol: str) -> OrderBook | None:
        """Take the ``invalid`` of an epoch of this book that another one replaced while it was valid, if there is one.

        It was not published, because readers of the next snapshot need no such word. Those who miss that one do.
        """

    def failed(self, error: TickwireError) -> None:
        """End the run with *error*: nothing can be published any more. Called once."""


class Flows:
    """The feeds that share a publisher. They pause together, and an error of the publisher ends them all."""

    def __init__(self) -> None:
        self.error: TickwireError | None = None  # why nothing can be published any more
        self._joined: dict[Flow, tuple[str, Callable[[], None]]] = {}
        self._paused = False

    def join(self, exchange: str, flow: Flow, export: Callable[[], None] = lambda: None) -> None:
        """Add *flow*, a feed of *exchange*.

        *export* updates metrics that must agree with the publisher's in every scrape.
        """
        self._joined[flow] = exchange, export
        if self._paused:
            flow.pause()
        if self.error is not None:
            flow.failed(self.error)

    def leave(self, flow: Flow) -> None:
        """Remove *flow*."""
        del self._joined[flow]

    def pause(self) -> None:
        """Ask all."""
        self._paused = True
        for flow in tuple(self._joined):
            flow.pause()

    def resume(self) -> None:
        """Ask all."""
        self._paused = False
        for flow in tuple(self._joined):
            flow.resume()

    def restart(self, exchange: str, exchange_symbol: str, reason: str) -> None:
        """Ask those of one exchange: others may have a symbol of that name."""
        for flow, (name, _) in tuple(self._joined.items()):
            if name == exchange:
                flow.restart(exchange_symbol, reason)

    def replaced(self, exchange: str, exchange_symbol: str) -> OrderBook | None:
        """Ask those of one exchange."""
        asked = (flow.replaced(exchange_symbol) for flow, (name, _) in self._joined.items() if name == exchange)
        return next((message for message in asked if message is not None), None)

    def failed(self, error: TickwireError) -> None:
        """Tell all, and those that join later."""
        self.error = self.error or error
        for flow in tuple(self._joined):
            flow.failed(error)

    def export(self) -> None:
        """Bring all their metrics up to date."""
        for _, export in self._joined.values():
            export()


class NullFlow:
    """A feed that reads nothing: it keeps what it was asked for, in order, and the errors."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.errors: list[TickwireError] = []
        self.replaced_epochs: dict[str, OrderBook] = {}  # by exchange symbol; set by whoever uses this

    def pause(self) -> None:
        """Keep the question."""
        self.asked.append("pause")

    def resume(self) -> None:
        """Keep the question."""
        self.asked.append("resume")

    def restart(self, exchange_symbol: str, reason: str) -> None:
        """Keep the question. The book starts anew with whoever serves it next."""
        self.asked.append(f"{reason} {exchange_symbol}")

    def replaced(self, exchange_symbol: str) -> OrderBook | None:
        """Take what was set."""
        return self.replaced_epochs.pop(exchange_symbol, None)

    def failed(self, error: TickwireError) -> None:
        """Keep the error."""
        self.errors.append(error)
