"""Symbols that come and go while a feed runs: the others' sockets and books stay as they are."""

import asyncio
from typing import Any
from unittest.mock import Mock

import pytest

from feed.conftest import Feeding, MakeFeed
from feed.toy_server import Peer, ToyServer, subscribed
from support import aeventually
from tickwire import metrics
from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import UnknownSymbol
from tickwire.events.types import OrderBook
from tickwire.kafka.producing.memory import MemoryPublisher

WIDE = {"symbols_per_connection": 3}


def asked(peer: Peer) -> list[str]:
    """What a client asked for and took back, in order."""
    return [f"+{text['sub']}" if "sub" in text else f"-{text['unsub']}" for text in peer.texts if len(text) < 3]


def changes(change: str) -> float:
    value: float = metrics.SYMBOL_CHANGES.labels("toy", change)._value.get()
    return value


def ends(events: list[Any]) -> list[tuple[str, str, str | None]]:
    return [(e.symbol, e.action, e.reason) for e in events if isinstance(e, OrderBook) and e.action != "delta"]


async def test_a_changed_list_leaves_the_others_alone(feeding: Feeding) -> None:
    async with (
        ToyServer(listed=("A-X", "B-X", "C-X", "D-X")) as server,
        feeding(server, names=("A-X", "B-X"), limits=WIDE) as (feed, events),
    ):
        peer = await subscribed(server, 2)
        await peer.say_book("AX", "whole", 1)
        await peer.say_book("BX", "whole", 1)
        await aeventually(lambda: len(events) == 2, "both books")
        await feed.change_symbols(["B-X", "C-X", "D-X"])
        assert feed.config.symbols == ("B-X", "C-X", "D-X")
        await aeventually(lambda: asked(peer) == ["+AX", "+BX", "-AX", "+CX", "+DX"], "the change, and no more")
        await peer.say_book("AX", "change", 2)  # on its way still
        await peer.say_book("BX", "change", 2)
        await peer.say_book("CX", "whole", 7)
        await aeventually(lambda: len(events) == 5, "what follows")
        assert [(e.symbol, e.action, e.reason, e.book_seq) for e in events[2:]] == [
            ("A-X", "invalid", "disconnect", 1),
            ("B-X", "delta", None, 1),
            ("C-X", "snapshot", "initial", 0),
        ]
        assert events[3].epoch == events[1].epoch
        assert list(feed.accounting()["books"]) == ["B-X", "C-X", "D-X"]
        assert not feed.accounting()["frames_rejected"]["unknown"]
        with pytest.raises(KeyError, match="B-X, C-X, D-X"):
            feed.book("A-X")
        assert len(server.peers) == 1


async def test_what_comes_back_begins_as_new(feeding: Feeding) -> None:
    async with ToyServer() as server, feeding(server, names=("A-X", "B-X")) as (feed, events):
        peer = await subscribed(server, 2)
        await peer.say_book("AX", "whole", 1)
        await aeventually(lambda: events, "the book")
        await feed.change_symbols(["B-X"])
        await feed.change_symbols(["A-X", "B-X"])
        await aeventually(lambda: asked(peer) == ["+AX", "+BX", "-AX", "+AX"], "the change")
        await peer.say_book("AX", "whole", 9)
        await aeventually(lambda: len(events) == 3, "the book again")
        assert ends(events) == [("A-X", "snapshot", "initial"), ("A-X", "invalid", "disconnect"),
                                ("A-X", "snapshot", "initial")]  # fmt: skip
        assert events[2].epoch > events[0].epoch


async def test_what_has_no_room_has_a_connection_of_its_own_and_an_empty_one_is_closed(feeding: Feeding) -> None:
    names = tuple(f"S{i}-X" for i in range(6))
    async with ToyServer(listed=names) as server, feeding(server, names=names[:3]) as (feed, _):
        first, second = await subscribed(server, 2), await subscribed(server, 1, peer=1)
        await feed.change_symbols(names)
        third = await subscribed(server, 2, peer=2)
        assert [asked(peer) for peer in (first, second, third)] == [
            ["+S0X", "+S1X"], ["+S2X", "+S3X"], ["+S4X", "+S5X"],
        ]  # fmt: skip
        await feed.change_symbols([*names[:2], *names[4:]])
        await asyncio.wait_for(second.closed.wait(), 10)
        await feed.change_symbols([names[0], *names[3:]])  # one goes, another one takes its place
        await aeventually(lambda: asked(first)[2:] == ["-S1X", "+S3X"], "the room that was left")
        assert not first.closed.is_set()
        assert not third.closed.is_set()
        assert len(server.peers) == 3


@pytest.mark.usefixtures("hasty")
async def test_a_new_connection_asks_for_what_is_read_then(feeding: Feeding) -> None:
    async with ToyServer() as server, feeding(server, names=("A-X", "B-X")) as (feed, _):
        peer = await subscribed(server, 2)
        server.accept = lambda: False
        peer.cut()
        await aeventually(lambda: len(server.attempts) > 1, "an attempt")
        await feed.change_symbols(["B-X", "C-X"])
        server.accept = lambda: True
        again = await subscribed(server, 2, peer=1)
        assert asked(again) == ["+BX", "+CX"]


async def test_a_list_that_does_not_fit_changes_nothing(feeding: Feeding) -> None:
    async with ToyServer() as server, feeding(server, names=("A-X",)) as (feed, events):
        peer = await subscribed(server)
        for wrong in (["B-X", "NO-X"], ["B-X", "*-Y"]):
            with pytest.raises(UnknownSymbol):
                await feed.change_symbols(wrong)
        await peer.say_book("AX", "whole", 1)
        await aeventually(lambda: events, "its book")
        assert asked(peer) == ["+AX"]


async def test_what_may_not_be_published_is_not_read_until_it_may(
    make_feed: MakeFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher = MemoryPublisher(KafkaConfig())
    place = Mock(return_value={"B-X": "process 7 publishes it too"})
    monkeypatch.setattr(publisher.place, "change", place)
    async with ToyServer() as server, make_feed(server, limits=WIDE, publisher=publisher) as feed:
        peer = await subscribed(server)
        await feed.change_symbols(["B-X", "C-X"])
        await aeventually(lambda: asked(peer) == ["+AX", "-AX", "+CX"], "the change")
        place.return_value = {}
        await feed.change_symbols(["B-X", "C-X"])
        await aeventually(lambda: asked(peer) == ["+AX", "-AX", "+CX", "+BX"], "the rest")
    assert [one.args for one in place.call_args_list] == [
        ("toy", ("orderbook",), ["B-X", "C-X"], ["A-X"]),
        ("toy", ("orderbook",), ["B-X"], []),
    ]


async def test_new_listings_are_read_and_vanished_ones_are_given_up(feeding: Feeding) -> None:
    before = {change: changes(change) for change in metrics.CHANGES}
    async with (
        ToyServer(listed=("A-X", "B-X", "E-Y")) as server,
        feeding(server, names=("*-X",), limits=WIDE, listing_seconds=1) as (_, events),
    ):
        peer = await subscribed(server, 2)
        await peer.say_book("BX", "whole", 1)
        server.listed = ("A-X", "C-X", "E-Y", "F-Y")
        await aeventually(lambda: asked(peer) == ["+AX", "+BX", "+CX", "-BX"], "the change")
        assert ends(events) == [("B-X", "snapshot", "initial"), ("B-X", "invalid", "disconnect")]
    assert {change: changes(change) - before[change] for change in metrics.CHANGES} == {
        "added": 1, "removed": 0, "vanished": 1,
    }  # fmt: skip


async def looks(server: ToyServer, count: int) -> None:
    """Wait for so many more looks at the listing."""
    seen = len(server.requests)
    await aeventually(lambda: len(server.requests) >= seen + count, f"{count} looks at the listing")


async def test_a_named_symbol_that_vanishes_is_told_once_and_read_on(feeding: Feeding) -> None:
    before = changes("vanished")
    async with ToyServer() as server, feeding(server, names=("A-X",), listing_seconds=1) as (_, events):
        peer = await subscribed(server)
        server.listed = ("B-X",)
        await looks(server, 3)
        await aeventually(lambda: changes("vanished") == before + 1, "the count")
        await looks(server, 1)
        await peer.say_book("AX", "whole", 1)
        await aeventually(lambda: events, "its book")
        assert changes("vanished") == before + 1
        assert asked(peer) == ["+AX"]


@pytest.mark.parametrize("listing", ["empty", "once", "partial", "resting"])
async def test_what_is_missing_in_a_doubtful_listing_is_read_on(feeding: Feeding, listing: str) -> None:
    limits = WIDE | ({"listing_paths": ("/listing", "/more")} if listing == "partial" else {})
    async with ToyServer() as server, feeding(server, names=("*-X",), limits=limits, listing_seconds=1):
        peer = await subscribed(server, 3)
        server.listed = {"empty": (), "resting": ("A-X", "~B-X", "C-X")}.get(listing, ("A-X",))
        await looks(server, 1 if listing == "once" else 3)
        server.listed = ("A-X", "B-X", "C-X")
        await looks(server, 2)
        assert asked(peer) == ["+AX", "+BX", "+CX"]
