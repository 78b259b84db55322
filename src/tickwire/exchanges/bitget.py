"""Bitget spot v2: ``books1`` (best bid and offer), ``books`` (order book) and ``trade``.

Connections, requests, ping, limits: https://www.bitget.com/api-doc/common/websocket-intro
Order book, trades: https://www.bitget.com/api-doc/spot/websocket/public/Depth-Channel and …/Trades-Channel
Listing: https://www.bitget.com/api-doc/spot/market/Get-Symbols

A change names the number of the one before it, ``pseq``: seen in 2026, documented for v3 only; one that does not is
taken as it comes. The checksum has gone and is not read. Unconfirmed: how many levels "all" are in ``books``.
"""

import re
from collections.abc import Sequence

import msgspec
from msgspec import Raw

from tickwire.errors import FrameRejected
from tickwire.events.rules import PREVIOUS, Rule
from tickwire.events.side import read_levels
from tickwire.events.types import Micros
from tickwire.exchanges import contract
from tickwire.exchanges._bitget import Argument, Frame, Sides, decode, decode_sides, decode_trades, read_listing
from tickwire.exchanges.contract import UNREADABLE, Channel, Output, Symbol, malformed
from tickwire.exchanges.kit import BookEvent, Item, KitAdapter, Method, StreamedBook, Verdict, by_previous
from tickwire.exchanges.kit.continuity import NO_NUMBER
from tickwire.exchanges.symbols import named_by_rule

__all__ = ["EXCHANGE", "Adapter", "derive", "read_listing"]

EXCHANGE = contract.Exchange(
    name="bitget",
    ws_url="wss://ws.bitget.com/v2/ws/public",
    rest_url="https://api.bitget.com",
    listing_paths=("/api/v2/spot/public/symbols",),
    symbols_per_connection=16,  # "not more than 50 channels" is advised: three a symbol
    message_interval_s=0.15,  # 10 messages a second, pings among them; 240 subscriptions an hour and connection
    connect_interval_s=1.0,  # 300 attempts in 5 minutes, and 100 connections, from one address
    max_connection_s=23.5 * 3600,  # "forcibly disconnected every 24 hours"
    rest_limits=(contract.Limit(20, 1.0),),
    ping_interval_s=25.0,
    keepalive_s=25.0,  # "send a string ping every 30 seconds": closed after 2 minutes without
    silence_s=60.0,
    book_depths=range(1, 5001),
    checks=("sequence",),
)

_THEIRS: dict[Channel, str] = {"ticker": "books1", "orderbook": "books", "trade": "trade"}
_OURS: dict[str, Channel] = {theirs: ours for ours, theirs in _THEIRS.items()}
_CHANGE_SHAPE = (
    b'{"action":"update","arg":{"instType":"SPOT","channel":"books","instId":"$"},"data":[{"asks":=a,"bids":=b,'
    b'"ts":"#m","seq":#l,"pseq":#p+}],"ts":*}'
)
_TOO_MANY = {"30006", "30007"}  # "too many requests": says nothing about what was asked for
_NAMED = re.compile(r"channel:(\w+),instId:([\w-]+) doesn't exist")  # in the text of error 30001

derive = named_by_rule(EXCHANGE.name, "{}{}".format)


def follows(previous: int, event: BookEvent) -> Verdict:
    """Detect a gap by the previous change's number, if given: numbers may restart "during maintenance"."""
    return "next" if event.previous == NO_NUMBER else by_previous(previous, event)


class Adapter(KitAdapter[StreamedBook]):
    """One connection to the public endpoint. See :class:`~tickwire.exchanges.contract.AdapterContract`."""

    exchange = EXCHANGE
    shapes = b"", _CHANGE_SHAPE, b""
    rule = Rule(PREVIOUS)
    most = 40  # subscriptions in one request, which may have 4096 bytes
    ping_text = b"ping"

    def receive(self, payload: bytes, received_us: Micros) -> list[Output]:
        """Translate one frame. Raises :exc:`~tickwire.errors.FrameRejected`."""
        if payload == b"pong":
            return []
        try:
            frame = decode(payload)
            if frame.event is not None:
                return self._event(frame)
            if frame.arg is not None and frame.action is not None and frame.arg.channel in _OURS:
                return self._data(frame.arg, frame, received_us)
        except (*UNREADABLE, ValueError) as e:
            raise malformed("frame", e) from None
        raise contract.unexpected(payload)

    def keep(self, symbol: Symbol) -> StreamedBook:
        """Make a book; each change names the number of the one before."""
        of_book = symbol, self.messages(symbol), self.again, self.short_way
        return StreamedBook(*of_book, follows=follows)

    def write(self, method: Method, items: Sequence[Item], number: int | None) -> bytes:  # noqa: ARG002 - requests have none
        """A request for channels of symbols."""
        args = [{"instType": "SPOT", "channel": _THEIRS[channel], "instId": symbol.native} for channel, symbol in items]
        return msgspec.json.encode({"op": method, "args": args})

    def _data(self, arg: Argument, frame: Frame, received_us: Micros) -> list[Output]:
        if arg.channel == "books":
            return self._change(arg.name, frame, received_us)
        if arg.channel == "books1":
            sides = _read(frame.data)
            bid, ask = _first(sides.bids), _first(sides.asks)
            return self.ticker(arg.name, *bid, *ask, received_us, sequence=sides.seq, exchange_us=sides.ts * 1000)
        if frame.action == "snapshot":  # earlier trades; confirms the subscription
            return self.answered_each("trade", arg.name, None)
        read = [((arg.name, t.trade_id, t.price, t.size, t.side), t.ts * 1000) for t in decode_trades(frame.data)]
        return [out for of_trade, us in read for out in self.trade(*of_trade, received_us, exchange_us=us)]

    def _change(self, name: str, frame: Frame, received_us: Micros) -> list[Output]:
        kept = self.kept(name)
        try:
            sides = _read(frame.data)
        except UNREADABLE:
            kept.doubt()
            raise
        last, previous = (NO_NUMBER if number is None else number for number in (sides.seq, sides.pseq))
        event = BookEvent(sides.bids, sides.asks, last, previous=previous, exchange_us=sides.ts * 1000)
        out = (kept.snapshot if frame.action == "snapshot" else kept.change)(event, received_us)
        return self.heard(kept, out) if kept.new else out

    def _event(self, frame: Frame) -> list[Output]:
        """Take a message without data."""
        said = f"{frame.msg or 'no reason'} (code {frame.code})"[: contract.MAX_TEXT]
        named = _NAMED.search(frame.msg or "")
        arg = frame.arg or (None if named is None else Argument(named[1], named[2]))
        if frame.event == "unsubscribe":
            return []
        known = frame.event in {"subscribe", "error"} and str(frame.code) not in _TOO_MANY
        if known and arg is not None and arg.channel in _OURS:
            return self.answered_each(_OURS[arg.channel], arg.name, None if frame.event == "subscribe" else said)
        raise FrameRejected("unknown", f"an event {frame.event!r:.40}: {said}")


def _read(data: Raw) -> Sides:
    sides = decode_sides(data)
    return sides if isinstance(sides, Sides) else sides[0]


def _first(levels: Raw) -> tuple[str | None, str | None]:
    return next(iter(read_levels(levels)), (None, None))
