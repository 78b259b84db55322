"""What all connections of a feed have in common."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from tickwire.events.types import Ticker
from tickwire.exchanges.contract import Exchange, Reading
from tickwire.wire.books import Books
from tickwire.wire.hearing import Hearings
from tickwire.wire.rest import Rest
from tickwire.wire.subscriptions import Subscriptions
from tickwire.wire.tally import Tally
from tickwire.wire.trades import Trades


@dataclass(frozen=True, slots=True)
class FeedContext:
    """What all connections of a feed have in common."""

    exchange: Exchange
    address: Callable[[str], Reading[str]]  # where to connect instead of what the plan says
    rest: Rest
    books: Books
    ticker: Callable[[Ticker], None]
    trades: Trades
    hearings: Hearings
    subscriptions: Subscriptions
    tally: Tally
    random: Random
    first_message_s: float = 0.0  # after which an accepted subscription is asked for again; 0: never
    # Where the publisher alone takes the events: its direct, and whom to tell when that raises.
    direct: Any = None
    failed: Callable[[Exception], None] | None = None
