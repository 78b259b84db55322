"""The market: seeded, exact, never crossed."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickwire.errors import UsageError
from tickwire.simulator.instruments import Instrument, choose_names
from tickwire.simulator.market import LEAST_LEVELS, MOST_LEVELS, Book, Deal, Market, Side


def _instruments(opening: int = 50_000) -> list[Instrument]:
    return [Instrument(base, "USDT", 2, 5, opening) for base in ("AAA", "BBB")]


def _state(market: Market) -> list[tuple[int, dict[int, int], dict[int, int]]]:
    return [(book.update_id, book.bids.lots, book.asks.lots) for book in market.books]


def _check(side: Side) -> None:
    assert side.keys == sorted(side.lots)
    assert LEAST_LEVELS - 1 <= len(side.keys) <= MOST_LEVELS
    assert all(lots > 0 for lots in side.lots.values())


@given(seed=st.integers(), opening=st.sampled_from([600, 50_000]))
def test_books_never_cross_and_keep_their_order_and_size(seed: int, opening: int) -> None:
    market = Market(_instruments(opening), Random(seed))
    for _ in range(300):
        book = market.pick()
        market.step(book)
        assert book.bids.keys[0] + book.asks.keys[0] > 0
    for book in market.books:
        _check(book.bids)
        _check(book.asks)


@given(seed=st.integers())
def test_a_step_says_everything_that_changed_and_update_ids_have_no_holes(seed: int) -> None:
    rng = Random(seed)
    book = Book(_instruments()[0], seed)
    for _ in range(200):
        before_id, bids, asks = book.update_id, dict(book.bids.lots), dict(book.asks.lots)
        best = (book.bids.top(1), book.asks.top(1))
        step = book.step(rng)
        assert step.first == before_id + 1
        assert step.first <= step.last == book.update_id
        for known, changed, side in ((bids, step.bids, book.bids), (asks, step.asks, book.asks)):
            assert all(key in known for key, lots in changed.items() if not lots)
            assert {k: v for k, v in {**known, **changed}.items() if v} == side.lots
        if best != (book.bids.top(1), book.asks.top(1)):
            quote = step.quotes[-1]
            assert [(quote.bid, quote.bid_lots)] == book.bids.top(1)
            assert [(quote.ask, quote.ask_lots)] == book.asks.top(1)


@given(seed=st.integers())
def test_trades_are_what_leaves_the_best_levels_and_are_numbered_without_holes(seed: int) -> None:
    rng = Random(seed)
    book = Book(_instruments()[0], seed)
    deals: list[Deal] = []
    for _ in range(200):
        best = {True: book.asks.top(1)[0], False: book.bids.top(1)[0]}
        step = book.step(rng)
        if step.deals and step.first == step.last:
            (deal,) = step.deals
            ticks, lots = best[deal.buys]
            left = dict(book.asks.top(9) if deal.buys else book.bids.top(9)).get(ticks, 0)
            assert (deal.ticks, deal.lots) == (ticks, lots - left)
        deals += step.deals
    assert [deal.number for deal in deals] == list(range(deals[0].number, deals[0].number + len(deals)))
    assert list(book.deals) == deals[-50:]
    assert {deal.buys for deal in deals} == {True, False}


def test_equal_seeds_give_equal_markets_and_others_do_not() -> None:
    markets = [Market(_instruments(), Random(seed)) for seed in (5, 5, 6)]
    for market in markets:
        for _ in range(500):
            market.step(market.pick())
    assert _state(markets[0]) == _state(markets[1])
    assert _state(markets[0]) != _state(markets[2])


def test_the_spread_does_not_run_away() -> None:
    book, rng = Book(_instruments()[0], 3), Random(3)
    spreads = []
    for _ in range(20_000):
        book.step(rng)
        spreads.append(book.bids.keys[0] + book.asks.keys[0])
    assert max(spreads) < 100
    assert len({book.bids.keys[0], book.opening().bids.keys[0]}) == 2


def test_the_opening_book_can_be_had_later() -> None:
    book, rng = Book(_instruments()[0], 3), Random(3)
    first = (book.update_id, dict(book.bids.lots))
    for _ in range(50):
        book.step(rng)
    assert (book.opening().update_id, book.opening().bids.lots) == first


def test_names_are_known_then_generated_or_given() -> None:
    assert choose_names(2, "USDT") == [("BTC", "USDT"), ("ETH", "USDT")]
    many = choose_names(200, "USDT")
    assert len(set(many)) == 200
    assert choose_names(["btc/usd", "ETH-BTC", "SOLUSD"], "USD") == [("BTC", "USD"), ("ETH", "BTC"), ("SOL", "USD")]


@pytest.mark.parametrize("wrong", [0, -1, 10_001, [], ["BTC-USD", "BTC/USD"], ["BTC"], ["-USD"], ["B C-USD"]])
def test_wrong_symbols_are_one_sentence(wrong: int | list[str]) -> None:
    with pytest.raises(UsageError, match="expected"):
        choose_names(wrong, "USD")


def test_numbers_are_written_exactly() -> None:
    instrument = Instrument("A", "B", 2, 5, 1, "000000", "000")
    assert instrument.price(6_500_010) == "65000.10000000"
    assert instrument.price(7) == "0.07000000"
    assert instrument.size(123) == "0.00123000"
    assert Instrument("A", "B", 1, 8, 1).size(120_000_000) == "1.20000000"
