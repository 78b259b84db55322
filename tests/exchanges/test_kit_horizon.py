"""Books of which only a part is known: what they promise is never missing, whatever the price does."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchanges.kept import BTC, Reader
from forms import FORMS, use
from tickwire.events.types import Level, OrderBook
from tickwire.exchanges.contract import Fetch, Output, Resync
from tickwire.exchanges.kit import BookEvent, BridgedBook, StreamedBook, by_previous, by_range, spans
from tickwire.exchanges.messages import BookMessages

DEPTH = 3
RUNGS = [Fetch(BTC, f"/depth?limit={levels}", levels, levels=levels) for levels in (4, 10, 30)]


class Market:
    """The exchange: a hundred levels a side around a price that moves, and all its states by number."""

    def __init__(self, seed: int) -> None:
        self.chance, self.number, self.middle = random.Random(seed), 100, 1000
        self.bids, self.asks = list(range(900, 1000)), list(range(1001, 1101))
        self.known = {100: self._state()}

    def _state(self) -> tuple[list[Level], list[Level]]:
        bids = [(str(price), str(price % 7 + 1)) for price in reversed(self.bids)]
        return bids, [(str(price), str(price % 7 + 1)) for price in self.asks]

    def step(self, drift: int) -> BookEvent:
        """Move the price by some levels: those in its way go, others come behind it and far away."""
        bids, asks = set(self.bids), set(self.asks)
        self.middle += drift
        now_bids = {price for price in bids if price < self.middle}
        now_asks = {price for price in asks if price > self.middle}
        for _ in range(self.chance.randrange(3)):
            now_bids.discard(self.chance.choice(sorted(now_bids)))
            now_asks.discard(self.chance.choice(sorted(now_asks)))
            now_bids.add(self.middle - self.chance.randrange(1, 90))
            now_asks.add(self.middle + self.chance.randrange(1, 90))
        first, self.number = self.number + 1, self.number + self.chance.randrange(1, 4)
        changes = [
            [(str(p), str(p % 7 + 1) if p in now else "0") for p in sorted(was ^ now, reverse=side == 0)]
            for side, (was, now) in enumerate(((bids, now_bids), (asks, now_asks)))
        ]
        self.bids, self.asks = sorted(now_bids), sorted(now_asks)
        self.known[self.number] = self._state()
        return BookEvent(changes[0], changes[1], self.number, first, first - 1)

    def body(self, number: int, levels: int) -> BookEvent:
        bids, asks = self.known[number]
        return BookEvent(bids[:levels], asks[:levels], number)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rule", [(by_range, None), (by_previous, spans)])
@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_no_level_is_missing_inside_what_a_message_promises(rule: Any, form: str, data: st.DataObject) -> None:
    with use(form):
        market = Market(data.draw(st.integers(0, 10**6)))
        asked: dict[str, BookEvent] = {}
        read = lambda body: asked[body.decode()]  # noqa: E731 - one line in a test
        kept = BridgedBook(BookMessages("somewhere", BTC, DEPTH), RUNGS, read, *rule)
        reader, waiting, left = Reader(), list[Fetch](), list[tuple[Fetch, int]]()
        numbers = [market.number]

        def took(outputs: list[Output]) -> None:
            for output in outputs:
                reader.read([output])
                if isinstance(output, Fetch):
                    waiting[:] = [output]
                elif isinstance(output, Resync):
                    waiting[:] = [f for f in kept.ask() if isinstance(f, Fetch)]
                elif isinstance(output, OrderBook) and output.action != "invalid":
                    assert reader.book is not None
                    assert output.sequence is not None
                    assert output.depth
                    bids, asks = market.known[output.sequence]
                    assert reader.book.bids.top(output.depth) == bids[: output.depth]
                    assert reader.book.asks.top(output.depth) == asks[: output.depth]

        for _ in range(data.draw(st.integers(5, 60))):
            took(kept.change(market.step(data.draw(st.sampled_from([0, 0, 1, -1, 2, -2, 6, -6]))), 1))
            numbers.append(market.number)
            answered, arrived = data.draw(st.booleans()), data.draw(st.booleans())
            if waiting and answered:
                fetch = waiting.pop()
                kept.asking(fetch)
                left[:] = [(fetch, len(numbers))]
            if left and arrived:
                fetch, since = left.pop()
                number = data.draw(st.sampled_from(numbers[max(0, since - 2) :]))
                asked[fetch.path] = market.body(number, fetch.levels or 0)
                took(kept.fetched(fetch, fetch.path.encode(), 1))


def wide(number: int, levels: int, gone: int = 0) -> BookEvent:
    """A state of a book without its *gone* best bids."""
    bids = [(str(5000 - n), "1") for n in range(gone, levels + gone)]
    return BookEvent(bids, [(str(6000 + n), "1") for n in range(levels)], number)


def removal(number: int) -> BookEvent:
    return BookEvent([(str(5001 - number), "0")], [], number, number, number - 1)


class TestDeepening:
    """A book of which 100 levels are known, and 1000 can be."""

    def setup_method(self) -> None:
        self.rungs = [Fetch(BTC, f"/{levels}", levels // 20, levels=levels) for levels in (100, 1000)]
        self.answer = wide(0, 100)
        self.kept = BridgedBook(BookMessages("somewhere", BTC, 25), self.rungs, lambda _: self.answer, by_range)
        assert self.kept.ask() == [self.rungs[0]]
        _, deeper = self.kept.fetched(self.rungs[0], b"", 1)
        assert isinstance(deeper, Fetch)
        self.deeper, self.number = deeper, 0

    def remove(self, count: int) -> list[Output]:
        """What leaves while the best bids go one by one."""
        out: list[Output] = []
        for _ in range(count):
            self.number += 1
            out += self.kept.change(removal(self.number), 1)
        return out

    def best(self) -> tuple[Level | None, int]:
        assert self.kept.current is not None
        return self.kept.current.bids.best(), len(self.kept.current.bids)

    def test_a_deeper_one_is_asked_for_where_half_of_the_limits_is_unused(self) -> None:
        assert (self.deeper.path, self.deeper.share) == ("/1000", 0.5)

    def test_when_few_are_left_it_is_asked_for_before_others(self) -> None:
        assert [o for o in self.remove(50) if isinstance(o, Fetch)] == []
        (_, fetch) = self.remove(1)
        assert isinstance(fetch, Fetch)
        assert (fetch.path, fetch.share) == ("/1000", 0.75)

    def test_it_joins_the_book_as_one_change_and_nothing_is_invalid(self) -> None:
        self.kept.asking(self.deeper)
        self.remove(3)
        self.answer = wide(2, 1000, gone=2)
        (delta,) = self.kept.fetched(self.deeper, b"", 1)
        assert isinstance(delta, OrderBook)
        assert (delta.action, delta.sequence, delta.depth) == ("delta", 3, 25)
        assert self.best() == (("4997", "1"), 999)

    def test_one_that_is_ahead_joins_when_the_book_has_come_as_far(self) -> None:
        self.kept.asking(self.deeper)
        self.answer = wide(2, 1000, gone=2)
        assert self.kept.fetched(self.deeper, b"", 1) == []
        assert (len(self.remove(1)), len(self.remove(1))) == (1, 2)
        assert self.best() == (("4998", "1"), 1000)

    def test_one_from_before_it_was_asked_for_is_asked_for_again(self) -> None:
        self.remove(2)
        self.kept.asking(self.deeper)
        self.remove(2)
        self.answer = wide(1, 1000, gone=1)
        (fetch,) = self.kept.fetched(self.deeper, b"", 1)
        assert isinstance(fetch, Fetch)
        assert (fetch.path, fetch.delay_s, bool(fetch.why)) == ("/1000", 0.25, True)

    def test_without_it_less_is_promised_and_at_last_the_book_begins_again(self) -> None:
        messages = [o for o in self.remove(100) if isinstance(o, OrderBook)]
        assert {message.depth for message in messages[:75]} == {25}
        assert all(m.depth is not None and 0 < m.depth <= 99 - n for n, m in enumerate(messages[:-1]))
        assert [(m.action, m.reason) for m in messages[-2:]] == [("delta", None), ("invalid", "stale")]


class TestKept:
    """A book that has more levels than are kept, whole at first."""

    def setup_method(self) -> None:
        (self.fetch,) = fetches = [Fetch(BTC, "/all", 1)]
        self.answer = wide(0, 90)
        self.kept = BridgedBook(BookMessages("somewhere", BTC, 10), fetches, lambda _: self.answer, by_range)
        self.kept.most = 80
        self.kept.ask()
        self.outputs, self.number, self.reader = self.kept.fetched(self.fetch, b"", 1), 0, Reader()
        self.reader.read(self.outputs)

    def change(self, price: int, size: str) -> list[Output]:
        self.number += 1
        event = BookEvent([(str(price), size)], [], self.number, self.number, self.number - 1)
        outputs = self.kept.change(event, 1)
        self.reader.read(outputs)
        return outputs

    def sizes(self) -> tuple[int, int]:
        assert self.kept.current is not None
        assert self.reader.book is not None
        assert self.reader.book.bids.top() == self.kept.current.bids.top()
        return len(self.kept.current.bids), len(self.kept.current.asks)

    def test_a_snapshot_is_cut(self) -> None:
        assert self.sizes() == (70, 70)

    def test_what_falls_out_leaves_as_removals(self) -> None:
        for n in range(10):
            assert len(self.change(5001 + n, "1")) == 1
        cut = self.change(4000, "1")[1]
        assert isinstance(cut, OrderBook)
        assert cut.bids == [(str(4940 - n), "0") for n in range(10)] + [("4000", "0")]
        assert self.sizes() == (70, 70)

    def test_when_few_levels_are_left_all_are_fetched_again(self) -> None:
        fetch = next(f for n in range(70) for f in self.change(5000 - n, "0") if isinstance(f, Fetch))
        assert (fetch.path, len(self.kept.current.bids if self.kept.current else [])) == ("/all", 19)
        self.kept.asking(fetch)
        self.answer = wide(self.number, 90, gone=51)
        self.reader.read(self.kept.fetched(fetch, b"", 1))
        assert self.sizes() == (70, 70)


@pytest.mark.parametrize("form", FORMS)
def test_a_streamed_book_of_which_too_little_is_kept_begins_again(form: str) -> None:
    with use(form):
        kept = StreamedBook(BTC, BookMessages("somewhere", BTC, 10), lambda _: [])
        kept.most = 80
        kept.snapshot(wide(0, 90), 1)
        out = [o for n in range(1, 63) for o in kept.change(removal(n), 1) if isinstance(o, OrderBook)]
        assert [(m.action, m.reason) for m in out[-2:]] == [("delta", None), ("invalid", "stale")]
        assert len(out) == 61
