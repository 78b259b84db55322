"""Fixtures of exchanges: the input line by line, and the exact expected output.

``NAME.frames.jsonl`` begins with ``{"symbols": [[canonical, native], ...], "channels": [...], "depth": n}``. Each line
after it is ``{"us": received_us, "frame": text}`` or ``{"us": received_us, "fetched": path, "body": text}``. If the
first line says ``"packed": "gzip"`` every frame is compressed; a binary frame is in ``"b64"`` instead.
``NAME.events.jsonl`` has one line for each output: events as they are in Kafka, ``{"send": text}``, ``{"fetch": path,
"delay_s": s}``, ``{"subscribed": [channel, symbol]}``, ``{"refused": [channel, symbol, answer]}``, ``{"reconnect":
why}`` and ``{"rejected": reason}``.
"""

import base64
import gzip
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from tickwire import exchanges
from tickwire.errors import FrameRejected
from tickwire.events.levels import decode_levels
from tickwire.events.sequencer import Sequencer
from tickwire.events.types import MarketEvent, OrderBook, Ticker, Trade
from tickwire.exchanges.contract import (
    AdapterContract,
    Fetch,
    Output,
    Reconnect,
    Refused,
    Resync,
    Send,
    Subscribed,
    Symbol,
)
from tickwire.records.codec import RecordWriter

FIXTURES = Path(__file__).parent / "fixtures"
FRAMES = ".frames.jsonl"
EVENTS = ".events.jsonl"
BYTES = "latin-1"  # a character a byte: how frames that are no text are held


def recordings() -> list[Path]:
    """All recordings."""
    return sorted(FIXTURES.glob(f"*/*{FRAMES}"))


def events_of(recording: Path) -> Path:
    """The file of the expected output."""
    return recording.with_name(recording.name.replace(FRAMES, EVENTS))


class Replay:
    """Plays one recording through a new adapter; symbols after the *first* ones are added later."""

    def __init__(self, recording: Path, first: int | None = None) -> None:
        head, *self.lines = map(msgspec.json.decode, recording.read_bytes().splitlines())
        self.symbols, self.channels = [Symbol(*names) for names in head["symbols"]], head["channels"]
        module = exchanges.load(recording.parent.name)
        first = len(self.symbols) if first is None else first
        self.adapter: AdapterContract = module.Adapter(self.symbols[:first], self.channels, head["depth"])
        assert self.adapter.add(self.symbols[first:]) == []  # all are asked for at the start
        for line in self.lines:
            if "b64" in line:
                line["frame"] = base64.b64decode(line["b64"]).decode(BYTES)
        self._fetches: dict[str, Fetch] = {}
        self._is_packed = head.get("packed") == "gzip"

    def outputs(self) -> Iterator[tuple[int, Output | FrameRejected]]:
        """All outputs with their times."""
        yield from self._keep(self.lines[0]["us"], self.adapter.start())
        for line in self.lines:
            try:
                yield from self.took(line)
            except FrameRejected as e:
                yield line["us"], e

    def payload(self, line: dict[str, Any]) -> bytes:
        """The frame of a line."""
        return line["frame"].encode(BYTES) if "b64" in line else self.packed(line["frame"].encode())

    def packed(self, content: bytes) -> bytes:
        """A frame of this content, as the exchange sends it."""
        return gzip.compress(content, 1, mtime=0) if self._is_packed else content

    def took(self, line: dict[str, Any]) -> Iterator[tuple[int, Output]]:
        """The outputs for one line."""
        yield from self._keep(line["us"], self._feed(line))

    def _feed(self, line: dict[str, Any]) -> list[Output]:
        if "frame" in line:
            return self.adapter.receive(self.payload(line), line["us"])
        fetch = self._fetches.pop(line["fetched"], None)  # None only where a test loses frames
        return [] if fetch is None else self.adapter.fetched(fetch, line["body"].encode(), line["us"])

    def _keep(self, us: int, outputs: Iterable[Output]) -> Iterator[tuple[int, Output]]:
        for output in outputs:
            if isinstance(output, Resync):
                yield from self._keep(us, self.adapter.resync(output.symbol))
                continue
            if isinstance(output, Fetch):
                self._fetches[output.path] = output
            yield us, output


def replay(recording: Path, first: int | None = None) -> list[bytes]:
    """The lines that the events file must have."""
    return written(Replay(recording, first))


def written(player: Replay) -> list[bytes]:
    """The output of a recording, as lines of an events file."""
    writer = RecordWriter({"ticker": "ticks", "orderbook": "books", "trade": "trades"})
    sequencers = {symbol.canonical: Sequencer() for symbol in player.symbols}
    lines: list[bytes] = []
    for _, output in player.outputs():
        if isinstance(output, OrderBook):
            stamped = sequencers[output.symbol].stamp(output)
            assert stamped is not None, f"must not be published: {output}"
            lines.append(writer.write(stamped).value)
        elif isinstance(output, Ticker | Trade):
            lines.append(writer.write(output).value)
        else:
            lines.append(msgspec.json.encode(_plain(output)))
    return lines


def books(events: Iterable[MarketEvent | object]) -> list[OrderBook]:
    """Only the order-book messages, with decoded levels."""
    found = [event for event in events if isinstance(event, OrderBook)]
    for message in found:
        decode_levels(message)
    return found


def _plain(output: Output | FrameRejected) -> dict[str, object]:
    match output:
        case Send(payload):
            return {"send": payload.decode()}
        case Fetch(path=path, delay_s=delay_s):
            return {"fetch": path, "delay_s": delay_s}
        case Subscribed(channel, symbol):
            return {"subscribed": [channel, symbol.canonical]}
        case Refused(channel, symbol, answer):
            return {"refused": [channel, symbol.canonical, answer]}
        case Reconnect(why):
            return {"reconnect": why}
        case FrameRejected():
            return {"rejected": output.reason}
    raise AssertionError(output)
