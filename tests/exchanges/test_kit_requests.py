"""Subscriptions: asked for in batches, acknowledged by answers or by data, refused one by one, asked for again."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickwire.exchanges.contract import Channel, Output, Refused, Send, Subscribed, Symbol
from tickwire.exchanges.kit import Item, Method, Requests

SYMBOLS = [Symbol(f"A{i}-USD", f"A{i}USD") for i in range(9)]


def write(method: Method, items: Sequence[Item], number: int | None) -> bytes:
    return msgspec.json.encode([method, [f"{channel} {symbol.native}" for channel, symbol in items], number])


def requests(most: int = 4, channels: Sequence[Channel] = ("ticker",), **how: bool) -> Requests:
    return Requests([(c, s) for c in channels for s in SYMBOLS], most, write, lambda _: [], **how)


def sent(outputs: list[Output]) -> list[Any]:
    return [msgspec.json.decode(output.payload) for output in outputs if isinstance(output, Send)]


def sizes(outputs: list[Output]) -> list[tuple[int, int]]:
    return [(len(names), number) for _, names, number in sent(outputs)]


def test_requests_are_split_and_numbered_on() -> None:
    made = requests()
    assert sizes(made.subscribe()) == [(4, 1), (4, 2), (1, 3)]
    assert sizes(made.unsubscribe()) == [(4, 4), (4, 5), (1, 6)]


@pytest.mark.parametrize(("apart", "expected"), [(False, [6, 6, 6]), (True, [6, 3, 6, 3])])
def test_channels_share_a_request_unless_they_are_kept_apart(apart: bool, expected: list[int]) -> None:
    made = requests(6, ["ticker", "orderbook"], apart=apart)
    assert [size for size, _ in sizes(made.subscribe())] == expected


def test_what_is_pending_may_be_asked_for_one_by_one() -> None:
    made = requests()
    made.subscribe()
    made.singly()
    assert sizes(made.retry()) == [(1, number) for number in range(4, 13)]


@pytest.mark.parametrize("said", [Requests.accept, Requests.heard])
def test_what_was_refused_is_carried_once_an_answer_or_data_says_so(said: Any) -> None:
    made = requests()
    made.subscribe()
    assert made.refuse("ticker", "A0USD", "no") == [Refused("ticker", SYMBOLS[0], "no")]
    assert said(made, "ticker", "A0USD") == [Subscribed("ticker", SYMBOLS[0])]
    assert said(made, "ticker", "A0USD") == []


def test_each_is_acknowledged_once_by_its_answer_or_its_data() -> None:
    made = requests()
    made.subscribe()
    assert made.accept("ticker", "A0USD") == [Subscribed("ticker", SYMBOLS[0])]
    assert made.accept("ticker", "A0USD") == []
    assert made.heard("ticker", "A1USD") == [Subscribed("ticker", SYMBOLS[1])]
    assert made.heard("ticker", "A1USD") == []
    assert made.pending() == [("ticker", symbol) for symbol in SYMBOLS[2:]]


def test_a_request_is_accepted_as_a_whole_by_its_number_or_by_any_data() -> None:
    made = requests(whole=True)
    made.subscribe()
    assert made.accept_request(1) == [Subscribed("ticker", symbol) for symbol in SYMBOLS[:4]]
    assert made.accept_request(1) == made.accept_request(77) == []
    assert made.heard("ticker", "A5USD") == [Subscribed("ticker", symbol) for symbol in SYMBOLS[4:8]]
    assert made.pending() == [("ticker", SYMBOLS[8])]


def test_what_follows_on_an_acknowledgement_comes_right_after_it() -> None:
    made = Requests([("orderbook", SYMBOLS[0])], 1, write, lambda item: [Send(item[1].native.encode())])
    assert made.accept("orderbook", "A0USD") == [Subscribed("orderbook", SYMBOLS[0]), Send(b"A0USD")]


@given(bad=st.sets(st.integers(0, 8)), heard=st.sets(st.integers(0, 8)), most=st.integers(1, 9))
@settings(deadline=None)
def test_refused_requests_are_halved_until_exactly_the_bad_ones_are_named(
    bad: set[int], heard: set[int], most: int
) -> None:
    made = requests(most, whole=True)
    queue = sent(made.subscribe())
    for i in sorted(heard - bad):
        made.heard("ticker", SYMBOLS[i].native)
    refused = set()
    for _, names, number in queue:
        wrong = any(f"ticker A{i}USD" in names for i in bad)
        outputs = made.refuse_request(number, "no") if wrong else made.accept_request(number)
        queue += sent(outputs)
        refused |= {output.symbol for output in outputs if isinstance(output, Refused)}
    assert refused == {SYMBOLS[i] for i in bad}
    assert made.pending() == []


def test_a_refusal_of_what_is_not_pending_or_of_no_request_of_ours_says_nothing() -> None:
    made = requests()
    made.subscribe()
    assert made.refuse("ticker", "A0USD", "no") == [Refused("ticker", SYMBOLS[0], "no")]
    assert made.refuse("ticker", "A0USD", "no") == made.refuse_request(77, "no") == []


def test_a_retry_asks_for_what_is_pending_and_nothing_else() -> None:
    made = requests()
    made.subscribe()
    made.accept_request(1)
    made.refuse("ticker", "A4USD", "no")
    assert sent(made.retry()) == [["subscribe", [f"ticker A{i}USD" for i in (5, 6, 7, 8)], 4]]


def test_one_is_taken_back_and_asked_for_anew() -> None:
    made = requests(channels=["orderbook"])
    assert sent(made.again("orderbook", SYMBOLS[0])) == [
        ["unsubscribe", ["orderbook A0USD"], None],
        ["subscribe", ["orderbook A0USD"], None],
    ]


def test_one_that_is_renewed_is_pending_like_a_new_one_and_may_be_refused() -> None:
    made = requests(9)
    item: Item = ("ticker", SYMBOLS[0])
    made.subscribe()
    made.accept_request(1)
    assert sent(made.renew(*item)) == [["unsubscribe", ["ticker A0USD"], 2], ["subscribe", ["ticker A0USD"], 3]]
    assert made.pending() == [item]
    assert made.refuse_request(3, "no") == [Refused(*item, "no")]


def test_what_has_data_is_not_asked_for_again_because_another_was_refused() -> None:
    made = requests(2, whole=True)
    made.subscribe()
    made.heard("ticker", "A0USD")
    assert made.refuse_request(1, "no") == [Refused("ticker", SYMBOLS[1], "no")]
