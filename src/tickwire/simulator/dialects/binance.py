"""Binance spot as it looks from outside.

Streams: https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
REST and its limits: https://developers.binance.com/docs/binance-spot-api-docs/rest-api/limits
Differences: an order book event leaves with every step of the market instead of every 100 or 1000 ms, so that the
rate is a choice; only the streams ``bookTicker``, ``depth``, ``depth@100ms`` and ``trade`` exist.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, ClassVar

import msgspec

from tickwire.simulator.dialect import Answer, Broadcast, Conversation, Kind, Message, prices
from tickwire.simulator.instruments import Instrument
from tickwire.simulator.kit import PlainDialect, encoded
from tickwire.simulator.market import Book, Deal, Quote, Step

_PATIENCE = 5  # requests over the limit that are answered 429 before the ban
_BAN_S = 120
_METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")


@dataclass(slots=True)
class _Stream:
    """One stream name; a connection to ``/stream`` gets it wrapped, one to ``/ws`` as it is."""

    wrapped: Broadcast
    raw: Broadcast

    def messages(self, text: str, *, losable: bool) -> Iterable[Message]:
        if self.wrapped.subscribers:
            yield Message(self.wrapped, f'{{"stream":"{self.wrapped.name}","data":{text}}}', losable)
        if self.raw.subscribers:
            yield Message(self.raw, text, losable)

    def heard(self) -> bool:
        return bool(self.wrapped.subscribers or self.raw.subscribers)


class Dialect(PlainDialect):
    """Binance's spot."""

    spelling = "{}{}"
    kinds: ClassVar[tuple[tuple[str, Kind], ...]] = (
        ("bookTicker", "ticker"),
        ("trade", "trade"),
        ("depth@100ms", "book"),
        ("depth", "book"),
    )
    filled_to: ClassVar[int] = 8  # places
    listing_path: ClassVar[str] = "/api/v3/exchangeInfo"
    listing_weight: ClassVar[int] = 20
    depth_weights: ClassVar[tuple[tuple[int, int], ...]] = ((100, 5), (500, 25), (1000, 50), (5000, 250))  # up to: this
    weight_per_minute: ClassVar[int] = 6000

    size_places = 5
    numbered = True
    unknown = '{"e":"simulatedNotice","E":0,"text":"a kind of message that nobody documented"}'
    ping_interval_s = 20.0
    messages_per_second = 5
    snapshot_path = "/api/v3/depth"
    faults = frozenset({"stale"})

    def __init__(self, symbols: int | Sequence[str], rng: Random, refused: frozenset[str] = frozenset()) -> None:
        super().__init__(symbols, rng, refused)
        self.streams: dict[str, _Stream] = {}
        self._by_book: dict[Book, tuple[_Stream, ...]] = {}
        for symbol, book in self.books.items():
            streams = tuple(_stream(f"{symbol.lower()}@{suffix}", kind, book) for suffix, kind in self.kinds)
            self._by_book[book] = streams
            self.streams |= {stream.raw.name: stream for stream in streams}
        self._weight = _Weight(self.weight_per_minute)

    def open(self, path: str, query: Mapping[str, str]) -> Conversation | None:
        """``/stream`` and ``/ws``, with streams in the address or none; None elsewhere."""
        return self.serve(path, query, self.streams)

    def serve(self, path: str, query: Mapping[str, str], streams: Mapping[str, _Stream]) -> Conversation | None:
        """A session that carries *streams*; others are accepted and stay silent."""
        if path == "/stream":
            named = query.get("streams", "").split("/")
        elif path == "/ws" or path.startswith("/ws/"):
            named = path[4:].split("/")
        else:
            return None
        return _Session(self, streams, [name for name in named if name], wrapped=path == "/stream")

    def advance(self, book: Book, now_us: int) -> list[Message]:
        """Move *book*: a trade a deal, a bookTicker a new best, then the depth event over all its update ids."""
        step, ms = self.market.step(book), now_us // 1000
        ticker, trades, *depths = self._by_book[book]
        messages: list[Message] = []
        if trades.heard():
            for deal in step.deals:
                messages += trades.messages(self.trade(book, deal, ms), losable=False)
        if ticker.heard():
            for quote in step.quotes:
                messages += ticker.messages(self.ticker(book, quote, ms), losable=False)
        heard = [stream for stream in depths if stream.heard()]
        if heard:
            text = self.depth(book, step, ms)
            for stream in heard:
                messages += stream.messages(text, losable=True)
        return messages

    def instrument(self, base: str, quote: str) -> Instrument:
        """Numbers are filled up with zeros."""
        usual, most = super().instrument(base, quote), self.filled_to
        return replace(usual, price_pad="0" * (most - usual.price_places), size_pad="0" * (most - usual.size_places))

    def trade(self, book: Book, deal: Deal, ms: int) -> str:
        """A ``trade``."""
        price, size, maker = book.instrument.price, book.instrument.size, "false" if deal.buys else "true"
        return (
            f'{{"e":"trade","E":{ms},"s":"{book.instrument.native}","t":{deal.number},"p":"{price(deal.ticks)}",'
            f'"q":"{size(deal.lots)}","T":{ms},"m":{maker},"M":true}}'
        )

    def ticker(self, book: Book, quote: Quote, ms: int) -> str:  # noqa: ARG002 - spot's has no time
        """A ``bookTicker``."""
        price, size = book.instrument.price, book.instrument.size
        return (
            f'{{"u":{quote.update_id},"s":"{book.instrument.native}","b":"{price(quote.bid)}","B":"{size(quote.bid_lots)}",'
            f'"a":"{price(quote.ask)}","A":"{size(quote.ask_lots)}"}}'
        )

    def depth(self, book: Book, step: Step, ms: int) -> str:
        """A ``depthUpdate``."""
        price, size = book.instrument.price, book.instrument.size
        bids = ",".join([f'["{price(-key)}","{size(lots)}"]' for key, lots in step.bids.items()])
        asks = ",".join([f'["{price(key)}","{size(lots)}"]' for key, lots in step.asks.items()])
        return (
            f'{{"e":"depthUpdate","E":{ms},"s":"{book.instrument.native}",{self.numbers(book, step, ms)},'
            f'"b":[{bids}],"a":[{asks}]}}'
        )

    def numbers(self, book: Book, step: Step, ms: int) -> str:  # noqa: ARG002 - for those with more fields
        """The fields of a ``depthUpdate`` between symbol and levels."""
        return f'"U":{step.first},"u":{step.last}'

    def channels(self) -> Iterable[Broadcast]:
        """Every stream, in both of its forms."""
        return (channel for stream in self.streams.values() for channel in (stream.wrapped, stream.raw))

    def rest(self, path: str, query: Mapping[str, str], now_us: int, *, stale: bool) -> Answer:
        """The listing and snapshots, on a weight budget that all clients share."""
        if path == self.listing_path:
            return self._weight.spend(self.listing_weight, now_us) or self._answer(200, self._exchange_info(now_us))
        if path != self.snapshot_path:
            return Answer(404, "Not found", {})
        try:
            limit = int(query.get("limit", "100"))
        except ValueError:
            limit = 0
        if limit < 1:
            return self._error(-1100, "Illegal characters found in parameter 'limit'.")
        limit = min(limit, self.depth_weights[-1][0])
        weight = next(weight for most, weight in self.depth_weights if limit <= most)
        over = self._weight.spend(weight, now_us)
        if over:
            return over
        book = self.books.get(query.get("symbol", ""))
        if book is None:
            return self._error(-1121, "Invalid symbol.")
        return self._answer(200, _snapshot(book.opening() if stale else book, limit))

    def refuse(self, status: int) -> Answer:
        """A refusal as Binance words it."""
        return _refusal(status, 1)

    def _answer(self, status: int, content: object) -> Answer:
        return Answer(status, encoded(content), {"X-MBX-USED-WEIGHT-1M": str(self._weight.used)})

    def _error(self, code: int, text: str) -> Answer:
        return self._answer(400, {"code": code, "msg": text})

    def _exchange_info(self, now_us: int) -> dict[str, object]:
        most = self.weight_per_minute
        limit = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": most}
        symbols = [self.listed(symbol, book.instrument) for symbol, book in self.books.items()]
        return {
            "timezone": "UTC",
            "serverTime": now_us // 1000,
            "rateLimits": [limit],
            "exchangeFilters": [],
            "symbols": symbols,
        }

    def listed(self, symbol: str, instrument: Instrument) -> dict[str, object]:
        """A symbol of the listing."""
        tick, step = instrument.price(1), instrument.size(1)
        return {
            "symbol": symbol,
            "status": "TRADING",
            "baseAsset": instrument.base,
            "baseAssetPrecision": 8,
            "quoteAsset": instrument.quote,
            "quotePrecision": 8,
            "quoteAssetPrecision": 8,
            "orderTypes": ["LIMIT", "MARKET"],
            "isSpotTradingAllowed": True,
            "isMarginTradingAllowed": False,
            "filters": [
                {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000.00000000", "tickSize": tick},
                {"filterType": "LOT_SIZE", "minQty": step, "maxQty": "9000.00000000", "stepSize": step},
            ],
            "permissions": [],
            "permissionSets": [["SPOT"]],
        }


class _Session:
    """One connection: its subscriptions by stream name, whether there is such a stream or not."""

    def __init__(
        self, exchange: Dialect, streams: Mapping[str, _Stream], addressed: Sequence[str], *, wrapped: bool
    ) -> None:
        self._exchange, self._streams, self._wrapped = exchange, streams, wrapped
        self._names: dict[str, None] = {}
        self._addressed = addressed

    def start(self, now_us: int) -> list[str]:  # noqa: ARG002 - part of the protocol
        self._subscribe(self._addressed)
        return []

    def receive(self, text: str, now_us: int) -> list[str]:  # noqa: ARG002 - part of the protocol
        try:
            request = msgspec.json.decode(text)
        except msgspec.DecodeError:
            return [_failure(3, "Invalid JSON: expected value at line 1 column 1", None)]
        if not isinstance(request, dict) or "method" not in request:
            return [_failure(2, f"Invalid request: missing field `method` at line 1 column {len(text)}", None)]
        return [self._answer(request)]

    def close(self) -> None:
        self._unsubscribe(list(self._names))

    def _answer(self, request: dict[str, Any]) -> str:
        method, params, number = request["method"], request.get("params", []), request.get("id")
        if method not in _METHODS:
            known = ", ".join(f"`{m}`" for m in _METHODS)
            return _failure(2, f"Invalid request: unknown variant `{method}`, expected one of {known}", number)
        if not isinstance(params, list) or (method.endswith("SCRIBE") and not all(isinstance(p, str) for p in params)):
            return _failure(2, "Invalid request: invalid type, expected a sequence of strings", number)
        if method == "LIST_SUBSCRIPTIONS":
            return _result(list(self._names), number)
        if method in {"SET_PROPERTY", "GET_PROPERTY"}:
            return self._property(method, params, number)
        refused = [name for name in params if self._exchange_refuses(name)]
        if method == "SUBSCRIBE" and refused:
            return _failure(2, f"Invalid request: stream `{refused[0]}` is not available", number)
        change = self._subscribe if method == "SUBSCRIBE" else self._unsubscribe
        change(params)
        return _result(None, number)

    def _property(self, method: str, params: list[Any], number: object) -> str:
        if params[:1] != ["combined"]:
            return _failure(0, "Unknown property", number)
        if method == "GET_PROPERTY":
            return _result(self._wrapped, number)
        if not isinstance(params[-1], bool):
            return _failure(1, "Invalid value type: expected Boolean", number)
        names = list(self._names)
        self._unsubscribe(names)
        self._wrapped = params[-1]
        self._subscribe(names)
        return _result(None, number)

    def _exchange_refuses(self, name: str) -> bool:
        stream = self._streams.get(name)
        return stream is not None and stream.raw.book.instrument.canonical in self._exchange.refused

    def _subscribe(self, names: Iterable[str]) -> None:
        """Names that no stream has are accepted and stay silent, as at Binance."""
        for name in names:
            self._names[name] = None
            if name in self._streams:
                self._channel(name).subscribers[self] = None

    def _unsubscribe(self, names: Iterable[str]) -> None:
        for name in names:
            self._names.pop(name, None)
            if name in self._streams:
                self._channel(name).subscribers.pop(self, None)

    def _channel(self, name: str) -> Broadcast:
        stream = self._streams[name]
        return stream.wrapped if self._wrapped else stream.raw


class _Weight:
    """The request weight of the running minute; beyond the limit 429, and 418 for those who go on."""

    def __init__(self, most: int) -> None:
        self.used = 0
        self._most = most
        self._minute = 0
        self._over = 0
        self._banned_until_s = 0

    def spend(self, weight: int, now_us: int) -> Answer | None:
        """Take *weight* from the budget; the refusal, where there is none left."""
        now_s = now_us // 1_000_000
        if now_s < self._banned_until_s:
            return _refusal(418, self._banned_until_s - now_s)
        if now_s // 60 != self._minute:
            self._minute, self.used, self._over = now_s // 60, 0, 0
        self.used += weight
        if self.used <= self._most:
            return None
        self._over += 1
        if self._over > _PATIENCE:
            self._banned_until_s = now_s + _BAN_S
            return _refusal(418, _BAN_S)
        return _refusal(429, 60 - now_s % 60)


def _refusal(status: int, seconds: int) -> Answer:
    text = "Service Unavailable" if status == 503 else "Too many requests; please use the websocket for live updates."
    body = encoded({"code": -1003 if status != 503 else -1001, "msg": text})
    return Answer(status, body, {"Retry-After": str(seconds)})


def _stream(name: str, kind: Kind, book: Book) -> _Stream:
    return _Stream(Broadcast(kind, name, book), Broadcast(kind, name, book))


def _snapshot(book: Book, limit: int) -> dict[str, object]:
    return {
        "lastUpdateId": book.update_id,
        "bids": prices(book.bids.top(limit), book.instrument),
        "asks": prices(book.asks.top(limit), book.instrument),
    }


def _result(result: object, number: object) -> str:
    return encoded({"result": result, "id": number})


def _failure(code: int, text: str, number: object) -> str:
    return encoded({"error": {"code": code, "msg": text}, "id": number})
