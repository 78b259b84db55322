"""Symbols come and go while a connection is open, on every exchange: the suite is made from the recordings."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from forms import FORMS, use
from recordings import Replay, events_of, recordings, replay
from tickwire.errors import FrameRejected, NotWanted
from tickwire.events.types import OrderBook, Ticker, Trade
from tickwire.exchanges.contract import Fetch, Output, Reconnect, Resync, Send


@pytest.fixture(params=FORMS, scope="module", autouse=True)
def form(request: pytest.FixtureRequest) -> Iterator[None]:
    with use(request.param):
        yield


each_recording = pytest.mark.parametrize("recording", recordings(), ids=lambda p: f"{p.parent.name}-{p.name}")


each_with_data = pytest.mark.parametrize(
    "recording",
    [recording for recording in recordings() if b'"received_us"' in events_of(recording).read_bytes()],
    ids=lambda p: f"{p.parent.name}-{p.name}",
)


def played(recording: Path) -> Replay:
    """A player whose recording is over, some of whose books are valid."""
    player = Replay(recording)
    for _ in player.outputs():
        pass
    return player


def again(player: Replay) -> tuple[list[Output], set[type[Exception]]]:
    """What comes out when everything comes again, and how it was refused."""
    out: list[Output] = []
    refused: set[type[Exception]] = set()
    for line in player.lines:
        try:
            out += [output for _, output in player.took(line)]
        except (FrameRejected, NotWanted) as e:
            refused.add(type(e))
    return out, refused


@each_recording
@pytest.mark.parametrize("first", [0, 1])
def test_what_is_added_before_the_start_is_as_if_it_had_been_there(recording: Path, first: int) -> None:
    assert replay(recording, first) == events_of(recording).read_bytes().splitlines()


@each_with_data
def test_what_is_removed_is_unsubscribed_and_what_still_comes_of_it_is_skipped(recording: Path) -> None:
    player = played(recording)
    out = player.adapter.remove(player.symbols)
    assert out
    assert all(isinstance(output, Send) for output in out)
    assert player.adapter.pending() == []
    assert all(player.adapter.book(symbol) is None for symbol in player.symbols)
    rest, _ = again(player)
    assert [output for output in rest if not isinstance(output, Send | Reconnect)] == []
    assert player.adapter.retry() == []
    assert player.adapter.stop() == []


@each_with_data
def test_frames_of_what_was_removed_are_not_refused(recording: Path) -> None:
    """Those that are read when they come a second time, as some are about a subscription that has ended."""
    player, read = played(recording), list[dict[str, Any]]()
    for line in player.lines:
        with suppress(FrameRejected):
            if any(not isinstance(output, Send | Reconnect) for _, output in player.took(line)):
                read.append(line)
    player.adapter.remove(player.symbols)
    for line in player.lines:
        with suppress(NotWanted, *([] if line in read else [FrameRejected])):
            assert all(isinstance(output, Send | Reconnect) for _, output in player.took(line))


@each_recording
def test_the_others_stay_as_they_are(recording: Path) -> None:
    player = played(recording)
    for symbol in player.symbols[1:]:
        before, pending = player.adapter.book(symbol), player.adapter.pending()
        player.adapter.remove(player.symbols[:1])
        assert player.adapter.book(symbol) is before
        assert player.adapter.pending() == [item for item in pending if item[1] != player.symbols[0]]
        player.adapter.add(player.symbols[:1])
        assert player.adapter.book(symbol) is before


@each_with_data
def test_what_comes_back_is_asked_for_and_read_as_at_first(recording: Path) -> None:
    player = played(recording)
    player.adapter.remove(player.symbols)
    assert any(isinstance(output, Send) for output in player.adapter.add(player.symbols))
    assert set(player.adapter.pending()) == {(c, s) for c in player.channels for s in player.symbols}
    out, refused = again(player)
    assert NotWanted not in refused
    assert any(isinstance(output, Ticker | OrderBook | Trade) for output in out)


@each_with_data
def test_what_has_spoken_is_not_waited_for_and_what_is_asked_anew_is_subscribed(recording: Path) -> None:
    player = Replay(recording)
    events = [output for _, output in player.outputs() if isinstance(output, Ticker | OrderBook)]
    spoken = {("ticker" if isinstance(e, Ticker) else "orderbook", e.exchange_symbol) for e in events}
    unheard = player.adapter.unheard()
    assert not spoken & {(channel, symbol.native) for channel, symbol in unheard}
    assert not set(unheard) & set(player.adapter.pending())
    for channel, symbol in unheard:
        assert len([output for output in player.adapter.renew(channel, symbol, 0) if isinstance(output, Send)]) == 2
    assert player.adapter.unheard() == []


def _items(outputs: Iterable[object]) -> set[tuple[str, str]]:
    return {(type(e).__name__.lower(), e.exchange_symbol) for e in outputs if isinstance(e, Ticker | Trade)}


@each_with_data
def test_tickers_and_trades_that_are_asked_for_anew_are_carried_as_soon_as_they_speak(recording: Path) -> None:
    player = Replay(recording)
    spoken, adapter = _items(output for _, output in player.outputs()), player.adapter
    items = [(c, s) for s in player.symbols for c in adapter.spoken if (str(c), s.native) in spoken]
    for channel, symbol in items:
        assert any(isinstance(output, Send | Fetch | Resync) for output in adapter.renew(channel, symbol, 0))
    before = {symbol: adapter.tickers(symbol) for symbol in player.symbols}
    out, _ = again(player)
    for channel, symbol in items:
        if (str(channel), symbol.native) in _items(out):
            assert (channel, symbol) not in adapter.pending()
            assert channel != "ticker" or adapter.tickers(symbol) > before[symbol]
