"""What callbacks are given, and what they ask of the feed; no feed is needed."""

import asyncio
import functools
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import Raw

from support import aeventually
from tickwire.events.types import MarketEvent, OrderBook, Ticker
from tickwire.wire import callbacks
from tickwire.wire.callbacks import HIGH_WATER, LOW_WATER, Callbacks, check_callback
from tickwire.wire.flow_control import FlowControl
from tickwire.wire.tally import Tally


class Flow(FlowControl):
    """Notes what is asked of it."""

    def __init__(self) -> None:
        super().__init__("toy")
        self.asked: list[str] = []

    def pause(self, who: object = None) -> None:
        self.asked.append("pause")

    def resume(self, who: object = None) -> None:
        self.asked.append("resume")

    def turn(self) -> None:
        self.asked.append("turn")

    def waiting_s(self) -> float:
        return 0.0


class Given:
    """Callbacks, what they ask, and what is counted."""

    def __init__(self) -> None:
        self.flow, self.tally = Flow(), Tally("toy")
        self.callbacks = Callbacks(self.tally, self.flow)

    def emit(self, *numbers: int) -> None:
        for number in numbers:
            self.callbacks.emit(ticker(number))


def ticker(number: int) -> Ticker:
    return Ticker(
        exchange="toy", symbol="A-X", exchange_symbol="AX", bid=None, bid_size=None, ask=None, ask_size=None,
        sequence=number, received_us=number,
    )  # fmt: skip


def book() -> OrderBook:
    levels: Any = Raw(b'[["1","2"]]')
    return OrderBook(
        action="delta", exchange="toy", symbol="A-X", exchange_symbol="AX", depth=None, bids=levels, asks=levels,
        received_us=1,
    )  # fmt: skip


def number_of(event: MarketEvent) -> int | None:
    return event.sequence if isinstance(event, Ticker) else None


def test_each_callback_has_every_event_in_order_and_each_event_counts_once() -> None:
    given, first, second = Given(), list[Any](), list[Any]()
    given.callbacks.add(first.append)
    given.callbacks.add(second.append)
    given.emit(1, 2, 3)
    assert [number_of(event) for event in first] == [1, 2, 3]
    assert second == first
    assert given.tally.events[Ticker].value == 3


def test_one_that_raises_is_counted_each_time_and_keeps_nothing_from_the_others() -> None:
    given, got = Given(), list[Any]()

    def raises(event: MarketEvent) -> None:
        raise ZeroDivisionError(event)

    given.callbacks.add(raises)
    given.callbacks.add(got.append)
    given.emit(1, 2)
    assert len(got) == 2
    assert given.tally.callback_errors.value == 2


@pytest.mark.parametrize("alone", [True, False])
def test_levels_are_read_where_anybody_wants_to_look_at_them(alone: bool) -> None:
    given, got = Given(), list[Any]()
    given.callbacks.add(got.append, text=True)
    if not alone:
        given.callbacks.add(lambda _: None)
    given.callbacks.emit(book())
    assert isinstance(got[0].bids, Raw if alone else list)


def test_a_callback_may_add_another_which_has_the_events_that_follow() -> None:
    given, later = Given(), list[Any]()

    def adds(event: MarketEvent) -> None:
        if number_of(event) == 1:
            given.callbacks.add(later.append)

    given.callbacks.add(adds)
    given.emit(1, 2)
    assert [number_of(event) for event in later] == [2]


def test_plain_ones_that_took_their_time_give_the_event_loop_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(callbacks, "monotonic", lambda: now[0])
    given, took = Given(), callbacks.TURN_S * 0.4

    def slow(event: MarketEvent) -> None:
        now[0] += took

    given.callbacks.add(slow)
    given.emit(*range(10))
    assert given.flow.asked == ["turn"] * 3  # after 1.2, 2.4 and 3.6 of them


async def test_an_async_one_that_has_too_much_to_do_pauses_the_feed_until_it_has_little() -> None:
    given, go, done = Given(), asyncio.Event(), list[int | None]()

    async def works(event: MarketEvent) -> None:
        await go.wait()
        done.append(number_of(event))

    given.callbacks.add(works)
    given.emit(*range(HIGH_WATER - 1))
    assert given.flow.asked == []
    given.emit(HIGH_WATER - 1, HIGH_WATER)
    assert given.flow.asked == ["pause"]
    go.set()
    await aeventually(lambda: "resume" in given.flow.asked, "the feed goes on")
    assert len(done) >= HIGH_WATER - LOW_WATER
    assert await given.callbacks.close(10) == 0
    assert done == list(range(HIGH_WATER + 1))
    assert given.flow.asked == ["pause", "resume"]


async def test_what_async_ones_do_not_finish_in_time_is_told() -> None:
    given = Given()

    async def never(event: MarketEvent) -> None:
        await asyncio.Event().wait()

    given.callbacks.add(never)
    given.emit(1, 2, 3)
    assert await given.callbacks.close(0.05) == 3


async def test_an_async_one_that_raises_or_is_cancelled_by_itself_goes_on_with_the_next_event() -> None:
    given, done = Given(), list[int | None]()

    async def fails(event: MarketEvent) -> None:
        done.append(number_of(event))
        raise (asyncio.CancelledError if number_of(event) == 1 else ZeroDivisionError)

    given.callbacks.add(fails)
    given.emit(1, 2, 3)
    assert await given.callbacks.close(10) == 0
    assert done == [1, 2, 3]
    assert given.tally.callback_errors.value == 3


async def test_a_plain_function_that_answers_with_something_to_await_is_an_async_one_from_then_on() -> None:
    given, done = Given(), list[int | None]()

    async def works(event: MarketEvent) -> None:
        await asyncio.sleep(0)
        done.append(number_of(event))

    given.callbacks.add(lambda event: works(event))  # noqa: PLW0108 - does not look async
    given.emit(1, 2, 3)
    assert await given.callbacks.close(10) == 0
    assert done == [1, 2, 3]


def no_argument() -> None: ...


def two(first: object, second: object) -> None: ...


def generator(event: object) -> Any:
    yield event


async def asynchronous_generator(event: object) -> Any:
    yield event


@pytest.mark.parametrize("wrong", [None, 1, "print", no_argument, two, generator, asynchronous_generator])
def test_what_cannot_be_called_with_one_event_is_refused_with_what_a_callback_is(wrong: Any) -> None:
    with pytest.raises(TypeError, match="a callback is a function of one event"):
        check_callback(wrong)


@pytest.mark.parametrize("right", [print, [].append, functools.partial(two, 1), lambda event: event, dict])
def test_whatever_takes_one_event_is_a_callback(right: Callable[..., Any]) -> None:
    check_callback(right)
