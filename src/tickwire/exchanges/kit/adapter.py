"""The common base of adapters."""

import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from tickwire.errors import FrameRejected, NotWanted
from tickwire.events.book import Book, is_zero, price_key
from tickwire.events.decimals import decimal_text
from tickwire.events.numbers import Number
from tickwire.events.rules import ANY, Rule
from tickwire.events.short_way import ShortWay
from tickwire.events.types import Micros, TakerSide, Ticker, Trade
from tickwire.exchanges.contract import UNREADABLE, Channel, Exchange, Fetch, Output, Refused, Symbol, malformed
from tickwire.exchanges.kit.books import KeptBook
from tickwire.exchanges.kit.requests import Item, Method, Requests
from tickwire.exchanges.messages import BookMessages, json_prefix

Kept = TypeVar("Kept", bound=KeptBook)
_MOST_DIGITS = 18  # of a trade's number


class KitAdapter(Generic[Kept]):
    """Implements :class:`~tickwire.exchanges.contract.AdapterContract` except ``receive``.

    An exchange's adapter adds ``receive``, the attributes below, :meth:`keep` and :meth:`write`.
    """

    exchange: ClassVar[Exchange]
    most: ClassVar[int]  # most subscriptions in one request
    apart: ClassVar[bool] = False  # each request is for one channel
    whole: ClassVar[bool] = False  # the exchange accepts or refuses a request as a whole
    ping_text: ClassVar[bytes | None] = None
    # Shapes of tickers, changes and trades (events/shape.py), for the short way. Frames of other shapes are read too,
    # only slower.
    shapes: ClassVar[tuple[bytes, bytes, bytes] | None] = None
    rule: ClassVar[Rule] = Rule(ANY)  # of changes on the short way
    _most = sys.maxsize

    def keep(self, symbol: Symbol) -> Kept:
        """Make the book of a symbol."""
        raise NotImplementedError

    def messages(self, symbol: Symbol) -> BookMessages:
        """The factory for messages of a symbol's book."""
        return BookMessages(self._name, symbol, self.depth)

    def write(self, method: Method, items: Sequence[Item], number: int | None) -> bytes:
        """The text of a request, with its number if there is one."""
        raise NotImplementedError

    def __init__(self, symbols: Sequence[Symbol], channels: Sequence[Channel], depth: int) -> None:
        self._name, self.depth, self._channels = self.exchange.name, self.exchange.offered(depth), channels
        self.spoken = channels
        self.short_way = self._make_short_way()
        self._tickers: dict[str | None, Symbol] = {}
        self._new_tickers: set[str | None] = set()  # no data yet
        self._counts: defaultdict[str | None, int] = defaultdict(int)  # of tickers
        self._short_counts: defaultdict[str | None, Number] = defaultdict(Number)  # of tickers on the short way
        self._traded: dict[str | None, Symbol] = {}
        self._new_trades: set[str | None] = set()  # no data yet
        self._books: dict[str | None, Kept] = {}
        self._left: set[str | None] = set()  # native names of removed symbols
        self._requests = Requests(
            self.enter(symbols), self.most, self.write, self._carried, apart=self.apart, whole=self.whole
        )

    def bound(self, levels: int) -> None:
        """Keep at most *levels* a side of each book, but at least twice the depth."""
        self._most = max(levels, 2 * self.depth)
        for kept in self._books.values():
            kept.most = self._most

    def _make_short_way(self, unpack: Callable[[bytes], bytes] | None = None) -> ShortWay | None:
        """Make the short way past ``receive``; in shapes ``!`` stands for the depth."""
        if self.shapes is None:
            return None
        ticker, change, trade = (shape.replace(b"!", b"%d" % self.depth) for shape in self.shapes)
        return ShortWay(ticker, change, trade, self.rule, unpack)

    def start(self) -> list[Output]:
        """Subscribe everything."""
        return self._requests.subscribe()

    def add(self, symbols: Sequence[Symbol]) -> list[Output]:
        """Subscribe these too."""
        return self._requests.add(self.enter(symbols))

    def remove(self, symbols: Sequence[Symbol]) -> list[Output]:
        """Unsubscribe these."""
        names = {symbol.native for symbol in symbols}
        for name in names:
            self._tickers.pop(name, None)
            self._traded.pop(name, None)
            self._books.pop(name, None)
            if self.short_way is not None:
                self.short_way.forget(name)
        self._new_tickers -= names
        self._new_trades -= names
        self._left |= names
        return self._requests.remove(names)

    def enter(self, symbols: Sequence[Symbol]) -> list[Item]:
        """Prepare for these symbols; return the subscriptions to request."""
        tickers, booked, traded = (symbols if c in self._channels else () for c in ("ticker", "orderbook", "trade"))
        self._tickers |= {symbol.native: symbol for symbol in tickers}
        self._new_tickers |= {symbol.native for symbol in tickers}
        self._traded |= {symbol.native: symbol for symbol in traded}
        self._new_trades |= {symbol.native for symbol in traded}
        for symbol in booked:
            self._books[symbol.native] = kept = self.keep(symbol)
            kept.most = self._most
        self._left -= {symbol.native for symbol in symbols}
        return [(channel, symbol) for symbol in symbols for channel in self._channels]

    def stop(self) -> list[Output]:
        """Unsubscribe everything."""
        return self._requests.unsubscribe()

    def ping(self) -> bytes | None:
        """The exchange's own ping; None: the WebSocket's."""
        return self.ping_text

    def asking(self, fetch: Fetch) -> None:
        """Tell the book that the request is sent now."""
        kept = self._books.get(fetch.symbol.native)
        if kept is not None:
            kept.asking(fetch)

    def fetched(self, fetch: Fetch, body: bytes, received_us: Micros) -> list[Output]:
        """Pass a fetched body to its book. Raises :exc:`~tickwire.errors.FrameRejected`."""
        kept = self._books.get(fetch.symbol.native)
        return [] if kept is None else kept.fetched(fetch, body, received_us)

    def restart(self, symbol: Symbol, reason: str, received_us: Micros) -> list[Output]:
        """Give up a book; a silent one is subscribed again, because the subscription may be lost."""
        kept = self._books.get(symbol.native)
        if kept is None:
            return []
        renewed = self._requests.renew("orderbook", symbol) if reason == "stale" and not kept.subscribes else []
        return renewed + kept.restart(reason, received_us)

    def resync(self, symbol: Symbol) -> list[Output]:
        """Request a new start of a book, unless it has started by itself."""
        kept = self._books.get(symbol.native)
        return [] if kept is None or kept.book is not None else kept.ask()

    def book(self, symbol: Symbol) -> Book | None:
        """The current book; None while it is not valid."""
        kept = self._books.get(symbol.native)
        return None if kept is None else kept.current

    def pending(self) -> list[Item]:
        """Subscriptions without an answer, and books that were requested again and have not started."""
        waiting = self._requests.pending()
        again: list[Item] = [("orderbook", kept.symbol) for kept in self._restarting()]
        return waiting + [item for item in again if item not in waiting]

    def unheard(self) -> list[Item]:
        """Accepted subscriptions without any message so far, except trades."""
        tickers: list[Item] = [("ticker", symbol) for n, symbol in self._tickers.items() if n in self._new_tickers]
        books: list[Item] = [("orderbook", kept.symbol) for kept in self._books.values() if kept.new]
        return [item for item in tickers + books if self._requests.carries(item)]

    def tickers(self, symbol: Symbol) -> int:
        """How many tickers of this symbol were received."""
        return self._counts[symbol.native] + self._short_counts[symbol.native].value

    def renew(self, channel: Channel, symbol: Symbol, received_us: Micros) -> list[Output]:  # noqa: ARG002 - for tickers that are read off a book
        """Unsubscribe and subscribe again, as if it were new."""
        if channel != "orderbook":
            (self._new_tickers if channel == "ticker" else self._new_trades).add(symbol.native)
        return self._requests.renew(channel, symbol)

    def retry(self) -> list[Output]:
        """Request everything that is pending again."""
        return self._requests.retry() + [output for kept in self._restarting() for output in kept.ask()]

    def _restarting(self) -> list[Kept]:
        return [kept for kept in self._books.values() if kept.restarting]

    def again(self, symbol: Symbol) -> list[Output]:
        """Subscribe a book again."""
        return self._requests.again("orderbook", symbol)

    def _carried(self, item: Item) -> list[Output]:
        channel, symbol = item
        return self._books[symbol.native].carried() if channel == "orderbook" else []

    def answered(self, number: int | str, error: str | None) -> list[Output]:
        """Take the answer to a request as a whole: it was accepted, or refused with *error*.

        Raises :exc:`~tickwire.errors.FrameRejected` for an error that concerns nothing we asked for.
        """
        if error is None:
            return self._requests.accept_request(number)
        return _some(self._requests.refuse_request(number, error), error)

    def answered_each(
        self, channel: Channel | None, native: str | None, error: str | None, number: int | None = None
    ) -> list[Output]:
        """Take the answer to one subscription; a channel or name that it lacks follows from *number*, or means all.

        Raises :exc:`~tickwire.errors.FrameRejected` for an error that concerns nothing we asked for.
        """
        asked = self._requests.asked(number)
        if channel is None and asked:
            channel = asked[0][0]
        if error is None:
            return [] if channel is None or native is None else self._requests.accept(channel, native)
        channels = self.exchange.channels if channel is None else (channel,)
        names = [symbol.native for _, symbol in asked] if native is None else [native]
        return _some([refused for c in channels for name in names for refused in self._refuse(c, name, error)], error)

    def _refuse(self, channel: Channel, native: str, answer: str) -> list[Output]:
        """Take the refusal of a pending subscription, or of a book that was subscribed again."""
        kept = self._books.get(native) if channel == "orderbook" else None
        refused = self._requests.refuse(channel, native, answer)
        if kept is None or not kept.restarting:
            return refused
        kept.restarting = False
        return [Refused(channel, kept.symbol, answer)]

    def ticker(
        self,
        native: str | None,
        bid: str | None,
        bid_size: str | None,
        ask: str | None,
        ask_size: str | None,
        received_us: Micros,
        last: str | None = None,
        sequence: int | None = None,
        exchange_us: Micros | None = None,
    ) -> list[Output]:
        """Make a symbol's ticker; a side is empty if its price is null or its size zero.

        If the exchange sends no size, the price is given without one.

        Raises :exc:`~tickwire.errors.FrameRejected`.
        """
        symbol = self._tickers.get(native)
        if symbol is None:
            return self._unasked("ticker", native)
        try:
            if bid is None:
                bid_size = None
            else:
                price_key(bid := decimal_text(bid))
                if bid_size is not None and is_zero(bid_size := decimal_text(bid_size)):
                    bid = bid_size = None
            if ask is None:
                ask_size = None
            else:
                price_key(ask := decimal_text(ask))
                if ask_size is not None and is_zero(ask_size := decimal_text(ask_size)):
                    ask = ask_size = None
            if last is not None:
                price_key(last := decimal_text(last))
        except ValueError as e:
            raise malformed(f"ticker of {native}", e) from None
        ticker = Ticker(
            exchange=self._name,
            symbol=symbol.canonical,
            exchange_symbol=symbol.native,
            bid=bid,
            bid_size=bid_size,
            ask=ask,
            ask_size=ask_size,
            last=last,
            sequence=sequence,
            exchange_us=exchange_us,
            received_us=received_us,
        )
        self._counts[native] += 1
        if not self._new_tickers or native not in self._new_tickers:
            return [ticker]
        self._new_tickers.discard(native)
        if self.short_way is not None:
            prefix, count = json_prefix("bid", ticker), self._short_counts[native]
            self.short_way.ticker(symbol.native, symbol.canonical, prefix, count)
        return [*self._requests.heard("ticker", symbol.native), ticker]

    def trade(
        self,
        native: str | None,
        trade_id: str,
        price: str,
        size: str,
        side: TakerSide,
        received_us: Micros,
        *,
        exchange_us: Micros | None = None,
    ) -> list[Output]:
        """Make one trade; *side* is the taker's. Do not pass trades from before the subscription.

        Raises :exc:`~tickwire.errors.FrameRejected`.
        """
        symbol = self._traded.get(native)
        if symbol is None:
            return self._unasked("trade", native)
        try:
            price_key(price := decimal_text(price))
            empty = is_zero(size := decimal_text(size))
        except ValueError as e:
            raise malformed(f"trade of {native}", e) from None
        numbered = not self.exchange.trades_numbered or (trade_id.isdecimal() and len(trade_id) <= _MOST_DIGITS)
        if empty or not trade_id or not numbered:
            raise malformed(f"trade of {native}", f"the size {size!r:.40}, the id {trade_id!r:.40}")
        trade = Trade(
            exchange=self._name,
            symbol=symbol.canonical,
            exchange_symbol=symbol.native,
            trade_id=trade_id,
            price=price,
            size=size,
            side=side,
            exchange_us=exchange_us,
            received_us=received_us,
        )
        if native not in self._new_trades:
            return [trade]
        self._new_trades.discard(native)
        if self.short_way is not None:
            self.short_way.trade(symbol.native, symbol.canonical, json_prefix("trade_id", trade))
        return [*self._requests.heard("trade", symbol.native), trade]

    def past_trades(self, native: str) -> list[Output]:
        """Take trades from before the subscription, which only confirm it."""
        self._new_trades.discard(native)
        return self._requests.heard("trade", native)

    def kept(self, native: str | None) -> Kept:
        """A symbol's book. Raises :exc:`~tickwire.errors.FrameRejected` if it was not subscribed."""
        kept = self._books.get(native)
        if kept is None:
            self._unasked("book", native)
            raise NotWanted(native)
        return kept

    def _unasked(self, what: str, native: str | None) -> list[Output]:
        """Return no output for a symbol that was removed.

        Raises :exc:`~tickwire.errors.FrameRejected` for one that was never subscribed.
        """
        if native in self._left:
            return []
        raise FrameRejected("unknown", f"a {what} of {native!r:.100}, which was not asked for")

    def unreadable(self, payload: bytes, error: Exception, known: Mapping[str | None, Channel | None]) -> FrameRejected:
        """Tell a frame of a channel that is not *known* from a broken one.

        A broken frame may have changed the books that it names, or any book if its end is missing, so these are marked
        as doubtful. For exchanges whose changes are not numbered.
        """
        try:
            content: Any = msgspec.json.decode(payload)
            payload = msgspec.json.encode(content)  # to have names without escapes
        except UNREADABLE:
            content = None
            # Not even the beginning or the end of one of their frames.
            payload = payload if payload[:1] == b"{" or payload[-1:] == b"}" else b""
        channel = content.get("channel") if isinstance(content, dict) else None
        if isinstance(channel, str) and channel not in known:
            return FrameRejected("unknown", f"a message of the channel {channel!r:.100}")
        kinds = [carried for name, carried in known.items() if f'"{name}"'.encode() in payload]
        if "orderbook" in kinds or (content is None and payload and not kinds):
            self.doubt_named(payload, '"', all_else=content is None)
        return malformed("frame", error)

    def doubt_named(self, payload: bytes, prefix: str, *, all_else: bool) -> None:
        """Doubt the books whose names follow *prefix* in a frame; *all_else*: all of them if it names none."""
        # With the closing quote: BTC/USD is a part of BTC/USDT.
        named = [kept for kept in self._books.values() if f'{prefix}{kept.native}"'.encode() in payload]
        for kept in named or (self._books.values() if all_else else ()):
            kept.doubt()

    def heard(self, kept: Kept, out: list[Output]) -> list[Output]:
        """Put the acceptance of its subscription before a book's first outputs."""
        kept.new = False
        return self._requests.heard("orderbook", kept.native) + out


def _some(refused: list[Output], error: str) -> list[Output]:
    if not refused:
        raise FrameRejected("unknown", f"an error that answers no subscription: {error!r}")
    return refused
