"""Coinbase Exchange as it looks from outside.

Channels: https://docs.cdp.coinbase.com/exchange/websocket-feed/channels
Differences: a ticker tells of every new best price and not of trades, with the last price at its opening; changes leave
with every step of the market, not every 50 ms; a connection without a subscription stays; no last match comes first.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from tickwire.simulator.dialect import Broadcast, prices
from tickwire.simulator.instruments import Instrument
from tickwire.simulator.kit import Levels, PlainDialect, Session, Sides, encoded, rfc3339
from tickwire.simulator.market import Book, Deal, Quote, Step

_ZEROS = ("0", "0.0", "0.00000000")  # the exchange spells a removal in many ways
_CHANNELS = ("ticker", "level2_batch", "matches")


class Dialect(PlainDialect):
    """Coinbase Exchange."""

    quote = "USD"
    names = (("matches {}", "trade"), ("ticker {}", "ticker"), ("level2_batch {}", "book"))
    losable = False
    listing_path = "/products"
    not_found = '{"message":"NotFound"}'
    messages_per_second = 100
    too_many: ClassVar[object] = {"message": "Public rate limit exceeded"}
    unavailable: ClassVar[object] = {"message": "Service Unavailable"}
    unknown = '{"type":"simulated_notice","text":"a kind of message that nobody documented"}'

    def receive(self, session: Session, text: str, now_us: int) -> list[str]:
        """Answer a request about products of channels, which is accepted or refused as a whole."""
        try:
            request = msgspec.json.decode(text)
            method = request["type"]
            asked = [
                (channel["name"], product) for channel in request["channels"] for product in channel["product_ids"]
            ]
        except (msgspec.DecodeError, TypeError, KeyError):
            return [_error("Malformed JSON", "")]
        if method not in {"subscribe", "unsubscribe"}:
            return [_error("Unknown type", str(method))]
        wrong = next((reason for name, product in asked if (reason := self._wrong(name, product))), None)
        if wrong is not None:
            return [_error(f"Failed to {method}", wrong)]
        channels = [self.all[f"{name} {product}"] for name, product in asked]
        if method == "subscribe":
            for channel in channels:
                session.carry(channel)
            return [_carried(session), *(text for channel in channels for text in self._first(channel, now_us))]
        session.drop_all(channel.name for channel in channels)
        return [_carried(session)]

    def _wrong(self, name: str, product: str) -> str | None:
        if name not in _CHANNELS:
            return f"{name} is not a valid channel"
        return None if f"{name} {product}" in self.all else f"{product} is not a valid product"

    def _first(self, channel: Broadcast, now_us: int) -> list[str]:
        if channel.kind == "ticker":
            return [self._best(channel, channel.book.best(), now_us)]
        return [_snapshot(channel.book, now_us)] if channel.kind == "book" else []

    def _trades(self, channel: Broadcast, deals: Sequence[Deal], now_us: int) -> list[str]:
        return [_match(channel.book, deal, now_us) for deal in deals]

    def _best(self, channel: Broadcast, quote: Quote, now_us: int) -> str:
        return _ticker(channel.book, quote, now_us)

    def _change(self, channel: Broadcast, step: Step, levels: Sides, now_us: int) -> str | None:  # noqa: ARG002 - it has no numbers
        text = channel.book.instrument
        sides = zip(("buy", "sell"), levels, strict=True)
        changes = [[side, *level] for side, changed in sides for level in _levels(changed, text)]
        update = {"type": "l2update", "product_id": text.canonical, "changes": changes, "time": rfc3339(now_us)}
        return encoded(update) if changes else None

    def _listed(self, instrument: Instrument) -> dict[str, object]:
        names = {"id": instrument.canonical, "base_currency": instrument.base, "quote_currency": instrument.quote}
        steps = {"quote_increment": instrument.price(1), "base_increment": instrument.size(1)}
        state = {"status": "online", "status_message": "", "trading_disabled": False, "post_only": False}
        return {**names, **steps, **state}


def _carried(session: Session) -> str:
    """The answer to a request: all that is carried now."""
    products: dict[str, list[str]] = {}
    for name, product in map(str.split, session.carried):
        products.setdefault(name, []).append(product)
    channels = [{"name": name, "product_ids": listed} for name, listed in products.items()]
    return encoded({"type": "subscriptions", "channels": channels})


def _error(message: str, reason: str) -> str:
    return encoded({"type": "error", "message": message, "reason": reason})


def _snapshot(book: Book, now_us: int) -> str:
    asks, bids = (prices(side.top(), book.instrument) for side in (book.asks, book.bids))
    product = {"type": "snapshot", "product_id": book.instrument.canonical}
    return encoded({**product, "asks": asks, "bids": bids, "time": rfc3339(now_us)})


def _levels(levels: Levels, instrument: Instrument) -> list[list[str]]:
    return [
        [instrument.price(ticks), instrument.size(lots) if lots else _ZEROS[ticks % len(_ZEROS)]]
        for ticks, lots in levels
    ]


def _ticker(book: Book, quote: Quote, now_us: int) -> str:
    price, size = book.instrument.price, book.instrument.size
    opening = price(book.instrument.opening_ticks)
    ticker: dict[str, Any] = {"type": "ticker", "sequence": quote.update_id, "product_id": book.instrument.canonical}
    day = {"price": opening, "open_24h": opening, "volume_24h": "0", "low_24h": opening, "high_24h": opening}
    bid = {"volume_30d": "0", "best_bid": price(quote.bid), "best_bid_size": size(quote.bid_lots)}
    ask = {"best_ask": price(quote.ask), "best_ask_size": size(quote.ask_lots), "side": "buy"}
    trade = {"time": rfc3339(now_us), "trade_id": 1, "last_size": size(1)}
    return encoded(ticker | day | bid | ask | trade)


def _match(book: Book, deal: Deal, now_us: int) -> str:
    """A trade; its side is the maker's."""
    price, size = book.instrument.price(deal.ticks), book.instrument.size(deal.lots)
    side = "sell" if deal.buys else "buy"
    product = {"product_id": book.instrument.canonical, "sequence": book.update_id, "time": rfc3339(now_us)}
    match = {"type": "match", "trade_id": deal.number, "side": side, "size": size, "price": price}
    return encoded(match | product)
