"""What a publisher asks of the feed that calls it, and what stands there where no feed is."""

from typing import Protocol

from tickwire.errors import TickwireError


class Flow(Protocol):
    """What the publisher asks of the feed that calls it, always on the event loop."""

    def pause(self) -> None:
        """Stop reading sockets: there is no room for more."""

    def resume(self) -> None:
        """Read again."""

    def restart(self, exchange_symbol: str, reason: str) -> None:
        """Declare this book invalid and start it again.

        *reason* is ``overflow``: one of its records could not be stored; or ``moved``: partitions were added.
        """

    def failed(self, error: TickwireError) -> None:
        """End the run with *error*: nothing can be published any more. Called once."""


class NullFlow:
    """A feed that reads nothing: it keeps what it was asked for, in order, and the errors."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.errors: list[TickwireError] = []

    def pause(self) -> None:
        """Keep the question."""
        self.asked.append("pause")

    def resume(self) -> None:
        """Keep the question."""
        self.asked.append("resume")

    def restart(self, exchange_symbol: str, reason: str) -> None:
        """Keep the question. The book starts anew with whoever serves it next."""
        self.asked.append(f"{reason} {exchange_symbol}")

    def failed(self, error: TickwireError) -> None:
        """Keep the error."""
        self.errors.append(error)
