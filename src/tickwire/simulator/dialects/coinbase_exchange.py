"""Coinbase Exchange as it looks from outside.

Channels: https://docs.cdp.coinbase.com/exchange/websocket-feed/channels
Differences: a ticker tells of every new best price and not of trades, with the last price at its opening; changes leave
with every step of the market, not every 50 ms; a connection without a subscription stays; no last match comes first.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from tickwire.simulator.dialect import Answer, Conversation, Message, prices
from tickwire.simulator.instruments import Instrument
from tickwire.simulator.kit import PlainDialect, Session, answer, encoded, refusal, rfc3339
from tickwire.simulator.market import Book, Deal, Quote

_ZEROS = ("0", "0.0", "0.00000000")  # the exchange spells a removal in many ways
_CHANNELS = ("ticker", "level2_batch", "matches")


class Dialect(PlainDialect):
    """Coinbase Exchange."""

    quote = "USD"
    names = (("ticker {}", "ticker"), ("level2_batch {}", "book"), ("matches {}", "trade"))
    messages_per_second = 100
    unknown = '{"type":"simulated_notice","text":"a kind of message that nobody documented"}'

    def open(self, path: str, query: Mapping[str, str]) -> Conversation | None:  # noqa: ARG002 - part of the protocol
        """The root; None elsewhere."""
        return _Session(self) if path == "/" else None

    def advance(self, book: Book, now_us: int) -> list[Message]:
        """Move *book*: a match a deal, a ticker a new best, then one l2update. No client can tell what it missed."""
        step, product = self.market.step(book), book.instrument.canonical
        ticker, level2, matches = self.of[book]
        messages: list[Message] = []
        if matches.subscribers:
            messages += [Message(matches, _match(book, deal, now_us), False) for deal in step.deals]
        if ticker.subscribers:
            messages += [Message(ticker, _ticker(book, quote, now_us), False) for quote in step.quotes]
        if level2.subscribers and (step.bids or step.asks):
            sides = (("buy", step.bids), ("sell", step.asks))
            changes = [[side, *level] for side, changed in sides for level in _levels(changed, book.instrument)]
            update = {"type": "l2update", "product_id": product, "changes": changes, "time": rfc3339(now_us)}
            messages.append(Message(level2, encoded(update), False))
        return messages

    def rest(self, path: str, query: Mapping[str, str], now_us: int, *, stale: bool) -> Answer:  # noqa: ARG002 - part of the protocol
        """``/products``."""
        if path != "/products":
            return Answer(404, '{"message":"NotFound"}', {})
        return answer([_listed(book.instrument) for book in self.market.books])

    def refuse(self, status: int) -> Answer:
        """A refusal as the exchange words it."""
        return refusal(status, {"message": "Service Unavailable" if status == 503 else "Public rate limit exceeded"})


class _Session(Session[Dialect]):
    def receive(self, text: str, now_us: int) -> list[str]:
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
        return self._subscribe(asked, now_us) if method == "subscribe" else self._unsubscribe(asked)

    def _wrong(self, name: str, product: str) -> str | None:
        if name not in _CHANNELS:
            return f"{name} is not a valid channel"
        if f"{name} {product}" not in self.exchange.all:
            return f"{product} is not a valid product"
        return None

    def _subscribe(self, asked: Iterable[tuple[str, str]], now_us: int) -> list[str]:
        first: list[str] = []
        for name, product in asked:
            channel = self.exchange.all[f"{name} {product}"]
            self.carry(channel)
            book = channel.book
            if name != "matches":
                first.append(_ticker(book, book.best(), now_us) if name == "ticker" else _snapshot(book, now_us))
        return [self._list(), *first]

    def _unsubscribe(self, asked: Iterable[tuple[str, str]]) -> list[str]:
        for name, product in asked:
            self.drop(f"{name} {product}")
        return [self._list()]

    def _list(self) -> str:
        products: dict[str, list[str]] = {}
        for name, product in map(str.split, self.carried):
            products.setdefault(name, []).append(product)
        channels = [{"name": name, "product_ids": listed} for name, listed in products.items()]
        return encoded({"type": "subscriptions", "channels": channels})


def _error(message: str, reason: str) -> str:
    return encoded({"type": "error", "message": message, "reason": reason})


def _snapshot(book: Book, now_us: int) -> str:
    asks, bids = (prices(side.top(), book.instrument) for side in (book.asks, book.bids))
    product = {"type": "snapshot", "product_id": book.instrument.canonical}
    return encoded({**product, "asks": asks, "bids": bids, "time": rfc3339(now_us)})


def _levels(changed: Mapping[int, int], instrument: Instrument) -> list[list[str]]:
    return [
        [instrument.price(abs(key)), instrument.size(lots) if lots else _ZEROS[abs(key) % len(_ZEROS)]]
        for key, lots in changed.items()
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


def _listed(instrument: Instrument) -> dict[str, object]:
    names = {"id": instrument.canonical, "base_currency": instrument.base, "quote_currency": instrument.quote}
    steps = {"quote_increment": instrument.price(1), "base_increment": instrument.size(1)}
    return {**names, **steps, "status": "online", "status_message": "", "trading_disabled": False, "post_only": False}
