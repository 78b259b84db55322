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
from typing import Any

import msgspec

from tickwire.simulator.dialect import Answer, Broadcast, Conversation, Message
from tickwire.simulator.instruments import Instrument, choose_names, scale
from tickwire.simulator.market import Book, Deal, Market, Side

_SIZE_PLACES = 5  # so that no number is written with an exponent
_CHECKED = 25
_LENGTHS = ("25", "100", "250")
_INFO = '{"event":"info","version":2,"serverId":"simulated","platform":{"status":1}}'

_Levels = dict[int, int]  # lots by price in ticks


class _Channel(Broadcast):
    """What one session has subscribed: numbers of messages are its own, so nobody shares one."""

    __slots__ = ("id", "length")

    def __init__(self, id_: int, name: str, book: Book, length: int) -> None:
        super().__init__("book" if length else "trade", name, book)
        self.id, self.length = id_, length


class Dialect:
    """The dialect over a market of *symbols*; subscriptions to a symbol of *refused* (``BTC-USD``) are errors."""

    quote = "USD"
    numbered = False
    heartbeat: str | None = None
    unknown = '{"event":"simulated_notice","msg":"a kind of message that nobody documented"}'
    ping_interval_s: float | None = None
    messages_per_second: int | None = None
    snapshot_path: str | None = None
    faults = frozenset({"checksum"})

    def __init__(self, symbols: int | Sequence[str], rng: Random, refused: frozenset[str] = frozenset()) -> None:
        self.market = Market([_instrument(*names) for names in choose_names(symbols, self.quote)], rng)
        self.refused = refused
        self.books = {f"t{_pair(book.instrument)}": book for book in self.market.books}
        self.sessions: dict[_Session, None] = {}
        self.opened = 0  # channels so far

    def open(self, path: str, query: Mapping[str, str]) -> Conversation | None:  # noqa: ARG002 - part of the protocol
        """``/ws/2``; None elsewhere."""
        return _Session(self) if path == "/ws/2" else None

    def advance(self, book: Book, now_us: int) -> list[Message]:
        """Move *book*: to each session its trades, the levels that changed within its length, then the checksum."""
        told = [(session, channel) for session in self.sessions for channel in session.on(book)]
        before = [(_top(book.bids, channel.length), _top(book.asks, channel.length)) for _, channel in told]
        step = self.market.step(book)
        messages: list[Message] = []
        for (session, channel), (bids, asks) in zip(told, before, strict=True):
            if channel.length:
                parts = _changed(bids, book.bids, channel, "") + _changed(asks, book.asks, channel, "-")
                parts += [f'"cs",{checksum(book)}'] if parts else []
            else:
                parts = [_deal(kind, deal, channel.book, now_us) for deal in step.deals for kind in ("te", "tu")]
            messages += [Message(channel, session.number(channel, part, now_us), True) for part in parts]
        return messages

    def channels(self) -> Iterable[Broadcast]:
        """What every session has subscribed."""
        return (channel for session in self.sessions for channel in session.channels.values())

    def rest(self, path: str, query: Mapping[str, str], now_us: int, *, stale: bool) -> Answer:  # noqa: ARG002 - part of the protocol
        """``/v2/conf/pub:list:pair:exchange``."""
        if path != "/v2/conf/pub:list:pair:exchange":
            return Answer(404, '["error",10020,"path: invalid"]', {})
        return Answer(200, msgspec.json.encode([[native[1:] for native in self.books]]).decode(), {})

    def refuse(self, status: int) -> Answer:
        """A refusal as the exchange words it."""
        text = '["error",20060,"maintenance"]' if status == 503 else '{"error":"ERR_RATE_LIMIT"}'
        return Answer(status, text, {"Retry-After": "1"})

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
        sides = ((book.bids, ""), (book.asks, "-"))
        first = [part for side, sign in sides for part in _changed({}, side, channel, sign)] if levels else []
        answer = _event("subscribed", **asked, chanId=channel.id, pair=_pair(book.instrument))
        return [answer, self.number(channel, f"[{','.join(first)}]", now_us)]

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


def _changed(before: _Levels, side: Side, channel: _Channel, sign: str) -> list[str]:
    """What leads from *before* to the side as it is now, within the channel's length."""
    now, text = _top(side, channel.length), channel.book.instrument
    gone = [f"[{text.price(ticks)},0,{sign}1]" for ticks in before if ticks not in now]
    set_ = [(ticks, lots) for ticks, lots in now.items() if before.get(ticks) != lots]
    return gone + [f"[{text.price(ticks)},1,{sign}{text.size(lots)}]" for ticks, lots in set_]


def _top(side: Side, length: int) -> _Levels:
    return dict(side.top(length))


def _deal(kind: str, deal: Deal, book: Book, now_us: int) -> str:
    text, sign = book.instrument, "" if deal.buys else "-"
    return f'"{kind}",[{deal.number},{now_us // 1000},{sign}{text.size(deal.lots)},{text.price(deal.ticks)}]'


def _event(kind: str, **fields: object) -> str:
    return msgspec.json.encode({"event": kind, **fields}).decode()


def _pair(instrument: Instrument) -> str:
    colon = "" if len(instrument.base) == len(instrument.quote) == 3 else ":"
    return f"{instrument.base}{colon}{instrument.quote}"


def _instrument(base: str, quote: str) -> Instrument:
    places, ticks = scale(base)
    return Instrument(base, quote, places, _SIZE_PLACES, ticks)
