"""MEXC spot: ``aggre.bookTicker`` (best bid and offer), ``aggre.depth`` (order book) and ``aggre.deals`` (trades).

Streams, pings, limits: https://www.mexc.com/api-docs/spot-v3/websocket-market-streams
Messages: https://github.com/mexcdevelop/websocket-proto (Protocol Buffers; answers are JSON text on the same socket)
The order book's procedure:
https://www.mexc.com/api-docs/spot-v3/websocket-market-streams/how-to-properly-maintain-a-local-copy-of-the-order-book
Snapshot and listing: https://www.mexc.com/api-docs/spot-v3/market-data-endpoints

A ticker has no number, and its time is that of its sending. A trade has an id in the newest definitions only; without
one it has the time of its message's sending and its place in it. Not confirmed: that a trade's side is the taker's,
limits of messages, what a ticker says of an empty side (here: nothing, or a size of 0).
"""

import re
from collections.abc import Callable, Sequence

import msgspec

from tickwire.errors import FrameRejected
from tickwire.events.protobuf import ProtobufText
from tickwire.events.rules import BEHIND, Rule
from tickwire.events.short_way import ShortWay
from tickwire.events.types import Micros, TakerSide
from tickwire.exchanges import contract
from tickwire.exchanges._mexc import (
    FIELDS,
    Answer,
    Deal,
    Frame,
    decode,
    decode_answer,
    read_listing,
    read_snapshot,
    version,
)
from tickwire.exchanges.contract import Channel, Fetch, Limit, Output, Symbol, decoded, malformed
from tickwire.exchanges.kit import BookEvent, BridgedBook, Item, KitAdapter, Method, by_first, by_range
from tickwire.exchanges.symbols import named_by_rule

__all__ = ["EXCHANGE", "Adapter", "derive", "read_listing"]

EXCHANGE = contract.Exchange(
    name="mexc",
    ws_url="wss://wbs-api.mexc.com/ws",
    frames="both",
    rest_url="https://api.mexc.com",
    listing_paths=("/api/v3/exchangeInfo",),
    listing_weight=10,
    symbols_per_connection=10,  # "one ws connection supports a maximum of 30 subscriptions", three a symbol
    message_interval_s=0.1,  # no limit is documented
    connect_interval_s=1.0,  # no limit is documented
    max_connection_s=23.5 * 3600,  # "valid for no more than 24 hours"
    rest_limits=(Limit(500, 10.0),),  # 500 in 10 s
    ping_interval_s=20.0,  # closed after a minute without data, where no ping keeps it
    silence_s=45.0,
    max_frame_bytes=1024 * 1024,  # a change of 5000 levels a side has less than half of it
    book_depths=range(1, 5001),
    checks=("sequence",),
)

_MOST_LEVELS = 5000  # a side, of a snapshot

_NAMES: dict[Channel, str] = {"ticker": "bookTicker", "orderbook": "depth", "trade": "deals"}  # ours, MEXC's
_CHANNELS: dict[str, Channel] = {name: channel for channel, name in _NAMES.items()}
_SIDES: dict[int, TakerSide] = {1: "buy", 2: "sell"}
_TOPIC = re.compile(r"spot@public\.aggre\.(bookTicker|depth|deals)\.v3\.api\.pb@\d+ms@(\w+)")
# Their text fields.
_CHANGE_SHAPE = (
    b'{"stream":"spot@public.aggre.depth.v3.api.pb@~@$","symbol":"$","ms":#m,'
    b'"depth":{"asks":=a,"bids":=b,"first":"#f","last":"#l"}}'
)

derive = named_by_rule(EXCHANGE.name, "{}{}".format)


class Adapter(KitAdapter[BridgedBook]):
    """One connection to the public endpoint. See :class:`~tickwire.exchanges.contract.AdapterContract`."""

    exchange = EXCHANGE
    shapes = b"", _CHANGE_SHAPE, b""
    rule = Rule(BEHIND)
    most = 1
    ping_text = b'{"method":"PING"}'

    def _make_short_way(self, unpack: Callable[[bytes], bytes] | None = None) -> ShortWay | None:
        self._text = unpack or ProtobufText(FIELDS)
        return super()._make_short_way(self._text)

    def keep(self, symbol: Symbol) -> BridgedBook:
        """Make a book; changes have versions, and the first one may begin within the snapshot.

        "``fromVersion`` = previous ``toVersion`` + 1".
        """
        fetch = Fetch(symbol, f"/api/v3/depth?symbol={symbol.native}&limit={_MOST_LEVELS}", 1, levels=_MOST_LEVELS)
        messages = self.messages(symbol)
        rules = by_first, by_range
        return BridgedBook(messages, [fetch], read_snapshot, *rules, self.short_way, in_frames=("{0}", "{0}"))

    def write(self, method: Method, items: Sequence[Item], number: int | None) -> bytes:
        """Ask for one stream."""
        ((channel, symbol),) = items
        topic = f"spot@public.aggre.{_NAMES[channel]}.v3.api.pb@100ms@{symbol.native}"
        name = "SUBSCRIPTION" if method == "subscribe" else "UNSUBSCRIPTION"
        return msgspec.json.encode({"method": name, "params": [topic], "id": number})

    def receive(self, payload: bytes, received_us: Micros) -> list[Output]:
        """Translate one frame. Raises :exc:`~tickwire.errors.FrameRejected`."""
        if payload.startswith(b"{"):
            return self._answered(decoded("answer", decode_answer, payload))
        try:
            return self._data(decode(self._text(payload)), received_us)
        except (*contract.UNREADABLE, ValueError) as e:
            raise malformed("frame", e) from None

    def _data(self, frame: Frame, received_us: Micros) -> list[Output]:
        native = frame.symbol or frame.stream.rpartition("@")[2]
        if (depth := frame.depth) is not None:
            kept, first, last = self.kept(native), version(depth.first), version(depth.last)
            event = BookEvent(depth.bids, depth.asks, last, first, exchange_us=frame.ms * 1000)
            out = kept.change(event, received_us)
            return self.heard(kept, out) if kept.new else out
        if (best := frame.best) is not None:
            bid, ask = (best.bid or None, best.bid_size or None), (best.ask or None, best.ask_size or None)
            return self.ticker(native, *bid, *ask, received_us, exchange_us=frame.ms * 1000)
        if frame.deals is not None:
            named = [(deal, deal.name or f"{frame.ms}.{i}") for i, deal in enumerate(frame.deals.deals)]
            return [output for deal, name in named for output in self._trade(native, deal, name, received_us)]
        raise FrameRejected("unknown", f"a message of {frame.stream!r:.100}")

    def _trade(self, native: str, deal: Deal, name: str, received_us: Micros) -> list[Output]:
        side = _SIDES.get(deal.side)
        if side is None:
            raise malformed(f"trade of {native}", f"the type {deal.side}")
        return self.trade(native, name, deal.price, deal.size, side, received_us, exchange_us=deal.ms * 1000)

    def _answered(self, answer: Answer) -> list[Output]:
        """Take an answer: "if the msg matches the request, it was successful"."""
        if answer.msg == "PONG":
            return []
        topics = _TOPIC.findall(answer.msg)
        error = None if answer.code == 0 and answer.msg.startswith("spot@") else answer.msg[: contract.MAX_TEXT]
        if not topics and error is not None:
            return self.answered("" if answer.id is None else answer.id, error)
        return [o for name, native in topics for o in self.answered_each(_CHANNELS[name], native, error)]
