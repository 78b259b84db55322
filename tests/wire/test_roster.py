"""What a roster makes of a listing that changes, for each share of the work."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from feed.toy_exchange import toy
from feed.toy_server import ToyServer
from tickwire.config.share import WHOLE, GroupShare, Share
from tickwire.wire.rest import Rest
from tickwire.wire.roster import Change, Roster

NAMES = [f"S{i}-X" for i in range(40)]


@asynccontextmanager
async def rosters(server: ToyServer, *shares: Share) -> AsyncIterator[list[Roster]]:
    async with server, Rest(f"http://{server.address}", (), random.Random(1).random) as rest:
        yield [Roster(toy(), rest, share) for share in shares]


def names(change: Change) -> tuple[list[str], list[str]]:
    return [one.canonical for one in change.added], [one.canonical for one in change.removed]


async def test_what_is_new_goes_to_the_share_that_it_would_have_been_in_from_the_start() -> None:
    shares = [Share(index, 3) for index in range(3)]
    server = ToyServer(listed=NAMES[:20])
    async with rosters(server, *shares) as found:
        for roster, share in zip(found, shares, strict=True):
            assert names(await roster.want(["ALL"])) == (share.take(NAMES[:20], str), [])
        server.listed = NAMES
        for roster, share in zip(found, shares, strict=True):
            assert names(await roster.look()) == (share.take(NAMES[20:], str), [])
            assert names(await roster.look()) == ([], [])


async def test_a_listing_that_grows_without_end_adds_no_more_than_may_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tickwire.wire.roster.MOST", 25)
    server = ToyServer(listed=NAMES[:20])
    async with rosters(server, WHOLE) as (roster,):
        await roster.want(["*-X"])
        server.listed = NAMES
        assert names(await roster.look()) == (NAMES[20:25], [])
        assert names(await roster.look()) == ([], [])


async def test_another_share_changes_what_is_in_one_of_them_alone() -> None:
    async with rosters(ToyServer(listed=NAMES), GroupShare()) as (roster,):
        assert names(await roster.want(["ALL"])) == ([], [])
        first, second = (GroupShare(exchange="toy", parts=frozenset(parts), count=8) for parts in ((1, 2), (2, 5)))
        assert names(roster.move(first)) == (first.take(NAMES, str), [])
        come, go = names(roster.move(second))
        assert set(second.take(NAMES, str)) == set(first.take(NAMES, str)) - set(go) | set(come)
        assert go
        assert not set(come) & set(first.take(NAMES, str))
        assert names(await roster.want(["*-X", "!S3-X"]))[0] == []


async def test_a_member_reads_some_of_the_others_symbols_and_its_own_all() -> None:
    some = GroupShare(exchange="toy", parts=frozenset({1, 2}), count=8, standby=5, member="one")
    own = replace(some, standby=0).take(NAMES, str)
    async with rosters(ToyServer(listed=NAMES), some) as (roster,):
        read, _ = names(await roster.want(["ALL"]))
        warm = [symbol.canonical for symbol in roster.warm()]
        assert (read, len(warm), set(own) & set(warm)) == ([*own, *warm], 5, set())
        assert replace(some, member="two").warm(NAMES, str) != warm
        assert set(replace(some, standby=100).take(NAMES, str)) == set(NAMES)
        more = replace(some, parts=frozenset({1, 2, 5}))
        come, go = names(roster.move(more))
        assert set(read) - set(go) | set(come) == set(more.take(NAMES, str))
        assert not set(come) & set(read)


async def test_what_was_refused_is_new_again() -> None:
    async with rosters(ToyServer(listed=NAMES[:2]), WHOLE) as (roster,):
        change = await roster.want(["ALL"])
        assert names(roster.accept(change, {"S1-X": "somebody else has it"})) == (["S0-X"], [])
        assert names(await roster.look()) == (["S1-X"], [])
