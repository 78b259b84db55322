"""What every adapter does alike, whatever its frames look like."""

import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from tickwire.errors import FrameRejected, NotWanted
from tickwire.events.book import Book, is_zero, price_key
from tickwire.events.numbers import Number
from tickwire.events.rules import ANY, Rule
from tickwire.events.short_way import ShortWay
from tickwire.events.types import Micros, TakerSide, Ticker
from tickwire.exchanges.contract import UNREADABLE, Channel, Exchange, Fetch, Output, Refused, Symbol, malformed
from tickwire.exchanges.kit.books import KeptBook
from tickwire.exchanges.kit.requests import Item, Method, Requests
from tickwire.exchanges.kit.trades import make_trade
from tickwire.exchanges.messages import BookMessages, json_prefix

Kept = TypeVar("Kept", bound=KeptBook)


class KitAdapter(Generic[Kept]):
    """All of :class:`~tickwire.exchanges.contract.AdapterContract` but ``receive``, which hands on what it reads.

    An exchange's adapter adds that, and says what differs: the attributes below, :meth:`keep` and :meth:`write`.
    """

    exchange: ClassVar[Exchange]
    most: ClassVar[int]  # subscriptions in one request
    apart: ClassVar[bool] = False  # each request has one channel
    whole: ClassVar[bool] = False  # the exchange accepts or refuses a request as a whole
    ping_text: ClassVar[bytes | None] = None
    # Of tickers, changes and trades as the exchange writes them (events/shape.py), for a short way. Frames of any other
    # shape are read all the same, only slower.
    shapes: ClassVar[tuple[bytes, bytes, bytes] | None] = None
    rule: ClassVar[Rule] = Rule(ANY)  # of changes on it
    _most = sys.maxsize

    def keep(self, symbol: Symbol) -> Kept:
        """Make a symbol's book."""
        raise NotImplementedError

    def messages(self, symbol: Symbol) -> BookMessages:
        """What makes the messages of a symbol's book."""
        return BookMessages(self._name, symbol, self.depth)

    def write(self, method: Method, items: Sequence[Item], number: int | None) -> bytes:
        """Give the text of a request, with its number if there is one."""
        raise NotImplementedError

    def __init__(self, symbols: Sequence[Symbol], channels: Sequence[Channel], depth: int) -> None:
        self._name, self.depth, self._channels = self.exchange.name, self.exchange.offered(depth), channels
        self.spoken = channels
        self.short_way = self._make_short_way()
        self._tickers: dict[str | None, Symbol] = {}
        self._new_tickers: set[str | None] = set()  # no data yet
        self._counts: defaultdict[str | None, int] = defaultdict(int)  # of tickers
        self._short_counts: defaultdict[str | None, Number] = defaultdict(Number)  # of those on the short way
        self._traded: dict[str | None, Symbol] = {}
        self._new_trades: set[str | None] = set()  # no data yet
        self._books: dict[str | None, Kept] = {}
        self._left: set[str | None] = set()  # names of what was removed
        self._requests = Requests(
            self.enter(symbols), self.most, self.write, self._carried, apart=self.apart, whole=self.whole
        )

    def bound(self, levels: int) -> None:
        """Keep no more than so many *levels* a side of each book, but twice the depth at least."""
        self._most = max(levels, 2 * self.depth)
        for kept in self._books.values():
            kept.most = self._most

    def _make_short_way(self, unpack: Callable[[bytes], bytes] | None = None) -> ShortWay | None:
        """Make the way past ``receive``; in the shapes ``!`` stands for the depth."""
        if self.shapes is None:
            return None
        ticker, change, trade = (shape.replace(b"!", b"%d" % self.depth) for shape in self.shapes)
        return ShortWay(ticker, change, trade, self.rule, unpack)

    def start(self) -> list[Output]:
        """Subscribe everything."""
        return self._requests.subscribe()

    def add(self, symbols: Sequence[Symbol]) -> list[Output]:
        """Serve these too."""
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
        """Get ready for these; return what has to be asked for."""
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
        """Tell a book that the request for this leaves now."""
        kept = self._books.get(fetch.symbol.native)
        if kept is not None:
            kept.asking(fetch)

    def fetched(self, fetch: Fetch, body: bytes, received_us: Micros) -> list[Output]:
        """Give a fetched body to its book. Raises :exc:`~tickwire.errors.FrameRejected`."""
        kept = self._books.get(fetch.symbol.native)
        return [] if kept is None else kept.fetched(fetch, body, received_us)

    def restart(self, symbol: Symbol, reason: str, received_us: Micros) -> list[Output]:
        """Give a book up; what is silent may be carried no longer, and is subscribed anew."""
        kept = self._books.get(symbol.native)
        if kept is None:
            return []
        renewed = self._requests.renew("orderbook", symbol) if reason == "stale" and not kept.subscribes else []
        return renewed + kept.restart(reason, received_us)

    def resync(self, symbol: Symbol) -> list[Output]:
        """Ask for what starts a book again, unless it has started by itself."""
        kept = self._books.get(symbol.native)
        return [] if kept is None or kept.book is not None else kept.ask()

    def book(self, symbol: Symbol) -> Book | None:
        """The book, None while it is not valid."""
        kept = self._books.get(symbol.native)
        return None if kept is None else kept.current

    def pending(self) -> list[Item]:
        """What waits for an answer, and the books that were subscribed again and wait for their start."""
        waiting = self._requests.pending()
        again: list[Item] = [("orderbook", kept.symbol) for kept in self._restarting()]
        return waiting + [item for item in again if item not in waiting]

    def unheard(self) -> list[Item]:
        """What is carried, and of which nothing has come yet, but for trades."""
        tickers: list[Item] = [("ticker", symbol) for n, symbol in self._tickers.items() if n in self._new_tickers]
        books: list[Item] = [("orderbook", kept.symbol) for kept in self._books.values() if kept.new]
        return [item for item in tickers + books if self._requests.carries(item)]

    def tickers(self, symbol: Symbol) -> int:
        """How many tickers of this symbol have come."""
        return self._counts[symbol.native] + self._short_counts[symbol.native].value

    def renew(self, channel: Channel, symbol: Symbol, received_us: Micros) -> list[Output]:  # noqa: ARG002 - for tickers that are read off a book
        """Take one back and ask for it as if it was new."""
        if channel != "orderbook":
            (self._new_tickers if channel == "ticker" else self._new_trades).add(symbol.native)
        return self._requests.renew(channel, symbol)

    def retry(self) -> list[Output]:
        """Ask once more for all that is pending."""
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
        """Take the answer to one subscription; what it does not name was asked for under *number*, or is all there is.

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
        """Take the refusal of what is pending, or of a book that was subscribed again."""
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
        """Give a symbol's best prices and sizes; a side is empty where its price is null or its size zero.

        A price whose size the exchange does not say stands without it.

        Raises :exc:`~tickwire.errors.FrameRejected`.
        """
        symbol = self._tickers.get(native)
        if symbol is None:
            return self._unasked("ticker", native)
        try:
            if bid is None:
                bid_size = None
            else:
                price_key(bid)
                if bid_size is not None and is_zero(bid_size):
                    bid = bid_size = None
            if ask is None:
                ask_size = None
            else:
                price_key(ask)
                if ask_size is not None and is_zero(ask_size):
                    ask = ask_size = None
            if last is not None:
                price_key(last)
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
        """Give one execution; *side* is the taker's. What is from before the subscription is not for here.

        Raises :exc:`~tickwire.errors.FrameRejected`.
        """
        symbol = self._traded.get(native)
        if symbol is None:
            return self._unasked("trade", native)
        trade = make_trade(self.exchange, symbol, trade_id, price, size, side, received_us, exchange_us)
        if native not in self._new_trades:
            return [trade]
        self._new_trades.discard(native)
        if self.short_way is not None:
            self.short_way.trade(symbol.native, symbol.canonical, json_prefix("trade_id", trade))
        return [*self._requests.heard("trade", symbol.native), trade]

    def kept(self, native: str | None) -> Kept:
        """A symbol's book. Raises :exc:`~tickwire.errors.FrameRejected` where it was not asked for."""
        kept = self._books.get(native)
        if kept is None:
            self._unasked("book", native)
            raise NotWanted(native)
        return kept

    def _unasked(self, what: str, native: str | None) -> list[Output]:
        """Give nothing for a symbol that is not wanted any more.

        Raises :exc:`~tickwire.errors.FrameRejected` for one that was never asked for.
        """
        if native in self._left:
            return []
        raise FrameRejected("unknown", f"a {what} of {native!r:.100}, which was not asked for")

    def unreadable(self, payload: bytes, error: Exception, known: Mapping[str | None, Channel | None]) -> FrameRejected:
        """Tell a frame of another channel than the *known* ones from a broken one.

        A broken one may have changed the books that it names, or any book where its end is missing: they are in doubt.
        That is for exchanges whose changes are not numbered.
        """
        try:
            content: Any = msgspec.json.decode(payload)
            payload = msgspec.json.encode(content)  # names without escapes
        except UNREADABLE:
            content = None
            # No frame of theirs, not even the begin or the end of one.
            payload = payload if payload[:1] == b"{" or payload[-1:] == b"}" else b""
        channel = content.get("channel") if isinstance(content, dict) else None
        if isinstance(channel, str) and channel not in known:
            return FrameRejected("unknown", f"a message of the channel {channel!r:.100}")
        kinds = [carried for name, carried in known.items() if f'"{name}"'.encode() in payload]
        if "orderbook" in kinds or (content is None and payload and not kinds):
            self.doubt_named(payload, '"', all_else=content is None)
        return malformed("frame", error)

    def doubt_named(self, payload: bytes, prefix: str, *, all_else: bool) -> None:
        """Doubt the books whose names stand in a frame behind *prefix*; *all_else*: all of them where it names none."""
        # With the quote behind it: BTC/USD is a part of BTC/USDT.
        named = [kept for kept in self._books.values() if f'{prefix}{kept.native}"'.encode() in payload]
        for kept in named or (self._books.values() if all_else else ()):
            kept.doubt()

    def heard(self, kept: Kept, out: list[Output]) -> list[Output]:
        """Put in front of a book's first outputs what they imply."""
        kept.new = False
        return self._requests.heard("orderbook", kept.native) + out


def _some(refused: list[Output], error: str) -> list[Output]:
    if not refused:
        raise FrameRejected("unknown", f"an error that answers no subscription: {error!r}")
    return refused
