"""A paused connection hands over nothing, and everything afterwards, once and in order."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server

from forms import FORMS, use
from support import aeventually
from tickwire.wire.connection import Connection

COUNT = 20_000
MESSAGE = "%06d" + "x" * 200


@pytest.fixture(params=FORMS, autouse=True)
def form(request: pytest.FixtureRequest) -> Iterator[None]:
    with use(request.param):
        yield


class Talker(WSListener):
    """Says everything at once, every tenth message in two fragments, to whoever says hello."""

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.TEXT:
            for number in range(COUNT):
                message = (MESSAGE % number).encode()
                if number % 10:
                    transport.send(WSMsgType.TEXT, message)
                else:
                    transport.send(WSMsgType.TEXT, message[:50], fin=False)
                    transport.send(WSMsgType.CONTINUATION, message[50:])


class Reader:
    """Pauses at some messages, in the middle of being handed one."""

    def __init__(self, pause_at: set[int]) -> None:
        self.numbers: list[int] = []
        self.pause_at = pause_at
        self.connection = Connection(self, 10_000)
        self.wrong: list[str] = []

    def message(self, payload: bytes) -> None:
        if self.connection.paused:
            self.wrong.append(f"handed over while paused: {payload[:6]!r}")
        self.numbers.append(int(payload[:6]))
        if len(self.numbers) in self.pause_at:
            self.connection.pause()

    def rejected(self, reason: str, detail: str) -> None:
        self.wrong.append(f"{reason} {detail}")


@asynccontextmanager
async def reading(pause_at: set[int]) -> AsyncIterator[Reader]:
    server = await ws_create_server(lambda _: Talker(), "127.0.0.1", 0)
    try:
        reader = Reader(pause_at)
        await reader.connection.open(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        reader.connection.send(b"hello")
        try:
            yield reader
        finally:
            reader.connection.abort()
            await reader.connection.closed()
    finally:
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize("pause_at", [{1}, {5_000}, {10, 11, 12, 4_000, 4_001, 12_345}])
async def test_nothing_comes_during_a_pause_and_everything_after_it(pause_at: set[int]) -> None:
    async with reading(pause_at) as reader:
        for at in sorted(pause_at):
            await aeventually(lambda: reader.connection.paused, "the pause")
            for _ in range(20):
                await asyncio.sleep(0)
            assert len(reader.numbers) == at
            reader.connection.resume()
        await aeventually(lambda: len(reader.numbers) == COUNT, "everything")
    assert reader.numbers == list(range(COUNT))
    assert reader.wrong == []
