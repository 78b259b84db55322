"""A feed whose share of the symbols changes: what goes is invalid, what comes begins when it may."""

from unittest.mock import Mock

from feed.conftest import MakeFeed
from feed.test_changing_symbols import WIDE, asked, ends
from feed.toy_server import ToyServer, subscribed
from support import aeventually
from tickwire.config.share import GroupShare, part_of

NAMES = ("A-X", "B-X", "C-X", "D-X")
PART = {name: part_of(f"toy|{name}".encode(), 1 << 40) for name in NAMES}


def share(*names: str, standby: int = 0) -> GroupShare:
    return GroupShare(exchange="toy", parts=frozenset(PART[name] for name in names), count=1 << 40, standby=standby)


async def test_shares_come_and_go_and_a_book_begins_when_it_may(make_feed: MakeFeed) -> None:
    epochs = Mock(last=5, most=1 << 60, may_begin=Mock(return_value=False))
    async with ToyServer(listed=NAMES) as server:
        feed = make_feed(server, names=("*-X",), limits=WIDE, epochs=lambda _: epochs)
        events: list[object] = []
        feed.add_callback(events.append)
        feed.change_share(share("A-X"))  # before it reads
        async with feed:
            peer = await subscribed(server)
            change = feed.change_share(share("A-X", "C-X"))
            assert ([s.canonical for s in change.added], change.removed) == (["C-X"], [])
            await aeventually(lambda: asked(peer) == ["+AX", "+CX"], "what came")
            await peer.say_book("AX", "whole", 1)
            await peer.say_book("CX", "whole", 1)
            await aeventually(lambda: feed.accounting()["frames_received"] >= 4, "both books")
            assert events == []
            epochs.may_begin.return_value = True
            await aeventually(lambda: len(events) == 2, "both begin")
            feed.change_share(share("C-X", "D-X"))
            await aeventually(lambda: asked(peer) == ["+AX", "+CX", "-AX", "+DX"], "the change")
            assert ends(events)[2:] == [("A-X", "invalid", "disconnect")]
            feed.change_share(share())
    assert ends(events)[3:] == [("C-X", "invalid", "disconnect")]
    assert [call.args[0] > 5 for call in epochs.given.call_args_list] == [True, True]


async def test_what_is_warm_is_read_and_handed_out_when_it_is_ours(make_feed: MakeFeed) -> None:
    epochs = Mock(last=5, most=1 << 60, may_begin=Mock(return_value=True))
    channels = ("ticker", "orderbook")
    async with ToyServer(listed=NAMES[:2]) as server:
        feed = make_feed(server, names=("*-X",), channels=channels, limits=WIDE, epochs=lambda _: epochs)
        events: list[object] = []
        feed.add_callback(events.append)
        feed.change_share(share("A-X", standby=9))
        async with feed:
            peer = await subscribed(server, 4)
            for native in ("AX", "BX"):
                await peer.say_book(native, "whole", 1)
                await peer.say(name=native, bid="1")
            await aeventually(lambda: feed.accounting()["frames_received"] >= 8, "all of it")
            assert {event.symbol for event in events} == {"A-X"}  # type: ignore[attr-defined]
            assert list(feed.accounting()["books"]) == ["A-X"]
            before = len(server.peers), len(peer.texts)
            change = feed.change_share(share("B-X", standby=9))
            assert (change.added, change.removed) == ([], [])
            turned = [("A-X", "invalid", "disconnect"), ("B-X", "snapshot", "initial")]
            await aeventually(lambda: ends(events)[1:] == turned, "both")
            await peer.say(name="AX", bid="2")
            await peer.say(name="BX", bid="2")
            await aeventually(lambda: events[-1].symbol == "B-X" and len(events) == 5, "its ticker")  # type: ignore[attr-defined]
            assert (len(server.peers), len(peer.texts)) == before
