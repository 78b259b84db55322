"""A seeded market: order books of exact integers that move, one step at a time, and never cross.

Levels are found by *key*, the price in ticks with a sign: asks positive, bids negative. So both sides sort best first,
and two levels do not cross exactly when the sum of their keys is positive.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from tickwire.simulator.instruments import Instrument

MOST_LEVELS = 400
LEAST_LEVELS = 200
_OPENING_LEVELS = 300
_MOST_CHANGES = 4  # of one step
_DEALS_KEPT = 50  # that a new subscriber may receive


class Quote(NamedTuple):
    """The best bid and ask (ticks and lots) right after a change that moved them."""

    update_id: int
    bid: int
    bid_lots: int
    ask: int
    ask_lots: int


class Deal(NamedTuple):
    """One trade; the taker *buys* or sells. A book's deals are numbered without holes."""

    number: int
    ticks: int
    lots: int
    buys: bool


@dataclass(slots=True)
class Step:
    """The result of one step.

    Update ids *first* to *last*, the levels it left changed (0 lots: removed), every new best, and the trades.
    """

    first: int
    last: int
    bids: dict[int, int]
    asks: dict[int, int]
    quotes: list[Quote]
    deals: list[Deal]


class Side:
    """One side of a book: its keys in order, best first, and the lots of each."""

    __slots__ = ("keys", "lots")

    def __init__(self) -> None:
        self.keys: list[int] = []
        self.lots: dict[int, int] = {}

    def set(self, key: int, lots: int) -> None:
        """Set the lots of a level, new or not."""
        if key not in self.lots:
            self.keys.insert(bisect_left(self.keys, key), key)
        self.lots[key] = lots

    def remove(self, index: int) -> int:
        """Remove the level at *index* and return its key."""
        key = self.keys.pop(index)
        del self.lots[key]
        return key

    def top(self, depth: int | None = None) -> list[tuple[int, int]]:
        """The best *depth* levels, or all, as ticks and lots, best first."""
        return [(abs(key), self.lots[key]) for key in self.keys[:depth]]


class Book:
    """The book of one instrument. Equal seeds give equal books."""

    def __init__(self, instrument: Instrument, seed: int) -> None:
        self.instrument = instrument
        self.bids, self.asks = Side(), Side()
        self._seed = seed
        rng = Random(seed)  # noqa: S311 - a repeatable market, not a secret
        self.update_id = rng.randrange(10**9, 4 * 10**9)
        self.deals: deque[Deal] = deque(maxlen=_DEALS_KEPT)
        self._deals = self.update_id // 100  # number of the last deal
        self._unit = 10**instrument.size_places
        for side, key in ((self.asks, instrument.opening_ticks + 1), (self.bids, -instrument.opening_ticks)):
            at = key
            for _ in range(_OPENING_LEVELS):
                side.set(at, self._lots(rng))
                at += 1 + int(rng.random() * 3)

    def best(self) -> Quote:
        """The current best bid and ask."""
        bid, ask = self.bids.keys[0], self.asks.keys[0]
        return Quote(self.update_id, -bid, self.bids.lots[bid], ask, self.asks.lots[ask])

    def opening(self) -> "Book":
        """The book before its first step."""
        return Book(self.instrument, self._seed)

    def step(self, rng: Random) -> Step:
        """Make one to four changes, near the top most of the time; each takes one update id."""
        step = Step(self.update_id + 1, self.update_id, {}, {}, [], [])
        added: set[int] = set()
        for _ in range(1 + int(rng.random() * _MOST_CHANGES)):
            self._change(rng, step, added)
        step.last = self.update_id
        return step

    def _change(self, rng: Random, step: Step, added: set[int]) -> None:
        bids, asks = self.bids, self.asks
        side, other, changed = (bids, asks, step.bids) if rng.random() < 0.5 else (asks, bids, step.asks)
        best = side.keys[0]
        best_lots = side.lots[best]
        near = rng.random()
        near *= near
        index = int(near * near * len(side.keys))
        action = rng.random()
        if action < 0.5:
            key, lots = side.keys[index], self._lots(rng)
        elif action < 0.8:  # more additions than removals, so that books stay dense and the spread small
            key, lots = self._added(side, other, index, rng)
        else:
            key, lots = self._removed(side, index, rng)
        if key == best and lots < best_lots:  # a smaller best level means a trade
            self._deals += 1
            deal = Deal(self._deals, abs(key), best_lots - lots, side is asks)
            self.deals.append(deal)
            step.deals.append(deal)
        self._note(key, lots, side, changed, added)
        self.update_id += 1
        if side.keys[0] != best or side.lots[best] != best_lots:
            step.quotes.append(self.best())

    def _added(self, side: Side, other: Side, index: int, rng: Random) -> tuple[int, int]:
        """Choose a new level before the one at *index*; a full side loses its last level instead."""
        if len(side.keys) >= MOST_LEVELS:
            return side.keys[-1], 0
        room = side.keys[0] + other.keys[0] if index == 0 else side.keys[index] - side.keys[index - 1]
        key = side.keys[index] - 1 - int(rng.random() * (room // 2))
        if key + other.keys[0] <= 0:  # no room between the best prices: the best level changes instead
            key = side.keys[0]
        return key, self._lots(rng)

    def _removed(self, side: Side, index: int, rng: Random) -> tuple[int, int]:
        """Choose a level to remove; a thin side gets a new last level instead."""
        if len(side.keys) > LEAST_LEVELS:
            return side.keys[index], 0
        key = side.keys[-1] + 1 + int(rng.random() * 3)
        if side.keys[0] < 0 <= key:  # no bid at or below zero
            key = side.keys[-1]
        return key, self._lots(rng)

    @staticmethod
    def _note(key: int, lots: int, side: Side, changed: dict[int, int], added: set[int]) -> None:
        """Apply one change and note its net effect: a level added and removed within a step leaves no trace."""
        if lots:
            if key not in side.lots and key not in changed:
                added.add(key)
            side.set(key, lots)
            changed[key] = lots
        else:
            side.remove(bisect_left(side.keys, key))
            if key in added:
                added.discard(key)
                del changed[key]
            else:
                changed[key] = 0

    def _lots(self, rng: Random) -> int:
        part = rng.random()
        return 1 + int(part * part * part * 5 * self._unit)


class Market:
    """The books of all instruments, and the random source of their moves."""

    def __init__(self, instruments: Sequence[Instrument], rng: Random) -> None:
        self.books = tuple(Book(instrument, rng.getrandbits(64)) for instrument in instruments)
        self._rng = rng

    def pick(self) -> Book:
        """Choose the book that moves next."""
        return self.books[int(self._rng.random() * len(self.books))]

    def step(self, book: Book) -> Step:
        """Move one book."""
        return book.step(self._rng)
