"""What every exchange's simulator says, whole and broken: the same comes of it on the short way and on the long one."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchanges.broken import Break, Session
from exchanges.ways import emptied, level_changed, level_lost, number_changed
from forms import FORMS, use
from recordings import Replay, recordings
from tickwire import exchanges, simulator
from tickwire.errors import FrameRejected
from tickwire.exchanges.contract import Fetch, Symbol
from tickwire.wire.clock import now_us
from wire.short_way_support import WAYS, Chain

pytestmark = pytest.mark.skipif("compiled" not in FORMS, reason="all frames go to the adapter then")

_STEPS = 60
_DEPTH = 10  # that the recorded session asked for
_TAKEN = 0.5  # of the changes of a book, at least


def _has_short_way(name: str) -> bool:
    return getattr(exchanges.load(name).Adapter, "shapes", None) is not None


NAMES = [name for name in simulator.names() if _has_short_way(name)]


class Said(NamedTuple):
    """What an exchange said to one connection, and bodies of its snapshots."""

    module: Any
    symbols: Sequence[Symbol]
    whole: Sequence[bytes | tuple[Fetch, bytes]]
    session: Session


class _Recorded(Session):
    """A session whose frames and bodies are kept in their order."""

    def __init__(self, name: str) -> None:
        self.kept: list[bytes | tuple[Fetch, bytes]] = []
        super().__init__(name, 1)

    def _pass(self, way: Break | None, frame: bytes) -> None:
        self.kept.append(frame)
        super()._pass(way, frame)

    def _fetched(self, fetch: Fetch) -> None:
        self.kept.append((fetch, self._rest(fetch.path)))
        super()._fetched(fetch)


@cache
def said(name: str) -> Said:
    session = _Recorded(name)
    session.run(_STEPS)
    return Said(session.module, session.symbols, session.kept, session)


def play(name: str, script: Sequence[tuple[int, int]], *, short: bool, mode: str) -> Chain:
    """Say it all again; at each place of the script a frame is broken in some way."""
    of = said(name)
    chain = Chain(short=short, mode=mode, exchange=of.module, symbols=of.symbols, channels=("orderbook",), depth=_DEPTH)
    chain.adapter.start()
    broken = dict(script)
    for place, one in enumerate(of.whole):
        if isinstance(one, tuple):
            chain.session._act(chain.adapter.fetched, *one, now_us())
            continue
        seed = broken.get(place)
        for frame in [one] if seed is None else _broken(of.session, one, seed):
            chain.message(frame)
    return chain


def _broken(session: Session, frame: bytes, seed: int) -> list[bytes]:
    chance = session.rng = random.Random(seed)
    match chance.randrange(9):
        case 0:
            return []
        case 1:
            return [frame, frame]
        case 2:
            return [frame[: chance.randrange(len(frame) + 1)]]
        case 3:
            changed = bytearray(frame)
            changed[chance.randrange(len(changed))] = chance.randrange(256)
            return [bytes(changed)]
        case 4:
            return [_spread(frame)]
        case way:
            return (number_changed, level_changed, level_lost, emptied)[way - 5](session, frame)


def _spread(frame: bytes) -> bytes:
    return msgspec.json.format(frame, indent=1) if frame[:1] in b"{[" else frame


# Its numbers in the recording are above 2^53, which no shape takes.
_OTHERS = {"bitget"}


@pytest.mark.parametrize("name", NAMES)
def test_recorded_changes_have_the_shape_that_is_taken_and_not_those_of_the_simulator_alone(name: str) -> None:
    taken = 0
    with use("python"):
        for recording in [path for path in recordings() if path.parent.name == name]:
            replay = Replay(recording)
            way = getattr(replay.adapter, "short_way", None)
            assert way is not None
            replay.adapter.start()
            for line in replay.lines:
                deltas: list[object] = []
                with suppress(FrameRejected):
                    deltas = [out for _, out in replay.took(line) if getattr(out, "action", None) == "delta"]
                if "frame" in line and deltas:
                    payload = replay.payload(line)
                    text = payload if way.unpack is None else way.unpack(payload)
                    taken += way._change.read(text) is not None
    assert (taken > 0) is (name not in _OTHERS)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", FORMS)
def test_most_changes_of_a_book_take_the_short_way(name: str, form: str) -> None:
    async def run() -> Chain:
        with use(form):
            return play(name, (), short=True, mode="delta")

    chain = asyncio.run(run())
    assert chain.tally.short_way.value >= _TAKEN * _STEPS
    assert chain.errors == []


@given(
    st.sampled_from(NAMES),
    st.lists(st.tuples(st.integers(2, _STEPS), st.integers()), max_size=8),
    st.sampled_from(["delta", "delta", "snapshot"]),
)
@settings(max_examples=150, deadline=None)
def test_both_ways_do_the_same_for_every_exchange(name: str, script: list[tuple[int, int]], mode: str) -> None:
    async def run() -> list[dict[str, Any]]:
        answers = []
        for short, form in WAYS:
            with use(form):
                answers.append(play(name, script, short=short, mode=mode).seen())
        return answers

    long, *others = asyncio.run(run())
    assert others == [long] * len(FORMS)
