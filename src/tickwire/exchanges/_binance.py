"""What the products of Binance have in common: ``bookTicker``, ``depth@100ms``, trades, requests and answers.

Spot: https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
Contracts: https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Meta, Raw, Struct, field

from tickwire.errors import FrameRejected
from tickwire.events.types import Micros, TakerSide
from tickwire.exchanges import contract
from tickwire.exchanges.contract import Channel, Fetch, Output, Reconnect, Symbol, malformed
from tickwire.exchanges.kit import BookEvent, BridgedBook, Item, KitAdapter, Method
from tickwire.exchanges.kit.continuity import NO_NUMBER

_NO_DATA = Raw(b"null")
_TICKER_MARK = b'@bookTicker"'
# Streams of only the best levels, and of retail orders, have events that look like those of the whole book.
_DIFFERENCES = b"@depth@"
_NO_DIFFERENCES = re.compile(rb'"stream"\s*:\s*"[^"@]*@(?:depth[0-9]|rpiDepth)')
_STREAM_WITHIN = 120  # bytes at the start of a frame in which the stream's name ends

_Data = TypeVar("_Data")
Number = Annotated[int, Meta(ge=0, le=2**53)]


class _BookTicker(Struct, gc=False):
    update_id: Number = field(name="u")
    symbol: str = field(name="s")
    bid: str = field(name="b")
    bid_size: str = field(name="B")
    ask: str = field(name="a")
    ask_size: str = field(name="A")
    time_ms: Number | None = field(name="E", default=None)  # of contracts only


class _Depth(BookEvent, kw_only=True, gc=False):
    kind: Literal["depthUpdate"] = field(name="e")
    time_ms: Number = field(name="E")
    symbol: str = field(name="s")
    first: Number = field(name="U")
    last: Number = field(name="u")
    bids: Raw = field(name="b")
    asks: Raw = field(name="a")
    # Of contracts only; -1 where nothing was before it.
    previous: Annotated[int, Meta(ge=NO_NUMBER, le=2**53)] = field(name="pu", default=NO_NUMBER)


class TradeEvent(Struct, gc=False):
    """A trade; aggregated trades have their number in another field."""

    symbol: str = field(name="s")
    number: Number = field(name="t")
    price: str = field(name="p")
    size: str = field(name="q")
    time_ms: Number = field(name="T")
    buyer_made: bool = field(name="m")


class Combined(Struct, Generic[_Data], gc=False):
    """The envelope of a combined stream."""

    data: _Data


class _Other(Struct):
    """Any other message: an answer to a request, an announcement, an event without its envelope."""

    kind: str | None = field(name="e", default=None)
    symbol: str | None = field(name="s", default=None)
    data: Raw = _NO_DATA
    id: int | str | None = None
    error: "_Other | None" = None
    code: int | None = None
    msg: str | None = None


class _Snapshot(Struct):
    last_update_id: Number = field(name="lastUpdateId")
    bids: Raw
    asks: Raw


_decode_ticker = msgspec.json.Decoder(Combined[_BookTicker]).decode
_decode_depth = msgspec.json.Decoder(Combined[_Depth]).decode
_decode_other = msgspec.json.Decoder(_Other).decode
_decode_plain_ticker = msgspec.json.Decoder(_BookTicker).decode
_decode_plain_depth = msgspec.json.Decoder(_Depth).decode
_decode_snapshot = msgspec.json.Decoder(_Snapshot).decode


def read_snapshot(body: bytes) -> BookEvent:
    """Read a snapshot of a book. Raises what msgspec does."""
    snapshot = _decode_snapshot(body)
    return BookEvent(snapshot.bids, snapshot.asks, snapshot.last_update_id)


def snapshots(symbol: Symbol, path: str, weights: Mapping[int, int]) -> list[Fetch]:
    """The snapshot requests of a book, by levels a side and weight."""
    path = f"{path}?symbol={quote(symbol.native)}&limit="
    return [Fetch(symbol, f"{path}{levels}", weight, levels=levels) for levels, weight in weights.items()]


class BinanceAdapter(KitAdapter[BridgedBook]):
    """One connection to the combined streams. See :class:`~tickwire.exchanges.contract.AdapterContract`."""

    names: ClassVar[Mapping[Channel, str]] = {"ticker": "bookTicker", "orderbook": "depth@100ms", "trade": "trade"}
    trade_mark: ClassVar[bytes] = b'@trade"'
    trade_decoder: ClassVar[msgspec.json.Decoder[Any]] = msgspec.json.Decoder(Combined[TradeEvent])
    most = 200  # streams in one message
    whole = True

    def receive(self, payload: bytes, received_us: Micros) -> list[Output]:
        """Translate one frame, combined or raw. Raises :exc:`~tickwire.errors.FrameRejected`."""
        try:
            # The marks are only hints: other frames fail to decode. partition, because "in" tries bytes as a number
            # first, which costs an exception.
            if self._books and payload.partition(_DIFFERENCES)[1]:
                return self._change(_decode_depth(payload).data, received_us)
            if not payload.partition(_TICKER_MARK)[1]:
                if (self._traded or self._left) and payload.partition(self.trade_mark)[1]:
                    return self._deal(self.trade_decoder.decode(payload).data, received_us)
                event = _decode_depth(payload).data
                if _NO_DIFFERENCES.search(payload, 0, _STREAM_WITHIN) is not None:
                    raise FrameRejected("unknown", f"a book that is no difference: {payload[: contract.MAX_TEXT]!r}")
                return self._change(event, received_us)
            best = _decode_ticker(payload).data
        except contract.UNREADABLE:
            other = self._other(payload, received_us)
            if isinstance(other, list):
                return other
            best = other
        return self.ticker(
            best.symbol,
            best.bid,
            best.bid_size,
            best.ask,
            best.ask_size,
            received_us,
            None,
            best.update_id,
            best.time_ms and best.time_ms * 1000,
        )

    def write(self, method: Method, items: Sequence[Item], number: int | None) -> bytes:
        """A request for streams by name."""
        streams = [f"{symbol.native.lower()}@{self.names[channel]}" for channel, symbol in items]
        return msgspec.json.encode({"method": method.upper(), "params": streams, "id": number})

    def _deal(self, one: TradeEvent, received_us: Micros) -> list[Output]:
        side: TakerSide = "sell" if one.buyer_made else "buy"
        of_trade = one.symbol, str(one.number), one.price, one.size, side
        return self.trade(*of_trade, received_us, exchange_us=one.time_ms * 1000)

    def _change(self, event: _Depth, received_us: Micros) -> list[Output]:
        kept = self.kept(event.symbol)
        if event.first > event.last:
            kept.doubt()  # the next event's number may be wrong too
            raise malformed(f"depth update of {event.symbol}", "U is above u")
        event.exchange_us = event.time_ms * 1000
        out = kept.change(event, received_us)
        return self.heard(kept, out) if kept.new else out

    def _other(self, payload: bytes, received_us: Micros) -> list[Output] | _BookTicker:
        """Take any other message of a combined stream; a ticker without its envelope is read."""
        try:
            other = _decode_other(payload)
            if other.kind == "depthUpdate":
                return self._change(_decode_plain_depth(payload), received_us)
            if other.kind in {None, "bookTicker"} and other.symbol is not None:
                return _decode_plain_ticker(payload)
            if other.data is not _NO_DATA:
                other = _decode_other(other.data)
                ours = (
                    (other.kind is None and _TICKER_MARK in payload)
                    or other.kind == "depthUpdate"
                    or (self._traded and self.trade_mark in payload)
                )
                if ours:  # fields of other kinds have other meanings
                    raise malformed("frame", payload)
        except contract.UNREADABLE as e:
            raise malformed("frame", e) from None
        if other.kind == "serverShutdown":
            return [Reconnect("the exchange announced that it shuts this server down")]
        if other.kind is None and other.id is not None:
            error = other.error or other
            refused = error.code is not None or error.msg is not None
            return self.answered(other.id, f"{error.msg!s:.200} (code {error.code})" if refused else None)
        raise FrameRejected(
            "unknown", f"an event or an error that answers nothing we asked: {payload[: contract.MAX_TEXT]!r}"
        )
