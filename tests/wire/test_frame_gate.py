"""What a connection lets pass to the feed without a look by anybody else, in Python and compiled."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from time import monotonic

import pytest
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect, ws_create_server

from forms import FORMS, use
from support import aeventually
from tickwire.wire import frame_gate

LIMIT = 5


@pytest.fixture(params=FORMS, autouse=True)
def form(request: pytest.FixtureRequest) -> Iterator[None]:
    with use(request.param):
        yield


class Talker(WSListener):
    """Says something of every kind."""

    def on_ws_connected(self, transport: WSTransport) -> None:
        transport.send(WSMsgType.TEXT, b"a")
        transport.send(WSMsgType.BINARY, b"b")
        transport.send(WSMsgType.PING, b"c")
        transport.send(WSMsgType.TEXT, b"d", fin=False)
        transport.send(WSMsgType.CONTINUATION, b"e")
        transport.send(WSMsgType.TEXT, b"f" * (LIMIT + 1))
        transport.send(WSMsgType.TEXT, b"g" * LIMIT)


class Reader(WSListener):
    """Hands its frames to a gate, and keeps what comes out on both sides."""

    def __init__(self, kinds: tuple[WSMsgType, ...]) -> None:
        self.messages: list[bytes] = []
        self.others: list[tuple[WSMsgType, bytes]] = []
        self.gate = frame_gate.FrameGate(kinds, LIMIT, self.message, self.other)
        self.on_ws_frame = self.gate  # type: ignore[method-assign, assignment]

    def message(self, payload: bytes) -> None:
        self.messages.append(payload)

    def other(self, _transport: WSTransport, frame: WSFrame) -> None:
        self.others.append((frame.msg_type, frame.get_payload_as_bytes()))

    @property
    def count(self) -> int:
        return len(self.messages) + len(self.others)


@asynccontextmanager
async def reading(reader: Reader) -> AsyncIterator[WSTransport]:
    server = await ws_create_server(lambda _: Talker(), "127.0.0.1", 0)
    url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    transport, _ = await ws_connect(lambda: reader, url, enable_auto_pong=False)
    try:
        yield transport
    finally:
        transport.disconnect()
        server.close()
        await server.wait_closed()


ALL = [
    (WSMsgType.TEXT, b"a"),
    (WSMsgType.BINARY, b"b"),
    (WSMsgType.PING, b"c"),
    (WSMsgType.TEXT, b"d"),
    (WSMsgType.CONTINUATION, b"e"),
    (WSMsgType.TEXT, b"f" * (LIMIT + 1)),
    (WSMsgType.TEXT, b"g" * LIMIT),
]


@pytest.mark.parametrize(
    ("kinds", "passed"),
    [
        ((WSMsgType.TEXT,), [0, 6]),
        ((WSMsgType.BINARY,), [1]),
        ((WSMsgType.TEXT, WSMsgType.BINARY), [0, 1, 6]),
    ],
)
async def test_only_whole_messages_of_the_kinds_and_the_size_pass(
    kinds: tuple[WSMsgType, ...], passed: list[int]
) -> None:
    reader = Reader(kinds)
    begin = monotonic()
    async with reading(reader):
        await aeventually(lambda: reader.count == len(ALL), "all frames")
    assert reader.messages == [ALL[i][1] for i in passed]
    assert reader.others == [one for i, one in enumerate(ALL) if i not in passed]
    assert begin < reader.gate.last_frame < monotonic()


async def test_nothing_passes_a_gate_that_is_not_open() -> None:
    reader = Reader((WSMsgType.TEXT,))
    reader.gate.open = False
    async with reading(reader):
        await aeventually(lambda: reader.count == len(ALL), "all frames")
    assert reader.others == ALL
    assert not reader.gate.open


async def test_messages_go_to_who_takes_them_now() -> None:
    reader, others = Reader((WSMsgType.TEXT,)), list[bytes]()

    def take_one(payload: bytes) -> None:
        reader.message(payload)
        reader.gate.message = others.append

    reader.gate.message = take_one
    async with reading(reader):
        await aeventually(lambda: others, "the last message")
    assert (reader.messages, others) == ([b"a"], [b"g" * LIMIT])


async def test_what_is_raised_ends_the_connection_and_is_told() -> None:
    reader = Reader((WSMsgType.TEXT,))

    def refuse(_payload: bytes) -> None:
        raise ArithmeticError("refused")

    reader.gate.message = refuse
    async with reading(reader) as transport:
        with pytest.raises(ArithmeticError, match="refused"):
            await transport.wait_disconnected()
