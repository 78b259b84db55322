"""Bitfinex as it looks from outside.

Messages and their numbers: https://docs.bitfinex.com/docs/ws-general
Books, trades, checksum: https://docs.bitfinex.com/reference/ws-public-books, …/ws-public-trades and
https://docs.bitfinex.com/docs/ws-websocket-checksum
Differences: every message has its number and time, whatever was configured; numbers keep the zeros at their end; a
checksum follows on every step; there are no heartbeats.
"""

import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Any, ClassVar

import msgspec

from tickwire.simulator.dialect import Broadcast, Conversation, Message
from tickwire.simulator.instruments import Instrument
from tickwire.simulator.kit import PlainDialect, changes, encoded, window
from tickwire.simulator.market import Book, Deal

_CHECKED = 25
_LENGTHS = ("25", "100", "250")
_INFO = '{"event":"info","version":2,"serverId":"simulated","platform":{"status":1}}'


class _Channel(Broadcast):
    """What one session has subscribed: numbers of messages are its own, so nobody shares one."""

    __slots__ = ("id", "length")

    def __init__(self, id_: int, name: str, book: Book, length: int) -> None:
        super().__init__("book" if length else "trade", name, book)
        self.id, self.length = id_, length


class Dialect(PlainDialect):
    """Bitfinex's spot."""

    quote = "USD"
    size_places = 5  # so that no number is written with an exponent
    faults = frozenset({"checksum"})
    listing_path = "/v2/conf/pub:list:pair:exchange"
    not_found = '["error",10020,"path: invalid"]'
    too_many: ClassVar[object] = {"error": "ERR_RATE_LIMIT"}
    unavailable: ClassVar[object] = ("error", 20060, "maintenance")
    unknown = '{"event":"simulated_notice","msg":"a kind of message that nobody documented"}'

    def __init__(self, symbols: int | Sequence[str], rng: Random, refused: frozenset[str] = frozenset()) -> None:
        super().__init__(symbols, rng, refused)
        self.sessions: dict[_Session, None] = {}
        self.opened = 0  # channels so far

    def native(self, base: str, quote: str) -> str:
        """``tBTCUSD``, ``tDOGE:USD``."""
        return f"t{base}{'' if len(base) == len(quote) == 3 else ':'}{quote}"

    def open(self, path: str, query: Mapping[str, str]) -> Conversation | None:  # noqa: ARG002 - part of the protocol
        """``/ws/2``; None elsewhere."""
        return _Session(self) if path == "/ws/2" else None

    def advance(self, book: Book, now_us: int) -> list[Message]:
        """Move *book*: to each session its trades, the levels that changed within its length, then the checksum."""
        told = [(session, channel) for session in self.sessions for channel in session.on(book)]
        before = [window(book, channel.length) for _, channel in told]
        step = self.market.step(book)
        messages: list[Message] = []
        for (session, channel), known in zip(told, before, strict=True):
            if channel.length:
                parts = _changed(known, channel)
                parts += [f'"cs",{checksum(book)}'] if parts else []
            else:
                parts = [_deal(kind, deal, channel.book, now_us) for deal in step.deals for kind in ("te", "tu")]
            messages += [Message(channel, session.number(channel, part, now_us), True) for part in parts]
        return messages

    def channels(self) -> Iterable[Broadcast]:
        """What every session has subscribed."""
        return (channel for session in self.sessions for channel in session.channels.values())

    def _listing(self, listed: Sequence[object]) -> object:
        return [listed]

    def _listed(self, instrument: Instrument) -> str:
        return instrument.native[1:]

    def spoil(self, text: str) -> str:
        """Add one to a checksum; other messages have none and stay as they are."""
        return re.sub(r'(?<="cs",)-?\d+', lambda found: str(int(found[0]) + 1), text)


class _Session:
    """One connection: its subscriptions by the number of the channel."""

    def __init__(self, exchange: Dialect) -> None:
        self._exchange = exchange
        self.channels: dict[int, _Channel] = {}
        self._last = 0  # message

    def start(self, now_us: int) -> list[str]:  # noqa: ARG002 - part of the protocol
        self._exchange.sessions[self] = None
        return [_INFO]

    def receive(self, text: str, now_us: int) -> list[str]:
        try:
            request = msgspec.json.decode(text)
            kind = request["event"]
        except (msgspec.DecodeError, TypeError, KeyError):
            return [_event("error", msg="json: invalid", code=10000)]
        match kind:
            case "conf":
                return [_event("conf", status="OK", flags=request.get("flags", 0))]
            case "ping":
                return [_event("pong", ts=now_us // 1000)]
            case "subscribe":
                return self._subscribe(request, now_us)
            case "unsubscribe":
                return self._unsubscribe(request.get("chanId"))
        return [_event("error", msg="event: unknown", code=10000)]

    def close(self) -> None:
        self._exchange.sessions.pop(self, None)
        for id_ in list(self.channels):
            self._unsubscribe(id_)

    def on(self, book: Book) -> list[_Channel]:
        """This session's channels of one book."""
        return [channel for channel in self.channels.values() if channel.book is book]

    def number(self, channel: _Channel, part: str, now_us: int) -> str:
        """Make a message of a channel, with the next number."""
        self._last += 1
        return f"[{channel.id},{part},{self._last},{now_us // 1000}]"

    def _subscribe(self, request: dict[str, Any], now_us: int) -> list[str]:
        name, native, length = request.get("channel"), request.get("symbol"), str(request.get("len", "25"))
        asked = {key: value for key, value in request.items() if key != "event"}
        book = self._exchange.books.get(str(native))
        if book is None or book.instrument.canonical in self._exchange.refused:
            return [_event("error", **asked, msg="symbol: invalid", code=10300)]
        if name not in {"book", "trades"} or length not in _LENGTHS:
            return [_event("error", **asked, msg="channel: unknown", code=10302)]
        if any(channel.name == f"{name} {native}" for channel in self.channels.values()):
            return [_event("error", **asked, msg="subscribe: dup", code=10301)]
        self._exchange.opened += 1
        levels = int(length) if name == "book" else 0
        channel = _Channel(self._exchange.opened, f"{name} {native}", book, levels)
        channel.subscribers[self] = None
        self.channels[channel.id] = channel
        first = _changed(({}, {}), channel) if levels else []
        said = _event("subscribed", **asked, chanId=channel.id, pair=book.instrument.native[1:])
        return [said, self.number(channel, f"[{','.join(first)}]", now_us)]

    def _unsubscribe(self, id_: Any) -> list[str]:
        channel = self.channels.pop(id_, None)
        if channel is None:
            return [_event("error", msg="unsubscribe: invalid", code=10400, chanId=id_)]
        channel.subscribers.clear()
        return [_event("unsubscribed", status="OK", chanId=id_)]


def checksum(book: Book) -> int:
    """CRC32, signed, of the best 25 bids and asks in turn, the amounts of asks below zero."""
    text, numbers = book.instrument, list[str]()
    for (bid, bid_lots), (ask, ask_lots) in zip(book.bids.top(_CHECKED), book.asks.top(_CHECKED), strict=True):
        numbers += [text.price(bid), text.size(bid_lots), text.price(ask), f"-{text.size(ask_lots)}"]
    crc = zlib.crc32(":".join(numbers).encode())
    return crc - 2**32 if crc >= 2**31 else crc


def _changed(known: tuple[dict[int, int], dict[int, int]], channel: _Channel) -> list[str]:
    """What leads from what is *known* to the book as it is now, within the channel's length."""
    text = channel.book.instrument
    return [
        f"[{text.price(ticks)},{1 if lots else 0},{sign}{text.size(lots) if lots else 1}]"
        for sign, levels in zip(("", "-"), changes(known, window(channel.book, channel.length)), strict=True)
        for ticks, lots in levels
    ]


def _deal(kind: str, deal: Deal, book: Book, now_us: int) -> str:
    text, sign = book.instrument, "" if deal.buys else "-"
    return f'"{kind}",[{deal.number},{now_us // 1000},{sign}{text.size(deal.lots)},{text.price(deal.ticks)}]'


def _event(kind: str, **fields: object) -> str:
    return encoded({"event": kind, **fields})
