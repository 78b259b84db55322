"""Plain clients that rebuild order books by the exchanges' documented rules, sharing no code with the package.

And what they have to come to: the books of a simulated market.
"""

import json
import zlib
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tickwire.simulator.market import Book

Levels = dict[Decimal, tuple[str, str]]


def true_levels(book: Book, depth: int = 400) -> dict[str, list[list[str]]]:
    """A market's own book, as text."""
    text, sides = book.instrument, (("bids", book.bids), ("asks", book.asks))
    return {name: [[text.price(t), text.size(n)] for t, n in side.top(depth)] for name, side in sides}


def change(side: Levels, levels: list[list[str]]) -> None:
    """Set or remove levels."""
    for price, size in levels:
        if Decimal(size):
            side[Decimal(price)] = (price, size)
        else:
            side.pop(Decimal(price), None)


@dataclass
class Sides:
    """One book."""

    bids: Levels = field(default_factory=dict)
    asks: Levels = field(default_factory=dict)

    def apply(self, bids: list[list[str]], asks: list[list[str]]) -> None:
        change(self.bids, bids)
        change(self.asks, asks)

    def top(self, depth: int) -> dict[str, list[list[str]]]:
        bids = sorted(self.bids, reverse=True)[:depth]
        return {
            "bids": [list(self.bids[p]) for p in bids],
            "asks": [list(self.asks[p]) for p in sorted(self.asks)[:depth]],
        }

    def cut(self, depth: int) -> None:
        for price in sorted(self.bids, reverse=True)[depth:]:
            del self.bids[price]
        for price in sorted(self.asks)[depth:]:
            del self.asks[price]


class BinanceBook:
    """Buffer, snapshot, drop what is older, then require every event to follow the one before."""

    def __init__(self) -> None:
        self.sides = Sides()
        self.last: int | None = None
        self.buffer: list[dict[str, Any]] = []
        self.gaps = 0

    def event(self, event: dict[str, Any]) -> None:
        if self.last is None:
            self.buffer.append(event)
        elif event["u"] <= self.last:
            return
        elif event["U"] > self.last + 1:
            self.gaps += 1
            self.last, self.buffer = None, [event]
        else:
            assert event["U"] == self.last + 1 or not self.gaps
            self.sides.apply(event["b"], event["a"])
            self.last = event["u"]

    def snapshot(self, body: dict[str, Any]) -> bool:
        """Start the book; false where the snapshot is older than the first event in the buffer."""
        later = [e for e in self.buffer if e["u"] > body["lastUpdateId"]]
        if later and later[0]["U"] > body["lastUpdateId"] + 1:
            return False
        self.sides = Sides()
        self.sides.apply(body["bids"], body["asks"])
        self.last, self.buffer = body["lastUpdateId"], []
        for event in later:
            self.event(event)
        return True


class KrakenBook:
    """Snapshot, apply, cut to the depth, compare the checksum."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.sides = Sides()
        self.wrong = 0

    def message(self, message: dict[str, Any]) -> None:
        (data,) = message["data"]
        if message["type"] == "snapshot":
            self.sides = Sides()
        self.sides.apply(*([[level["price"], level["qty"]] for level in data[side]] for side in ("bids", "asks")))
        self.sides.cut(self.depth)
        self.wrong += self.checksum() != int(data["checksum"])

    def checksum(self) -> int:
        top = self.sides.top(10)
        parts = [
            text.replace(".", "").lstrip("0") for side in ("asks", "bids") for level in top[side] for text in level
        ]
        return zlib.crc32("".join(parts).encode())


def exact(text: str) -> Any:
    """Decode JSON with every number as its text."""
    return json.loads(text, parse_float=str, parse_int=str)
