"""KuCoin spot, the push socket that needs no token: ``ticker`` (best bid and offer), ``obu`` (order book), ``trade``.

Connection, pings, limits: https://www.kucoin.com/docs-new/websocket-api/base-info/introduction-uta
Order book: https://www.kucoin.com/docs-new/3470354w0 (the best 500 levels, every 10 ms)
Trades: https://www.kucoin.com/docs-new/3470359w0
Listing: https://www.kucoin.com/docs-new/rest/spot-trading/market-data/get-all-symbols

The server says everything in binary frames, and its welcome first. It accepts a symbol that does not exist and stays
silent. A level that leaves the best 500 comes as a removal. Not confirmed: what a ticker says of an empty side.
"""

import re
from collections.abc import Sequence

import msgspec
from msgspec import Raw

from tickwire.events.book import Levels, price_key
from tickwire.events.rules import NEXT, Rule
from tickwire.events.side import read_levels
from tickwire.events.types import Micros, TakerSide
from tickwire.exchanges import contract
from tickwire.exchanges._kucoin import Data, Frame, decode, decode_data, decode_text, read_listing
from tickwire.exchanges.contract import Channel, Output, Symbol, decoded, malformed
from tickwire.exchanges.kit import BookEvent, Item, KitAdapter, Method, StreamedBook, by_range
from tickwire.exchanges.symbols import named_by_rule

__all__ = ["EXCHANGE", "Adapter", "derive", "read_listing"]

EXCHANGE = contract.Exchange(
    name="kucoin",
    ws_url="wss://x-push-spot.kucoin.com/",
    frames="both",
    rest_url="https://api.kucoin.com",
    listing_paths=("/api/v1/symbols",),
    symbols_per_connection=100,  # "at most 600 topics"; older clients keep to 200
    message_interval_s=0.04,  # "300 client messages per 10 s"
    connect_interval_s=1.2,  # "250 new connections per 5 minutes"
    ping_interval_s=9.0,
    keepalive_s=9.0,  # the welcome asks for one every 18 s
    silence_s=30.0,
    max_frame_bytes=4 * 1024 * 1024,
    book_depths=(500,),
    checks=("sequence",),
)

_NAMES: dict[Channel, str] = {"ticker": "ticker", "orderbook": "obu", "trade": "trade"}  # ours, KuCoin's
_SIDES: dict[str, TakerSide] = {"buy": "buy", "sell": "sell"}  # in capitals or not
_CHANGE_SHAPE = (
    b'{"T":"obu.SPOT","dp":"increment@10ms","t":"delta","P":*,"d":{"C":#l,"M":#n,"O":#f,"a":=a,"b":=b,"s":"$"}}'
)
_NO_PRICE = re.compile(rb'\[\s*"0*\.?0*"')  # a level whose price is zero

derive = named_by_rule(EXCHANGE.name, "{}-{}".format)


class Adapter(KitAdapter[StreamedBook]):
    """One connection to the public endpoint. See :class:`~tickwire.exchanges.contract.AdapterContract`."""

    exchange = EXCHANGE
    shapes = b"", _CHANGE_SHAPE, b""
    rule = Rule(NEXT)
    most = 1  # "symbols are not supported for topic obu"
    ping_text = b'{"id":"ping","type":"ping"}'
    _welcomed = False

    def keep(self, symbol: Symbol) -> StreamedBook:
        """Keep a book by the first and last number of each change."""
        of_book = symbol, self.messages(symbol), self.again, self.short_way
        return StreamedBook(*of_book, follows=by_range)

    def write(self, method: Method, items: Sequence[Item], number: int | None) -> bytes:
        """Ask for one channel of one symbol; the answer names nothing but the request's id."""
        ((channel, symbol),) = items
        name = f"{method} {channel} {symbol.native}" if number is None else str(number)
        request = {"id": name, "action": method.upper(), "channel": _NAMES[channel]}
        request |= {"tradeType": "SPOT", "symbol": symbol.native}
        if channel == "orderbook":
            request["depth"] = "increment@10ms"
        return msgspec.json.encode(request)

    def start(self) -> list[Output]:
        """Wait for the welcome."""
        return []

    def receive(self, payload: bytes, received_us: Micros) -> list[Output]:
        """Translate one frame. Raises :exc:`~tickwire.errors.FrameRejected`."""
        frame = decoded("frame", decode, payload)
        kind = frame.T.upper()  # documented as obu.SPOT and as obu.spot
        if kind == "OBU.SPOT":
            return self._book(frame.t, decoded("book", decode_data, frame.d), received_us)
        if kind == "TICKER.SPOT":
            return self._ticker(decoded("ticker", decode_data, frame.d), received_us)
        if kind == "TRADE.SPOT":
            return self._trade(decoded("trade", decode_data, frame.d), received_us)
        if frame.id is not None and frame.result is not None:
            return self._answered(frame.id, frame)
        if frame.message == "welcome":
            first, self._welcomed = not self._welcomed, True
            return super().start() if first else []
        if frame.type == "pong":
            return []
        raise contract.unexpected(payload)

    def _ticker(self, data: Data, received_us: Micros) -> list[Output]:
        bid, ask = (decoded("ticker", decode_text, side) or None for side in (data.b, data.a))
        numbers = {"sequence": data.E, "exchange_us": data.M // 1000}
        return self.ticker(data.s, bid, data.B or None, ask, data.A or None, received_us, last=data.l, **numbers)

    def _book(self, kind: str | None, data: Data, received_us: Micros) -> list[Output]:
        kept = self.kept(data.s)
        if data.O is None or data.C is None or kind is None:
            raise malformed(f"book of {data.s}", "it has no number or kind")
        if kind == "snapshot" and data.O != data.C:
            kept.doubt()
            raise malformed(f"snapshot of {data.s}", 'of one point in time "the values of O and C are always the same"')
        bids, asks = _priced(data.b), _priced(data.a)
        event = BookEvent(bids, asks, data.C, data.O, exchange_us=data.M // 1000)
        out = (kept.snapshot if kind == "snapshot" else kept.change)(event, received_us)
        return self.heard(kept, out) if kept.new else out

    def _trade(self, data: Data, received_us: Micros) -> list[Output]:
        side = _SIDES.get(data.S.lower())
        if side is None:
            raise malformed(f"trade of {data.s}", f"the side {data.S!r:.20}")
        return self.trade(data.s, str(data.ti), data.p, data.q, side, received_us, exchange_us=data.M // 1000)

    def _answered(self, name: str, frame: Frame) -> list[Output]:
        error = None if frame.result in {True, "true"} else (frame.reason or frame.message or "no reason")
        if name.isascii() and name.isdigit() and len(name) < 10:
            return self.answered(int(name), error and error[: contract.MAX_TEXT])
        method, _, item = name.partition(" ")
        channel, _, native = item.partition(" ")
        if method != "subscribe" or channel not in _NAMES:
            return []
        return self.answered_each(channel, native, error and error[: contract.MAX_TEXT])


def _priced(levels: Raw) -> Levels:
    """Leave out levels with the price 0: they say only that the number moved on."""
    if _NO_PRICE.search(levels) is None:
        return levels
    try:
        return [level for level in read_levels(levels) if price_key(level[0])]
    except ValueError as e:
        raise malformed("levels", e) from None
