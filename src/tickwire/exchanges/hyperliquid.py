"""Hyperliquid, contracts and spot: ``bbo`` (best bid and offer), ``l2Book`` (order book) and ``trades``.

Subscriptions: https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/websocket/subscriptions
Pings: https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/websocket/timeouts-and-heartbeats
Limits: https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/rate-limits-and-user-limits
Listings: https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/info-endpoint

Every message of a book is all of it: one that is lost shows in nothing and is made good by the next. The first message
of a coin's trades is what happened before the subscription, and does not leave; a coin that was never traded may lose
its first trade by that. A trade's id is a hash: it is unique only together with the coin and the time.

Names keep their capital and small letters (``kPEPE``). Contracts of other builders have the name of their exchange in
front (``xyz:TSLA``). Not confirmed: how an error about a book is worded, how many connections one address may have.
"""

from collections.abc import Sequence

import msgspec

from tickwire.errors import FrameRejected, UnclearSymbol
from tickwire.events.rules import ANY, Rule
from tickwire.events.types import Micros, TakerSide
from tickwire.exchanges import contract
from tickwire.exchanges._hyperliquid import WEIGHT, listings, read_listing
from tickwire.exchanges._hyperliquid_frames import (
    Best,
    Book,
    Level,
    Subscription,
    Trade,
    decode,
    decode_answer,
    decode_best,
    decode_book,
    decode_error,
    decode_subscription,
    decode_trades,
)
from tickwire.exchanges.contract import Channel, Limit, Output, Symbol, decoded
from tickwire.exchanges.kit import BookEvent, Item, KitAdapter, Method, WholeBook
from tickwire.exchanges.symbols import derivative, split_derivative

__all__ = ["EXCHANGE", "Adapter", "derive", "listings", "read_listing"]

EXCHANGE = contract.Exchange(
    name="hyperliquid",
    ws_url="wss://api.hyperliquid.xyz/ws",
    rest_url="https://api.hyperliquid.xyz",
    listing_paths=("/info",),
    listing_weight=WEIGHT,
    symbols_per_connection=100,  # 1000 subscriptions and 10 connections of one address, three a symbol
    message_interval_s=0.1,  # 2000 messages a minute over all connections of one address
    connect_interval_s=2.0,  # 30 new connections a minute, by other clients' experience
    rest_limits=(Limit(1200, 60.0),),  # 1200 a minute
    ping_interval_s=25.0,  # closed where nothing was sent for 60 s
    silence_s=50.0,
    book_depths=(20,),
)

_NAMES: dict[Channel, str] = {"ticker": "bbo", "orderbook": "l2Book", "trade": "trades"}  # ours, Hyperliquid's
_CHANNELS: dict[str | None, Channel] = {name: channel for channel, name in _NAMES.items()}
_SIDES: dict[str, TakerSide] = {"A": "sell", "B": "buy"}  # the taker sold to a bid, or bought
_LEVEL = "px", "sz"  # names of its price and size
_BOOK_SHAPE = b'{"channel":"l2Book","data":{"coin":"$","time":#m,"levels":[=b,=a]+}}'
_DUPLICATE = "Already subscribed"  # prefix of the refusal of a duplicate subscription


def derive(symbol: str) -> Symbol:
    """Name one of the exchange's own contracts by rule. Raises :exc:`~tickwire.errors.UnclearSymbol`."""
    base, quote, _ = split_derivative(symbol, EXCHANGE.name, ("USDC",))
    if quote != "USDC" or not symbol.upper().endswith("PERP"):
        raise UnclearSymbol(symbol, EXCHANGE.name)
    return derivative(base, base, quote, quote)


class Adapter(KitAdapter[WholeBook]):
    """One connection to the public endpoint. See :class:`~tickwire.exchanges.contract.AdapterContract`."""

    exchange = EXCHANGE
    shapes = b"", _BOOK_SHAPE, b""
    rule = Rule(ANY, names=_LEVEL, whole=True)
    most = 1
    ping_text = b'{"method":"ping"}'

    def keep(self, symbol: Symbol) -> WholeBook:
        """Keep a book that every message replaces."""
        return WholeBook(symbol, self.messages(symbol), self.again, self.short_way, _LEVEL)

    def write(self, method: Method, items: Sequence[Item], number: int | None) -> bytes:  # noqa: ARG002 - requests have none
        """Ask for one channel of one coin."""
        ((channel, symbol),) = items
        return msgspec.json.encode({"method": method, "subscription": {"type": _NAMES[channel], "coin": symbol.native}})

    def receive(self, payload: bytes, received_us: Micros) -> list[Output]:
        """Translate one frame. Raises :exc:`~tickwire.errors.FrameRejected`."""
        frame = decoded("frame", decode, payload)
        if frame.channel == "l2Book":
            return self._book(decoded("book", decode_book, frame.data), received_us)
        if frame.channel == "bbo":
            return self._best(decoded("bbo", decode_best, frame.data), received_us)
        if frame.channel == "trades":
            return self._trades(decoded("trades", decode_trades, frame.data), received_us)
        if frame.channel == "subscriptionResponse":
            answer = decoded("answer", decode_answer, frame.data)
            return self._answered(answer.subscription, None) if answer.method == "subscribe" else []
        if frame.channel == "error":
            return self._failed(decoded("error", decode_error, frame.data))
        if frame.channel == "pong":
            return []
        raise contract.unexpected(payload)

    def _book(self, book: Book, received_us: Micros) -> list[Output]:
        kept = self.kept(book.coin)
        bids, asks = book.levels
        out = kept.whole(BookEvent(bids, asks, exchange_us=book.time * 1000), received_us)
        return self.heard(kept, out) if kept.new else out

    def _best(self, best: Best, received_us: Micros) -> list[Output]:
        bid, ask, *_ = (*best.bbo, None, None)
        return self.ticker(best.coin, *_said(bid), *_said(ask), received_us, exchange_us=best.time * 1000)

    def _trades(self, trades: list[Trade], received_us: Micros) -> list[Output]:
        out: list[Output] = []
        past = {one.coin for one in trades} & self._new_trades
        for coin in sorted(past):  # the first message has earlier trades: it only confirms the subscription
            out += self.past_trades(coin)
        for one in trades:
            if one.coin not in past:
                said = one.coin, str(one.tid), one.px, one.sz, _SIDES[one.side]
                out += self.trade(*said, received_us, exchange_us=one.time * 1000)
        return out

    def _failed(self, text: str) -> list[Output]:
        """Take an error, which repeats the request."""
        asked = text[text.find("{") : text.rfind("}") + 1].encode()
        about = decoded("error", decode_subscription, asked)
        return self._answered(about, None if text.startswith(_DUPLICATE) else text[: contract.MAX_TEXT])

    def _answered(self, about: Subscription, error: str | None) -> list[Output]:
        channel = _CHANNELS.get(about.type)
        if channel is None:
            raise FrameRejected("unknown", f"an answer about {about.type!r:.100}")
        return self.answered_each(channel, about.coin, error)


def _said(level: Level | None) -> tuple[str | None, str | None]:
    return (None, None) if level is None else (level.px, level.sz)
