"""Which connection serves when: sessions that do what a test says, no sockets."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from feed.toy_exchange import symbol
from support import aeventually
from tickwire.errors import ConnectionLost, SubscriptionRefused
from tickwire.exchanges.contract import ConnectionPlan
from tickwire.wire import reconnector
from tickwire.wire.reconnector import Gate, Reconnector
from tickwire.wire.tally import Tally

A, B = symbol("A-X"), symbol("B-X")
CLOSED = ConnectionLost("closed", "bye")


class Session:
    """Lives until :attr:`end` is set, and notes what it is told."""

    def __init__(self, standby: bool) -> None:
        self.standby, self.told = standby, list[str]()
        self.due, self.due_why, self.opened_at = asyncio.Event(), "its age", 1.0
        self.filled = asyncio.Event()
        self.end: asyncio.Future[ConnectionLost] = asyncio.get_running_loop().create_future()
        tell = self.told.append
        self.connection = SimpleNamespace(
            last_frame=1.0, pause=lambda: tell("pause"), resume=lambda: tell("resume"), waiting_s=lambda: 0.0
        )

    async def run(self) -> ConnectionLost:
        return await self.end

    async def ready(self) -> None:
        await self.filled.wait()

    def retire(self) -> None:
        self.told.append("retire")

    def take_over(self) -> None:
        self.told.append("take over")


class Made:
    """A reconnector of A, its sessions in order, and what is counted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sessions: list[Session] = []
        self.tally = Tally("toy")
        self.before = {reason: count.value for reason, count in self.tally.reconnects.items()}
        context: Any = SimpleNamespace(
            random=SimpleNamespace(random=lambda: 0.0), tally=self.tally, exchange=SimpleNamespace(name="toy")
        )
        monkeypatch.setattr(reconnector, "Session", self._open)
        plan = ConnectionPlan("wss://toy.invalid", (A,), ("orderbook",))
        open_adapter: Callable[[ConnectionPlan], Any] = lambda plan: None  # noqa: E731
        self.reconnector = Reconnector(context, plan, open_adapter, Gate(0.0))

    def _open(self, _context: Any, _adapter: Any, _plan: Any, *, standby: bool) -> Session:
        self.sessions.append(Session(standby))
        return self.sessions[-1]

    async def opened(self, count: int) -> Session:
        await aeventually(lambda: len(self.sessions) == count, f"{count} sessions")
        return self.sessions[-1]

    def counted(self) -> dict[str, int]:
        return {reason: count.value for reason, count in self.tally.reconnects.items() if count.value}


@asynccontextmanager
async def running(made: Made) -> AsyncIterator[asyncio.Task[Any]]:
    task: asyncio.Task[Any] = asyncio.create_task(made.reconnector.run())
    yield task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert all(session.end.done() for session in made.sessions)


async def test_every_connection_that_is_lost_is_followed_by_another_with_its_reason_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = Made(monkeypatch)
    async with running(made):
        for count, reason in enumerate(("closed", "silent", "closed"), 1):
            (await made.opened(count)).end.set_result(ConnectionLost(reason, ""))
        await made.opened(4)
        assert made.counted() == {"closed": 2, "silent": 1}
    assert not any(session.standby for session in made.sessions)


async def test_one_that_is_due_serves_until_its_successor_has_all(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made(monkeypatch)
    async with running(made):
        first = await made.opened(1)
        first.due.set()
        second = await made.opened(2)
        assert (second.standby, first.told, made.counted()) == (True, [], {})
        second.filled.set()
        await aeventually(lambda: second.told, "the second serves")
        assert (first.told, second.told, made.counted()) == (["retire"], ["take over"], {"planned": 1})
        await aeventually(first.end.cancelled, "the first leaves")
        second.due.set()  # and so on
        await made.opened(3)


async def test_a_successor_that_is_lost_is_tried_again_and_the_present_one_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = Made(monkeypatch)
    async with running(made):
        first = await made.opened(1)
        first.due.set()
        (await made.opened(2)).end.set_result(CLOSED)
        third = await made.opened(3)
        assert (third.standby, first.told, first.end.done(), made.counted()) == (True, [], False, {})


async def test_where_the_present_one_is_lost_first_the_successor_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made(monkeypatch)
    async with running(made):
        first = await made.opened(1)
        first.due.set()
        second = await made.opened(2)
        first.end.set_result(CLOSED)
        third = await made.opened(3)
        assert (second.end.cancelled(), third.standby, made.counted()) == (True, False, {"closed": 1})


async def test_nothing_is_opened_while_the_feed_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made(monkeypatch)
    made.reconnector.pause()
    async with running(made):
        for _ in range(5):
            await asyncio.sleep(0)
        assert made.sessions == []
        made.reconnector.resume()
        first = await made.opened(1)
        made.reconnector.pause()
        made.reconnector.resume()
        assert first.told == ["pause", "resume"]


async def test_a_refusal_of_everything_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made(monkeypatch)
    async with running(made) as task:
        (await made.opened(1)).end.set_exception(SubscriptionRefused("toy", "AX", "orderbook", "no"))
        with pytest.raises(SubscriptionRefused):
            await task
