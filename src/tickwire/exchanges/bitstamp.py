"""Bitstamp spot: ``diff_order_book``, best bid and offer read off it, and ``live_trades``.

Channels, heartbeat, the wish to reconnect: https://www.bitstamp.net/websocket/v2/
Order book by REST, listing, limits: https://www.bitstamp.net/api/#tag/Order-book and …/#tag/Market-info

Nothing numbers the changes: one that is missing cannot be seen, unless its frame came and could not be read. So a
snapshot counts where it was asked for a while after the subscription and no change had come, which is a quiet pair's,
or has the time of the first change or a later one, or is of the time since the subscription. One that lacks a change
which came before it was asked for is behind, however often it is given, and nothing says how far. Books may
be crossed for a while, by the exchange's own word: that is no reason to start one again.
Unconfirmed: how an error names its channel.
"""

from collections.abc import Sequence
from functools import partial

import msgspec

from tickwire.errors import FrameRejected
from tickwire.events.types import Micros
from tickwire.exchanges import contract
from tickwire.exchanges._bitstamp import decode, decode_book, decode_error, decode_trade, read_listing
from tickwire.exchanges.contract import Channel, Fetch, Output, Reconnect, Symbol, malformed
from tickwire.exchanges.kit import BookEvent, BridgedBook, DerivedAdapter, Item, Method, Verdict, by_time
from tickwire.exchanges.symbols import named_by_rule

__all__ = ["EXCHANGE", "Adapter", "derive", "read_listing"]

EXCHANGE = contract.Exchange(
    name="bitstamp",
    ws_url="wss://ws.bitstamp.net",
    rest_url="https://www.bitstamp.net",
    listing_paths=("/api/v2/trading-pairs-info/",),
    symbols_per_connection=100,  # no limit is documented
    message_interval_s=0.05,  # no limit is documented
    connect_interval_s=1.0,  # no limit is documented
    rest_limits=(contract.Limit(400, 1.0), contract.Limit(10_000, 600.0)),  # 400 a second, 10,000 in 10 minutes
    ping_interval_s=15.0,
    silence_s=45.0,
    crossed_s=None,
    book_depths=range(1, 5001),
)

_PREFIXES: dict[Channel, str] = {"orderbook": "diff_order_book_", "trade": "live_trades_"}
_SILENT = {"bts:heartbeat", "bts:unsubscription_succeeded"}
_OTHERS = (b'"bts:', b'"trade"', b'"live_trades_')  # parts of messages that are no change of a book

derive = named_by_rule(EXCHANGE.name, lambda base, quote: f"{base}{quote}".lower())


class Adapter(DerivedAdapter[BridgedBook]):
    """One connection to the public endpoint. See :class:`~tickwire.exchanges.contract.AdapterContract`."""

    exchange = EXCHANGE
    most = 1
    ping_text = b'{"event":"bts:heartbeat"}'

    def __init__(self, symbols: Sequence[Symbol], channels: Sequence[Channel], depth: int) -> None:
        super().__init__(symbols, channels, depth)
        self._accepted: set[str | None] = set()  # accepted, and no message came since
        self._since: dict[str | None, Micros] = {}  # time since which all changes of a book have come
        self._first: dict[str | None, Micros] = {}  # time of the first of them

    def receive(self, payload: bytes, received_us: Micros) -> list[Output]:
        """Translate one frame. Raises :exc:`~tickwire.errors.FrameRejected`."""
        try:
            return self.derived(self._read(payload, received_us))
        except contract.UNREADABLE as e:
            self._doubt(payload)
            raise malformed("frame", e) from None
        except FrameRejected as e:
            if e.reason == "malformed":
                self._doubt(payload)
            raise

    def fetched(self, fetch: Fetch, body: bytes, received_us: Micros) -> list[Output]:
        """Pass a snapshot to its book, or request one that contains a change that could not be read meanwhile."""
        kept = self._books.get(fetch.symbol.native)
        if kept is None or kept.book is not None or not kept.suspect:
            return super().fetched(fetch, body, received_us)
        kept.suspect = False
        return kept.ask()

    def keep(self, symbol: Symbol) -> BridgedBook:
        """Make a book: changes from the snapshot's time on, each with absolute sizes."""
        fetch = Fetch(symbol, f"/api/v2/order_book/{symbol.native}/", 1)
        messages = self.messages(symbol)
        reaches = partial(self._reaches, symbol.native)
        return BridgedBook(messages, [fetch], _read_snapshot, _by_time_or_at_once, by_time, reaches=reaches)

    def write(self, method: Method, items: Sequence[Item], number: int | None) -> bytes:  # noqa: ARG002 - requests have none
        """A request for one channel."""
        ((channel, symbol),) = items
        name = _PREFIXES[channel] + symbol.native
        return msgspec.json.encode({"event": f"bts:{method}", "data": {"channel": name}})

    def _read(self, payload: bytes, received_us: Micros) -> list[Output]:
        frame = decode(payload)
        event, (channel, native) = frame.event, _item(frame.channel)
        if event == "data" and channel == "orderbook":
            kept, book = self.kept(native), decode_book(frame.data)
            time_us = int(book.microtimestamp)
            if self._accepted:
                self._since |= dict.fromkeys(self._accepted, time_us)
                self._accepted.clear()
            if kept.new:
                self._first[native] = time_us
            out = kept.change(BookEvent(book.bids, book.asks, time_us, exchange_us=time_us), received_us)
            return self.heard(kept, out) if kept.new else out
        if event == "trade" and channel == "trade":
            trade = decode_trade(frame.data)
            of_trade, at_us = (str(trade.id), trade.price_str, trade.amount_str), int(trade.microtimestamp)
            return self.trade(native, *of_trade, "sell" if trade.type else "buy", received_us, exchange_us=at_us)
        if event == "bts:subscription_succeeded":
            if channel == "orderbook":
                self._accepted.add(native)
            return self.answered_each(channel, native, None)
        if event == "bts:error":
            error = decode_error(frame.data)
            return self.answered_each(channel, native, f"{error.message:.150} (code {error.code})")
        if event == "bts:request_reconnect":
            return [Reconnect("the exchange asked for it")]
        if event in _SILENT:
            return []
        raise contract.unexpected(payload)

    def _reaches(self, native: str, snapshot: int, event: BookEvent) -> Verdict:
        """Whether no change is missing between a snapshot and *event*, the first kept change.

        A snapshot may be older than that where it is the first since the subscription was accepted, and still none of
        the time before that: the exchange may give an old one for a while.
        """
        first, since = self._first.get(native), self._since.get(native, event.last)
        return "next" if snapshot >= (since if first == event.last else event.last) else "gap"

    def _doubt(self, payload: bytes) -> None:
        """Doubt the book that an unreadable frame names: nothing else would reveal what it changed.

        A frame that ends before its name may have changed any book.
        """
        self._since.clear()
        try:
            msgspec.json.decode(payload)
            cut = False
        except contract.UNREADABLE:
            cut = payload[:1] == b"{" and not any(mark in payload for mark in _OTHERS)
        self.doubt_named(payload, _PREFIXES["orderbook"], all_else=cut)


def _item(name: str) -> tuple[Channel | None, str | None]:
    """The channel and the symbol in the name of a channel."""
    channel = next((channel for channel, prefix in _PREFIXES.items() if name.startswith(prefix)), None)
    return (None, None) if channel is None else (channel, name.removeprefix(_PREFIXES[channel]))


def _by_time_or_at_once(previous: int, event: BookEvent) -> Verdict:
    """Two changes may have the same time; only a snapshot holds all that has its own."""
    return "old" if event.last < previous else "next"


def _read_snapshot(body: bytes) -> BookEvent:
    book = decode_book(body)
    time_us = int(book.microtimestamp)
    return BookEvent(book.bids, book.asks, time_us, exchange_us=time_us)
