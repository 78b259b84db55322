"""Coinbase Advanced Trade: ``ticker`` (best bid and offer at each trade), ``level2`` and ``market_trades``.

Requests, limits: https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-overview
Channels, numbers: https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels

Messages are numbered over the whole connection: where one is missing, of whatever channel, every book starts again.
Products in USDC are another name of those in USD. Unconfirmed: whether one bad product refuses all of a request, and
that its error names it; the side of a trade is the maker's, as clients read it.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from tickwire.errors import FeedError, FrameRejected
from tickwire.events.decimals import decimal_text
from tickwire.events.types import Level, Micros, TakerSide
from tickwire.exchanges import contract
from tickwire.exchanges._coinbase_advanced import Event, Frame, Ticker, Trade, derive, read_listing
from tickwire.exchanges.contract import Channel, Output, Send, Symbol, decoded, malformed
from tickwire.exchanges.kit import BookEvent, Item, KitAdapter, Method, StreamedBook
from tickwire.exchanges.kit.continuity import NO_NUMBER
from tickwire.exchanges.numbers import known_us

__all__ = ["EXCHANGE", "Adapter", "derive", "read_listing"]

EXCHANGE = contract.Exchange(
    name="coinbase_advanced",
    ws_url="wss://advanced-trade-ws.coinbase.com",
    rest_url="https://api.coinbase.com",
    listing_paths=("/api/v3/brokerage/market/products?product_type=SPOT",),
    symbols_per_connection=50,  # no limit is documented; every book is the whole one
    message_interval_s=0.15,  # 8 messages a second from one address without a login
    connect_interval_s=0.5,  # 750 a second from one address, by its page; other clients keep to 8
    rest_limits=(contract.Limit(10, 1.0),),
    ping_interval_s=10.0,  # of the WebSocket's own: heartbeats come every second
    silence_s=20.0,
    max_frame_bytes=64 * 1024 * 1024,  # a snapshot is all of the book: over 4 MiB for BTC-USD
    book_depths=range(1, 5001),
    checks=("sequence",),
)

_THEIRS: dict[Channel, str] = {"ticker": "ticker", "orderbook": "level2", "trade": "market_trades"}
_OURS: dict[str, Channel] = {theirs: ours for ours, theirs in _THEIRS.items()}
_PRODUCT = re.compile(r"[\w.]+-[\w.]+")  # in the text of an error
_TAKER: dict[str, TakerSide] = {"BUY": "sell", "SELL": "buy"}
# "Most channels close within 60-90 seconds if no updates are sent."
_HEARTBEATS = b'{"type":"subscribe","channel":"heartbeats"}'


_decode = msgspec.json.Decoder(Frame).decode


class Adapter(KitAdapter[StreamedBook]):
    """One connection to the market data endpoint. See :class:`~tickwire.exchanges.contract.AdapterContract`."""

    exchange = EXCHANGE
    most = 10  # products in one request
    apart = True
    _number: int | None = None  # of the last message, whatever its channel
    _last = b""  # this message

    def start(self) -> list[Output]:
        """Ask for heartbeats, which keep quiet channels open, and subscribe."""
        return [Send(_HEARTBEATS), *super().start()]

    def keep(self, symbol: Symbol) -> StreamedBook:
        """Make a book: a snapshot, then changes; what is missing shows in the numbers of the connection."""
        return StreamedBook(symbol, self.messages(symbol), self.again)

    def write(self, method: Method, items: Sequence[Item], number: int | None) -> bytes:  # noqa: ARG002 - requests have none
        """Ask for products of one channel."""
        products = [symbol.native for _, symbol in items]
        return msgspec.json.encode({"type": method, "product_ids": products, "channel": _THEIRS[items[0][0]]})

    def receive(self, payload: bytes, received_us: Micros) -> list[Output]:
        """Translate one frame. Raises :exc:`~tickwire.errors.FrameRejected`."""
        frame = decoded("frame", _decode, payload)
        if frame.type == "error":
            return self._failed(frame.message[: contract.MAX_TEXT])
        if frame.channel is None:
            raise contract.unexpected(payload)
        if frame.sequence_num is None:
            raise malformed("frame", "it has no number")
        if frame.sequence_num == self._number and payload == self._last:
            return []
        before, self._number, self._last = self._number, frame.sequence_num, payload
        if before is not None and frame.sequence_num <= before:
            # It is of before, has the number of another, or numbers begin again: what it holds may be old.
            return self._lost(received_us)
        out = [] if before in {None, frame.sequence_num - 1} else self._lost(received_us)
        wrong: FeedError | None = None
        for take, part in self._parts(frame):
            try:
                out += take(part, frame, received_us)
            except (FeedError, ValueError) as e:
                wrong = e if isinstance(e, FeedError) else malformed("frame", e)
                if isinstance(wrong, FrameRejected) and wrong.reason == "malformed":
                    self._number = before  # as if it had not come: the next one shows that something is missing
        if wrong is not None and not out:
            raise wrong
        return out

    def _lost(self, received_us: Micros) -> list[Output]:
        again = [kept for kept in self._books.values() if not (kept.restarting or kept.new)]
        return [output for kept in again for output in kept.restart("gap", received_us)]

    def _parts(self, frame: Frame) -> list[tuple[Callable[[Any, Frame, Micros], list[Output]], Any]]:
        """What a frame is made of, each with what takes it; one that cannot be taken does not concern the others."""
        if frame.channel == "l2_data":
            return [(self._change, event) for event in frame.events]
        if frame.channel == "ticker":
            return [(self._best, ticker) for event in frame.events for ticker in event.tickers]
        if frame.channel == "market_trades":
            trades = [(event.type, trade) for event in frame.events for trade in event.trades]
            return [
                (self._trade, each)
                for each in sorted(trades, key=lambda each: (len(each[1].trade_id), each[1].trade_id))
            ]
        if frame.channel == "subscriptions":
            return [(self._carries, event.subscriptions) for event in frame.events]
        if frame.channel == "heartbeats":
            return []
        return [(self._unknown, frame.channel)]

    def _unknown(self, channel: str, _: Frame, __: Micros) -> list[Output]:
        raise FrameRejected("unknown", f"a message of the channel {channel!r:.100}")

    def _change(self, event: Event, frame: Frame, received_us: Micros) -> list[Output]:
        kept, sides = self.kept(event.product_id), dict[str, list[Level]](bid=[], offer=[])
        for update in event.updates:
            sides[update.side].append((decimal_text(update.price_level), decimal_text(update.new_quantity)))
        number = NO_NUMBER if frame.sequence_num is None else frame.sequence_num
        change = BookEvent(sides["bid"], sides["offer"], number, exchange_us=known_us(frame.timestamp))
        if event.type not in {"snapshot", "update"}:
            raise ValueError(f"a book message of the type {event.type!r:.40}")
        out = (kept.snapshot if event.type == "snapshot" else kept.change)(change, received_us)
        return self.heard(kept, out) if kept.new else out

    def _best(self, of: Ticker, frame: Frame, received_us: Micros) -> list[Output]:
        best = of.best_bid or None, of.best_bid_quantity, of.best_ask or None, of.best_ask_quantity
        at_us, last = known_us(frame.timestamp), of.price or None
        return self.ticker(of.product_id, *best, received_us, last=last, exchange_us=at_us)

    def _trade(self, of: tuple[str, Trade], _: Frame, received_us: Micros) -> list[Output]:
        """Take an execution; those of a snapshot are from before, and say that the channel is carried."""
        kind, one = of
        if kind == "snapshot":
            return self.answered_each("trade", one.product_id, None)
        of_trade = one.product_id, one.trade_id, one.price, one.size, _TAKER[one.side]
        return self.trade(*of_trade, received_us, exchange_us=known_us(one.time))

    def _carries(self, subscriptions: dict[str, list[str] | None], _: Frame, __: Micros) -> list[Output]:
        """Take the list of all that is subscribed now."""
        named = [(_OURS[name], each) for name, ids in subscriptions.items() if name in _OURS for each in ids or ()]
        return [output for channel, product in named for output in self.answered_each(channel, product, None)]

    def _failed(self, error: str) -> list[Output]:
        """Take an error, which has no number of a request."""
        known = self._tickers.keys() | self._books.keys() | self._traded.keys()
        native = next((name for name in _PRODUCT.findall(error) if name in known), None)
        if native is None:
            self._requests.singly()
        return self.answered_each(None, native, error) + self._requests.retry()
