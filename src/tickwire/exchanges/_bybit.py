"""What the categories of Bybit v5 have in common: frames, requests, pages of the listing.

Books, their numbers and depths: https://bybit-exchange.github.io/docs/v5/websocket/public/orderbook
Trades: https://bybit-exchange.github.io/docs/v5/websocket/public/trade
Connections, requests, ping: https://bybit-exchange.github.io/docs/v5/ws/connect
Listing: https://bybit-exchange.github.io/docs/v5/market/instrument, REST limits: https://bybit-exchange.github.io/docs/v5/rate-limit

Not written there, but seen in 2026: one topic that is not carried refuses its whole request; a level that leaves the
depth comes as a removal.
"""

import re
from collections.abc import Sequence

import msgspec
from msgspec import Raw

from tickwire.errors import FrameRejected
from tickwire.events.rules import STEP, Rule
from tickwire.events.types import Micros, TakerSide
from tickwire.exchanges import contract
from tickwire.exchanges._bybit_frames import (
    Best,
    Book,
    Frame,
    Other,
    Trades,
    changed,
    decode_best,
    decode_book,
    decode_other,
    decode_trades,
)
from tickwire.exchanges.contract import Channel, Output, Symbol, decoded, malformed
from tickwire.exchanges.kit import BookEvent, Item, KitAdapter, Method, StreamedBook, by_step

_TICKER_MARK, _TRADE_MARK = b'"orderbook.1.', b'"publicTrade.'
_CHANGE_SHAPE = b'{"topic":"orderbook.$","ts":#x,"type":"delta","data":{"s":"$","b":=b,"a":=a,"u":#l,"seq":*},"cts":#m}'
_BOOK, _OUR_NUMBER = re.compile(r"orderbook\.([0-9]{1,4})\.(.*)"), re.compile("[0-9]{1,9}")
_SIDES: dict[str, TakerSide] = {"Buy": "buy", "Sell": "sell"}


class BybitAdapter(KitAdapter[StreamedBook]):
    """One connection to one category. See :class:`~tickwire.exchanges.contract.AdapterContract`."""

    shapes = b"", _CHANGE_SHAPE, b""
    rule = Rule(STEP)
    whole = True
    ping_text = b'{"op":"ping"}'

    def __init__(self, symbols: Sequence[Symbol], channels: Sequence[Channel], depth: int) -> None:
        super().__init__(symbols, channels, depth)
        self._best_before: dict[str, Book[Best]] = {}

    def receive(self, payload: bytes, received_us: Micros) -> list[Output]:
        """Translate one frame. Raises :exc:`~tickwire.errors.FrameRejected`."""
        try:
            if _TICKER_MARK in payload:  # only a hint: the topic is checked below
                return self._best(decode_best(payload), received_us)
            if _TRADE_MARK in payload:
                return self._executions(decode_trades(payload), received_us)
            return self._change(decode_book(payload), received_us)
        except contract.UNREADABLE:
            return self._other(payload)

    def keep(self, symbol: Symbol) -> StreamedBook:
        """Make a book. "u is always in sequence", and that of a snapshot after a restart of the service is 1."""
        messages = self.messages(symbol)
        in_frames = ("{1}.{0}", "{0}")
        return StreamedBook(symbol, messages, self.again, self.short_way, follows=by_step, in_frames=in_frames)

    def write(self, method: Method, items: Sequence[Item], number: int | None) -> bytes:
        """A request for topics by name."""
        request = {"op": method, "args": [self._topic(channel, symbol.native) for channel, symbol in items]}
        return msgspec.json.encode(request if number is None else request | {"req_id": str(number)})

    def _topic(self, channel: Channel, native: str) -> str:
        if channel == "trade":
            return f"publicTrade.{native}"
        return f"orderbook.{1 if channel == 'ticker' else self.depth}.{native}"

    def _best(self, frame: Frame[Best], received_us: Micros) -> list[Output]:
        """Take the best level of each side: "level 1 data has snapshot message only"; there were changes once."""
        data, native = frame.data, frame.data.symbol
        if frame.topic != self._topic("ticker", native):
            raise _unasked(frame.topic)
        before, self._best_before[native] = self._best_before.get(native), data
        if frame.type == "delta":
            if before is None or data.update_id != before.update_id + 1:
                del self._best_before[native]
                raise malformed(f"ticker of {native}", "a change that follows on nothing")
            try:
                data.bids, data.asks = changed(before.bids, data.bids), changed(before.asks, data.asks)
            except ValueError as e:
                del self._best_before[native]
                raise malformed(f"ticker of {native}", e) from None
        best, number, at_us = (*_first(data.bids), *_first(data.asks)), data.update_id, frame.exchange_us
        return self.ticker(native, *best, received_us, sequence=number, exchange_us=at_us)

    def _change(self, frame: Frame[Raw], received_us: Micros) -> list[Output]:
        data = frame.data
        kept = self.kept(data.symbol)
        if frame.topic != f"orderbook.{kept.messages.depth}.{kept.native}":
            self._take_depth(kept, frame)
        event = BookEvent(data.bids, data.asks, data.update_id, exchange_us=frame.exchange_us)
        out = kept.change(event, received_us) if frame.type == "delta" else kept.snapshot(event, received_us)
        return self.heard(kept, out) if kept.new else out

    def _take_depth(self, kept: StreamedBook, frame: Frame[Raw]) -> None:
        """Promise the depth at which a book starts: that of the exchange's message, not of our request."""
        depth = _BOOK.fullmatch(frame.topic)
        if depth is None or depth[2] != kept.native or not kept.new or frame.type != "snapshot":
            raise _unasked(frame.topic)
        kept.promise(int(depth[1]))

    def _executions(self, frame: Trades, received_us: Micros) -> list[Output]:
        out: list[Output] = []
        for one in frame.data:
            if frame.topic != self._topic("trade", one.symbol):
                raise _unasked(frame.topic)
            of_trade = one.symbol, one.trade_id, one.price, one.size, _SIDES[one.side]
            out += self.trade(*of_trade, received_us, exchange_us=one.time_ms * 1000)
        return out

    def _other(self, payload: bytes) -> list[Output]:
        """Take any message but data of a book."""
        other = decoded("frame", decode_other, payload)
        if other.op in {"ping", "pong", "unsubscribe"}:
            return []
        if other.op == "subscribe":
            return self._subscribed(other)
        if other.topic is not None and other.topic.startswith(("orderbook.", "publicTrade.")):
            raise malformed("frame", payload)
        raise contract.unexpected(payload)

    def _subscribed(self, answer: Other) -> list[Output]:
        """Take the answer to a request; "already subscribed" counts as accepted."""
        name = str(answer.req_id)
        number, said = int(name) if _OUR_NUMBER.fullmatch(name) else 0, answer.ret_msg[: contract.MAX_TEXT]
        alone = len(self._requests.asked(number)) == 1
        carried = answer.success or (alone and "already subscribed" in said)
        return self.answered(number, None if carried else said)


def _first(levels: list[tuple[str, str]]) -> tuple[str | None, str | None]:
    return levels[0] if levels else (None, None)


def _unasked(topic: str) -> FrameRejected:
    return FrameRejected("unknown", f"a message of {topic!r:.100}, which was not asked for")
