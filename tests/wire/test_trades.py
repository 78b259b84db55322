"""Trades of a feed: none twice, gaps in their numbers counted, on a connection that takes over as well."""

from collections import deque
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from feed.toy_exchange import LIMITS
from tickwire.events.types import Trade
from tickwire.exchanges.contract import Exchange
from tickwire.wire.standby import Standby
from tickwire.wire.tally import Tally
from tickwire.wire.trades import KEPT, Trades


def trade(trade_id: str, symbol: str = "A-X") -> Trade:
    return Trade(
        exchange="toy",
        symbol=symbol,
        exchange_symbol=symbol.replace("-", ""),
        trade_id=trade_id,
        price="10",
        size="1",
        side="sell",
        received_us=1,
    )


class Taken:
    """What comes out, and how many gaps were counted meanwhile."""

    def __init__(self, *, numbered: bool = True) -> None:
        self.ids: list[str] = []
        self.tally = Tally("toy")
        self.trades = Trades(
            replace(Exchange(**LIMITS), trades_numbered=numbered), lambda t: self.ids.append(t.trade_id), self.tally
        )

    def take(self, ids: Iterable[object], symbol: str = "A-X") -> None:
        for trade_id in ids:
            self.trades.handle(trade(str(trade_id), symbol))


@pytest.mark.parametrize(
    ("ids", "gaps"),
    [([7, 8, 9], 0), ([7, 9, 10], 1), ([7, 9, 12], 2), ([9, 7, 8], 1), ([7, 2**60, 8, 9], 2)],
)
def test_each_break_in_the_numbers_is_counted_once_and_everything_is_handed_out(ids: list[int], gaps: int) -> None:
    taken = Taken()
    taken.take(ids)
    assert (taken.ids, taken.tally.trade_gaps.value) == ([*map(str, ids)], gaps)


def test_each_symbol_has_numbers_of_its_own() -> None:
    taken = Taken()
    for number in range(3):
        taken.take([number])
        taken.take([500 + number], "B-X")
    assert taken.tally.trade_gaps.value == 0


def test_ids_that_are_no_numbers_have_no_gaps() -> None:
    taken = Taken(numbered=False)
    taken.take(["a", "x", "7"])
    assert (taken.ids, taken.tally.trade_gaps.value) == (["a", "x", "7"], 0)


@pytest.mark.parametrize("numbered", [True, False])
@pytest.mark.parametrize("ahead", [-KEPT, -3, 0, 3, KEPT])
def test_what_takes_over_hands_out_what_is_new_and_nothing_twice(ahead: int, *, numbered: bool) -> None:
    taken, standby = Taken(numbered=numbered), Standby()
    now = 3 * KEPT
    taken.take(range(now))
    handler = standby.handlers()[Trade]
    for number in range(now + ahead):
        handler(trade(str(number)))
    for kept in standby.take_trades():
        taken.trades.handle(kept)
    taken.take(range(now + ahead, now + KEPT + 5))
    assert taken.ids == [str(number) for number in range(now + KEPT + 5)]
    assert taken.tally.trade_gaps.value == 0
    assert not list(standby.take_trades())


@given(
    st.lists(
        st.tuples(st.integers(0, 1200), st.integers(1, 3) | st.integers(1, 600), st.booleans()), min_size=1, max_size=25
    )
)
def test_the_last_ids_are_known_whichever_way_they_took(parts: list[tuple[int, int, bool]]) -> None:
    taken, known, last, gaps, ids = Taken(), deque[int](maxlen=2 * KEPT), -1, 0, list[str]()
    for first, count, short in parts:
        for number in range(first, first + count):
            if number not in known:
                gaps += last not in {-1, number - 1}
                known.append(number)
                ids.append(str(number))
                last = number
            numbers = taken.trades.numbers.get("AX")
            if short and numbers is not None and numbers.ahead and numbers.last == number - 1:
                numbers.last = number  # as the short way does
                taken.ids.append(str(number))
            else:
                taken.take([number])
    assert (taken.ids, taken.tally.trade_gaps.value) == (ids, gaps)


def test_after_the_exchange_has_numbered_anew_for_a_while_the_next_is_new_without_a_look() -> None:
    taken = Taken()
    taken.take([*range(1000, 1010), *range(2 * KEPT - 1)])
    assert not taken.trades.numbers["AX"].ahead
    taken.take([2 * KEPT - 1])
    assert taken.trades.numbers["AX"].ahead
