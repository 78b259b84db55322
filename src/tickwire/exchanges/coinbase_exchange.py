"""Coinbase Exchange: ``ticker`` (best bid and offer at each trade), ``level2_batch`` and ``matches``.

Channels, and the order book's rule: https://docs.cdp.coinbase.com/exchange/websocket-feed/channels
Five seconds to subscribe in: https://docs.cdp.coinbase.com/exchange/websocket-feed/overview; limits: …/rate-limits
Listing: https://docs.cdp.coinbase.com/api-reference/exchange-api/rest-api/products/get-all-known-trading-pairs

The order book has neither numbers nor a checksum: the exchange promises that every change arrives, and nothing shows
one that did not. Unconfirmed: one bad product refuses all of a request, and its name is all that tells which.
"""

from collections.abc import Sequence

import msgspec

from tickwire.events.decimals import decimal_text
from tickwire.events.rules import ANY, ASK, BID, Rule
from tickwire.events.types import Level, Micros, TakerSide
from tickwire.exchanges._coinbase_exchange import Carried, Frame, decode, read_listing
from tickwire.exchanges.contract import MAX_TEXT, UNREADABLE, Channel, Exchange, Output, Symbol, unexpected
from tickwire.exchanges.kit import BookEvent, Item, KitAdapter, Method, StreamedBook
from tickwire.exchanges.numbers import known_us
from tickwire.exchanges.symbols import named_by_rule

__all__ = ["EXCHANGE", "Adapter", "derive", "read_listing"]

EXCHANGE = Exchange(
    name="coinbase_exchange",
    ws_url="wss://ws-feed.exchange.coinbase.com",
    rest_url="https://api.exchange.coinbase.com",
    listing_paths=("/products",),
    trades_numbered=True,  # "trade_id" counts the trades of a product
    symbols_per_connection=100,  # no limit is documented; every book is the whole one
    message_interval_s=0.05,  # 100 messages a second from one address, shared by all connections
    connect_interval_s=1.0,  # 8 requests a second from one address
    ping_interval_s=15.0,  # of the WebSocket's own; the exchange has none, only a channel of heartbeats
    silence_s=30.0,
    max_frame_bytes=16 * 1024 * 1024,  # a snapshot is all of the book
    book_depths=range(1, 5001),
)

_THEIRS: dict[Channel, str] = {"ticker": "ticker", "orderbook": "level2_batch", "trade": "matches"}
# A subscription of level2_batch has been acknowledged as level2_50, after its 50 ms, too.
_OURS: dict[str, Channel] = {
    "ticker": "ticker", "level2": "orderbook", "level2_batch": "orderbook", "level2_50": "orderbook",
    "matches": "trade",
}  # fmt: skip
_KINDS: dict[str | None, Channel | None] = {
    "ticker": "ticker", "snapshot": "orderbook", "l2update": "orderbook", "match": "trade", "last_match": "trade",
    "subscriptions": None, "heartbeat": None, "error": None,
}  # fmt: skip
_CHANGE_SHAPE = b'{"type":"l2update","product_id":"$","changes":=s,"time":"^"}'
_TAKER: dict[str | None, TakerSide] = {"buy": "sell", "sell": "buy"}  # "side" is the maker's
derive = named_by_rule(EXCHANGE.name, "{}-{}".format)


class Adapter(KitAdapter[StreamedBook]):
    """One connection to the feed. See :class:`~tickwire.exchanges.contract.AdapterContract`."""

    exchange = EXCHANGE
    shapes = b"", _CHANGE_SHAPE, b""
    rule = Rule(ANY, words=(("buy", BID), ("sell", ASK)))
    most = 200  # subscriptions in one message; no limit is documented

    def receive(self, payload: bytes, received_us: Micros) -> list[Output]:
        """Translate one frame. Raises :exc:`~tickwire.errors.FrameRejected`."""
        try:
            frame = decode(payload)
            if frame.type in {"l2update", "snapshot"}:
                return self._change(frame, received_us)
            if frame.type == "ticker":
                return self._best(frame, received_us)
            if frame.type == "match":
                return self._match(frame, received_us)
        except (*UNREADABLE, ValueError) as e:
            raise self.unreadable(payload, e, _KINDS) from None
        if frame.type == "last_match":
            return []  # from before the subscription
        if frame.type == "subscriptions":
            return self._carries(frame.channels)
        if frame.type == "error":
            return self._failed(f"{frame.message}: {frame.reason}"[:MAX_TEXT])
        raise unexpected(payload)

    def keep(self, symbol: Symbol) -> StreamedBook:
        """Make a book: a snapshot, then changes; a size of zero, however it is spelled, removes the level."""
        messages = self.messages(symbol)
        return StreamedBook(symbol, messages, self.again, self.short_way)

    def write(self, method: Method, items: Sequence[Item], number: int | None) -> bytes:  # noqa: ARG002 - requests have none
        """Ask for symbols of each channel."""
        names = {channel: [symbol.native for asked, symbol in items if asked == channel] for channel, _ in items}
        channels = [{"name": _THEIRS[channel], "product_ids": products} for channel, products in names.items()]
        return msgspec.json.encode({"type": method, "channels": channels})

    def _best(self, frame: Frame, received_us: Micros) -> list[Output]:
        best = frame.best_bid or None, frame.best_bid_size, frame.best_ask or None, frame.best_ask_size
        at_us, product = known_us(frame.time), frame.product_id
        return self.ticker(product, *best, received_us, last=frame.price, sequence=frame.sequence, exchange_us=at_us)

    def _match(self, frame: Frame, received_us: Micros) -> list[Output]:
        side = _TAKER.get(frame.side)
        if side is None or frame.trade_id is None or frame.price is None or frame.size is None:
            raise ValueError("a match without its side, number, price or size")
        of_trade = str(frame.trade_id), frame.price, frame.size, side
        return self.trade(frame.product_id, *of_trade, received_us, exchange_us=known_us(frame.time))

    def _change(self, frame: Frame, received_us: Micros) -> list[Output]:
        kept, exchange_us = self.kept(frame.product_id), known_us(frame.time)
        if frame.type == "snapshot":
            out = kept.snapshot(BookEvent(frame.bids, frame.asks, exchange_us=exchange_us), received_us)
        elif frame.changes is None:
            raise ValueError("a change without changes")
        else:
            sides: dict[str, list[Level]] = {"buy": [], "sell": []}
            for side, price, size in frame.changes:
                sides[side].append((decimal_text(price), decimal_text(size)))
            out = kept.change(BookEvent(sides["buy"], sides["sell"], exchange_us=exchange_us), received_us)
        return self.heard(kept, out) if kept.new else out

    def _carries(self, channels: list[Carried]) -> list[Output]:
        """Take the list of all that is subscribed now."""
        named = [(_OURS[each.name], product) for each in channels if each.name in _OURS for product in each.product_ids]
        return [output for channel, product in named for output in self.answered_each(channel, product, None)]

    def _failed(self, error: str) -> list[Output]:
        """Take an error, which names a product and no request, and ask again for what was refused together with it."""
        known = self._tickers.keys() | self._books.keys() | self._traded.keys()
        native = next((word for word in error.split() if word in known), None)
        return self.answered_each(None, native, error) + self._requests.retry()
