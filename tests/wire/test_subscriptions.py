"""What the exchange carries for a feed, by its answers."""

import pytest

from feed.toy_exchange import symbol
from tickwire.errors import SubscriptionRefused
from tickwire.exchanges.contract import Refused, Subscribed
from tickwire.wire.subscriptions import Subscriptions

A, B = symbol("A-X"), symbol("B-X")
NO_BOOK, NO_TICKER = Refused("orderbook", A, "no"), Refused("ticker", A, "not this either")


def wanting(count: int) -> Subscriptions:
    return Subscriptions("toy", count, listed={B})


def test_one_refusal_is_of_its_symbol_and_channel_alone() -> None:
    subscriptions = wanting(2)
    subscriptions.refused(NO_BOOK)
    refused = [(c, s) for c in ("ticker", "orderbook") for s in (A, B) if subscriptions.is_refused(c, s)]
    assert refused == [("orderbook", A)]


def test_where_nothing_is_left_the_last_refusal_is_an_error_with_the_exchanges_answer() -> None:
    subscriptions = wanting(2)
    subscriptions.refused(NO_BOOK)
    with pytest.raises(SubscriptionRefused, match=r"AX.*not this either"):
        subscriptions.refused(NO_TICKER)


def test_the_same_refusal_counts_once() -> None:
    subscriptions = wanting(2)
    for _ in range(3):
        subscriptions.refused(NO_BOOK)
    assert subscriptions.is_refused("orderbook", A)


def test_what_is_carried_after_all_is_refused_no_longer() -> None:
    subscriptions = wanting(2)
    subscriptions.refused(NO_BOOK)
    subscriptions.carried(Subscribed("orderbook", A))
    assert not subscriptions.is_refused("orderbook", A)
    subscriptions.refused(NO_TICKER)  # and so this is not the last one


def test_a_symbol_is_known_when_it_is_listed_or_was_carried_on_any_channel() -> None:
    subscriptions = wanting(3)
    assert (subscriptions.is_known(A), subscriptions.is_known(B)) == (False, True)
    subscriptions.refused(NO_TICKER)
    assert not subscriptions.is_known(A)
    subscriptions.carried(Subscribed("orderbook", A))
    subscriptions.refused(NO_BOOK)
    assert subscriptions.is_known(A)
