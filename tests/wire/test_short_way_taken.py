"""Which frames take the short way, which take the long one or wait, and what an error or a new session changes."""

import traceback
from collections.abc import Iterator
from typing import Any, cast

import msgspec
import pytest

from forms import FORMS, use
from tickwire.events import short_way
from tickwire.events.rules import NEXT, Rule
from tickwire.exchanges import binance
from tickwire.exchanges.contract import Fetch, Output
from tickwire.wire.clock import clock, now_us
from tickwire.wire.session import Session
from wire.short_way_support import (
    CHANNELS,
    SYMBOLS,
    USUAL,
    Chain,
    depth,
    in_each_form,
    plan_of,
    snapshot,
    spread,
    ticker,
)

pytestmark = pytest.mark.skipif("compiled" not in FORMS, reason="all frames go to the adapter then")

CHANGE, TRADE = b"$#f#l#m=b=a", b"$#%%^<a|b>"


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> Iterator[None]:
    with use(request.param):
        yield


@in_each_form
async def test_the_usual_frames_take_the_short_way_and_any_other_takes_the_long_one() -> None:
    chain = Chain(short=True)
    taken = chain.long_way()
    in_order = [depth(b"BTCUSDT", n, n, b'[["91.00","1"]]', b"[]") for n in range(100, 105)]
    chain.message(in_order[0])
    chain.fetched(snapshot(99))
    for frame in (USUAL, in_order[1], spread(USUAL), *in_order[2:-1], spread(in_order[-1])):
        chain.message(frame)
    for more in (b',"X":1', b', "x" : "y","z":-1.5 , "w":true'):  # as an exchange may add them
        chain.message(ticker(b"BTCUSDT", b"1", b"1", b"1", b"2", b"2", more=more))
    chain.message(depth(b"BTCUSDT", 105, 105, b"[]", b"[]", b',"X":null'))
    assert taken == [in_order[0], USUAL]  # the first of each, from which the way learns
    chain.way.alone = False
    chain.message(USUAL)
    assert taken[2:] == [USUAL]
    assert [topic for topic, *_ in chain.sent].count("ticks.v1.raw") == 5
    assert (chain.tally.frames.value, chain.tally.short_way.value) == (3, 8)


@in_each_form
async def test_nothing_of_a_symbol_that_was_removed_is_sent() -> None:
    chain = Chain(short=True)
    for _ in range(2):
        chain.message(USUAL)
    assert len(chain.sent) == 2
    chain.disturb("change")
    chain.message(USUAL)
    assert len(chain.sent) == 2
    assert chain.seen()["rejected"]["unknown"] == 0
    chain.disturb("change")
    chain.message(USUAL)
    assert len(chain.sent) == 3


@in_each_form
@pytest.mark.parametrize("interval_ms", [0, 100])
async def test_best_levels_take_the_short_way_unless_they_are_written_from_time_to_time(interval_ms: int) -> None:
    chain = Chain(short=True, mode="snapshot", orderbook_interval_ms=interval_ms, orderbook_depth=2)
    taken = chain.long_way()
    chain.message(depth(b"BTCUSDT", 100, 100, b"[]", b"[]"))
    chain.fetched(snapshot(99))
    chain.message(depth(b"BTCUSDT", 101, 101, b'[["91.00","1"]]', b"[]"))
    chain.message(depth(b"BTCUSDT", 102, 102, b'[["91.00","2"]]', b"[]"))
    sent, learned = len(chain.sent), len(taken)
    below, best = (b'[["%d.00","7"]]' % price for price in (80, 92))
    changes = [depth(b"BTCUSDT", 103, 103, below, b"[]"), depth(b"BTCUSDT", 104, 104, best, b"[]")]
    for change in changes:
        chain.message(change)
    assert taken[learned:] == (changes if interval_ms else [])
    if interval_ms:
        chain.books.write_changed()
    assert len(chain.sent) - sent == 1  # the change below them is none of the best levels
    value = msgspec.json.decode(chain.sent[-1][1])
    assert value["bids"] == [["92.00", "7"], ["91.00", "2"]]
    assert (value["reason"], value["depth"], value["sequence"]) == ("update", 2, 104)
    chain.message(depth(b"BTCUSDT", 105, 105, b'[["92.00","0"],["91.00","0"]]', b"[]"))
    chain.books.write_changed()
    value = msgspec.json.decode(chain.sent[-1][1])
    assert value["bids"] == [["90.00", "1.5"], ["89.00", "1.5"]]


@in_each_form
async def test_while_records_of_its_topic_wait_nothing_takes_the_short_way() -> None:
    chain = Chain(short=True)
    chain.message(USUAL)
    chain.message(USUAL)
    chain.publisher._link.flights.ready = False
    sent = len(chain.sent)
    chain.message(USUAL)
    assert len(chain.sent) == sent
    assert chain.publisher.accounting()["ticks.v1.raw"].in_flight == 3


@in_each_form
async def test_what_the_producer_does_not_take_waits_as_on_the_long_way() -> None:
    chain = Chain(short=True)
    chain.message(USUAL)

    def full(*_: object, **__: object) -> None:
        raise BufferError

    link = cast("Any", chain.publisher._link)
    link._producer = ["a record, so it is full"]
    link.flights.produce = full
    chain.message(USUAL)
    chain.message(USUAL)
    account = chain.publisher.accounting()["ticks.v1.raw"]
    assert (account.events, account.conflated, account.in_flight) == (3, 1, 2)
    assert chain.errors == []


@in_each_form
async def test_an_error_on_the_short_way_is_told_and_the_next_frame_is_taken() -> None:
    chain = Chain(short=True)
    chain.message(USUAL)

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    chain.publisher._link.flights.produce = broken
    chain.message(USUAL)
    assert [type(error) for error in chain.errors] == [ZeroDivisionError]
    frames = traceback.extract_tb(chain.errors[0].__traceback__)
    assert "broken" in [frame.name for frame in frames]  # where it comes from is not lost on the way
    chain.publisher._link.flights.produce = chain._produce
    chain.message(USUAL)
    assert len(chain.sent) == 2


@in_each_form
async def test_a_session_that_takes_over_sends_by_the_short_way_and_the_retired_one_sends_nothing() -> None:
    chain = Chain(short=True, symbols=SYMBOLS[:1])
    old = chain.session
    frames = [depth(b"BTCUSDT", n, n, b'[["91.00","1"]]', b"[]") for n in range(100, 106)]
    for frame in frames[:3]:
        old.connection._gate.message(frame)
        chain.fetched(snapshot(99))
    adapter = binance.Adapter(SYMBOLS[:1], CHANNELS, 25)
    new = Session(old._context, adapter, plan_of(SYMBOLS[:1]), standby=True)
    new._handlers[Fetch] = chain.fetches.append
    sent = len(chain.sent)
    for frame in frames[1:3]:
        new.connection._gate.message(frame)
        if chain.fetches:
            new._act(adapter.fetched, chain.fetches.pop(), snapshot(100), 5)
    new.connection._gate.message(USUAL)
    assert len(chain.sent) == sent
    old.retire()
    new.take_over()
    taken: list[bytes] = []

    def receive(payload: bytes, received_us: int) -> list[Output]:
        taken.append(payload)
        return adapter.receive(payload, received_us)

    new._receive = receive
    for frame in frames[3:]:
        old.connection._gate.message(frame)
        new.connection._gate.message(frame)
    assert taken == []
    values = [msgspec.json.decode(value) for topic, value, *_ in chain.sent[sent:]]
    assert [(v["type"], v.get("action"), v.get("book_seq"), v["sequence"]) for v in values] == [
        ("orderbook", "snapshot", 0, 102), ("ticker", None, None, values[1]["sequence"]),
        *[("orderbook", "delta", n, 102 + n) for n in (1, 2, 3)],
    ]  # fmt: skip
    assert values[0]["reason"] == "reconnect"
    assert chain.books.states["BTCUSDT"].valid


@in_each_form
@pytest.mark.parametrize(("ahead_s", "taken"), [(300, False), (4000, True)])
async def test_a_large_step_of_the_clock_back_is_taken_here_too(ahead_s: int, taken: bool) -> None:
    chain = Chain(short=True)
    chain.message(USUAL)
    before = clock.value
    try:
        clock.value = before + ahead_s * 1_000_000
        chain.message(USUAL)
        assert (clock.value < before + 200_000_000) == taken
        assert len(chain.sent) == 2
    finally:
        clock.value = now_us() if taken else before


@in_each_form
@pytest.mark.parametrize(
    ("shapes", "lacks"),
    [
        ((b"$%%%%<a|b>", CHANGE, TRADE), "ticker"), ((b"$#%%%", CHANGE, TRADE), "ticker"),
        ((b"$#%%%%=", CHANGE, TRADE), "ticker"), ((b"$)%%(%%", CHANGE, TRADE), "ticker"),
        ((b"$%%%%(", CHANGE, TRADE), "ticker"), ((b"$%%%(%)", CHANGE, TRADE), "ticker"),
        ((b"($)%%%%", CHANGE, TRADE), "ticker"), ((b"$((%%%%))", CHANGE, TRADE), "ticker"),
        ((b"$#l%%%%", CHANGE, TRADE), "ticker"), ((b"$$%%%%", CHANGE, TRADE), "ticker"),
        ((b"", b"$<a|b>#f#l#m=b=a", TRADE), "change of a book"), ((b"", b"$#f#l#m=b", TRADE), "change of a book"),
        ((b"", b"$#f#l#m=b=b", TRADE), "change of a book"), ((b"", b"$#f#l#m=b=a=s", TRADE), "change of a book"),
        ((b"", b"$#f#l#m==", TRADE), "change of a book"), ((b"", b"#f#l#m=b=a", TRADE), "change of a book"),
        ((b"", b"$$$#f#l#m=b=a", TRADE), "change of a book"), ((b"", b"$#f#l=b=a", TRADE), "change of a book"),
        ((b"", b"$#f#l#m^=b=a", TRADE), "change of a book"), ((b"", b"$#f#l#l#m=b=a", TRADE), "change of a book"),
        ((b"", b"$#f#l#m#=b=a", TRADE), "change of a book"), ((b"", b")$#f#l#m=b=a", TRADE), "change of a book"),
        ((b"", CHANGE, b"$#%%^"), "trade"), ((b"", CHANGE, b"$#%%<a|b>"), "trade"),
        ((b"", CHANGE, b"$#%%^<a|"), "trade"),
        ((b"", CHANGE, b"$#f%%^<a|b>"), "trade"), ((b"", CHANGE, b"$#%%^#m<a|b>"), "trade"),
    ],
)  # fmt: skip
@in_each_form
def test_shapes_without_what_is_needed_are_refused(shapes: tuple[bytes, bytes, bytes], lacks: str) -> None:
    with pytest.raises(ValueError, match=f"a shape has not what a {lacks} needs"):
        short_way.ShortWay(*shapes, Rule(NEXT))
