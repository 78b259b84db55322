"""The short way to Kafka does what the long way does: the same records, counts, books and numbers, frame by frame."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forms import FORMS, use
from wire.short_way_support import (
    ADDED,
    IN_FORMATS,
    USUAL,
    WAYS,
    Chain,
    damaged,
    depth,
    disturbances,
    numbers,
    odd,
    rarely_more,
    snapshot,
    spread,
    ticker,
)

pytestmark = pytest.mark.skipif("compiled" not in FORMS, reason="all frames go to the adapter then")

rarely_odd = st.integers(0, 30).flatmap(lambda n: numbers if n else odd)
names = st.sampled_from([b"BTCUSDT", b"BTCUSDT", b"ETHUSDT", b"XRPUSDT", b"", b" BTCUSDT", b"BTCUSDT "])
update_ids = st.one_of(
    st.integers(0, 2**53 + 2).map(lambda n: b"%d" % n),
    st.sampled_from([b"007", b"-1", b"1.0", b"9" * 30, b'"1"', b"9007199254740993"]),
)
tickers = st.builds(ticker, names, update_ids, rarely_odd, rarely_odd, rarely_odd, rarely_odd, more=rarely_more)
levels = st.lists(st.tuples(rarely_odd, rarely_odd), max_size=5).map(
    lambda pairs: b"[" + b",".join(b'["%s","%s"]' % pair for pair in pairs) + b"]"
)
odd_lists = st.sampled_from([b"null", b"[[1,2]]", b'[ ["1","2"] ]', b"[[]]", b"{}", b"[", b'[["1"]]'])
lists = st.integers(0, 40).flatmap(lambda n: levels if n else odd_lists)
# How many update ids an event covers, and how far its first is from the next one; 0 and 0 are in order.
steps = st.tuples(st.integers(0, 3), st.sampled_from([0, 0, 0, 0, 0, 0, 0, -1, -3, 1, 5]))
books = st.sampled_from([b"BTCUSDT", b"BTCUSDT", b"ETHUSDT", b"XRPUSDT"])
changes = st.tuples(books, steps, lists, lists, rarely_more)
actions = st.one_of(
    changes,
    changes,
    changes,
    changes,
    tickers,
    st.just("snapshot"),
    disturbances,
    st.integers(),
)


def play(chain: Chain, script: list[Any], *, spaced: bool) -> None:
    """Do what the script says; what comes in order depends on what came before, not on the chain."""
    last = {b"BTCUSDT": 100, b"ETHUSDT": 100, b"XRPUSDT": 100}
    frame = USUAL
    for action in script:
        match action:
            case "snapshot":
                chain.fetched(snapshot(min(last.values())))
                continue
            case str():
                chain.disturb(action)
                continue
            case int():
                frame = damaged(frame, action)
            case bytes():
                frame = action
            case (symbol, (width, off), bids, asks, more):
                first = last[symbol] + 1 + off
                frame = depth(symbol, first, first + width, bids, asks, more)
                last[symbol] = max(last[symbol], first + width)
        chain.message(spread(frame) if spaced else frame)


async def both(
    script: list[Any], mode: str = "delta", *, spaced: bool = False, ways: Sequence[tuple[Any, ...]] = WAYS
) -> list[dict[str, Any]]:
    """Play the script on the long way, and on the short one in each form."""
    answers = []
    for short, one, *values in ways:
        with use(one):
            chain = Chain(short=short, mode=mode, values=values[0] if values else "json")
            for native in (b"BTCUSDT", b"ETHUSDT"):
                chain.message(ticker(native, b"1", b"1", b"1", b"2", b"2"))
                chain.message(depth(native, 100, 100, b"[]", b"[]"))
            chain.fetched(snapshot(99))
            chain.fetched(snapshot(99))
            play(chain, script, spaced=spaced)
            answers.append(chain.seen())
    return answers


@given(st.lists(actions, max_size=25), st.booleans())
@settings(max_examples=100, deadline=None)
def test_both_ways_send_and_count_the_same(script: list[Any], spaced: bool) -> None:
    long, *short = asyncio.run(both(script, spaced=spaced))
    assert short == [long] * len(FORMS)


@pytest.mark.parametrize("mode", ["delta", "snapshot"])
async def test_on_every_way_no_more_is_promised_than_is_known(mode: str) -> None:
    asked = []
    sides = [[[str(price + sign * n), "1"] for n in range(100)] for price, sign in ((5000, -1), (6000, 1))]
    for short, form in WAYS:
        with use(form):
            chain = Chain(short=short, mode=mode)
            chain.message(depth(b"BTCUSDT", 1, 1, b"[]", b"[]"))
            chain.fetched(msgspec.json.encode({"lastUpdateId": 0, "bids": sides[0], "asks": sides[1]}))
            taken = chain.long_way()
            for n in range(99):
                gone, changed = b'[["%d","0"]]' % (5000 - n), b'[["6000","%d"]]' % (n + 2)
                chain.message(depth(b"BTCUSDT", n + 2, n + 2, gone, changed))
            for n, (_, value, *_more) in enumerate(chain.sent[-99:]):
                assert 0 < msgspec.json.decode(value)["depth"] <= min(25, 99 - n)
            asked.append((chain.seen(), [(fetch.path, fetch.share) for fetch in chain.fetches]))
            assert not short or len(taken) < 40
    assert asked == [asked[0]] * len(WAYS)
    assert asked[0][1][-1] == ("/api/v3/depth?symbol=BTCUSDT&limit=1000", 0.75)


@given(st.lists(actions, max_size=15), st.booleans(), st.sampled_from(["delta", "snapshot"]))
@settings(max_examples=25, deadline=None)
def test_every_way_sends_the_same_in_every_format(script: list[Any], spaced: bool, mode: str) -> None:
    plain, *others = asyncio.run(both(script, mode, spaced=spaced, ways=IN_FORMATS))
    assert others == [plain] * (len(IN_FORMATS) - 1)


@pytest.mark.parametrize("more", [b"}", b" ", b"x", b"\0"])
async def test_what_stands_behind_a_frame_is_not_passed_over(more: bytes) -> None:
    frames = [USUAL, depth(b"BTCUSDT", 101, 101, b"[]", b"[]")]
    long, *short = await both([*frames, USUAL + more, depth(b"BTCUSDT", 102, 102, b"[]", b"[]") + more])
    assert short == [long] * len(FORMS)


@pytest.mark.parametrize("more", ADDED)
async def test_what_is_added_to_a_frame_is_passed_over_only_where_the_adapter_does(more: bytes) -> None:
    frames = [
        ticker(b"BTCUSDT", b"7", b"1", b"1", b"2", b"2", more=more),
        depth(b"BTCUSDT", 101, 101, b"[]", b'[["100.5","3"]]', more),
        depth(b"BTCUSDT", 102, 102, b"[]", b"[]"),
    ]
    long, *short = await both(frames)
    assert short == [long] * len(FORMS)


@given(st.lists(actions, max_size=15), st.booleans())
@settings(max_examples=75, deadline=None)
def test_in_snapshot_mode_too(script: list[Any], spaced: bool) -> None:
    long, *short = asyncio.run(both(script, "snapshot", spaced=spaced))
    assert short == [long] * len(FORMS)
