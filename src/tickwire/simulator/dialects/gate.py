"""Gate spot as it looks from outside.

Channels: https://www.gate.com/docs/developers/apiv4/ws/en/
Differences: an order book event leaves with every step of the market instead of every 20 or 100 ms; a change within the
depth only is told, and all others as numbers alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Any

import msgspec

from tickwire.simulator.dialect import Answer, Broadcast, Conversation, Message, prices
from tickwire.simulator.instruments import Instrument, choose_names, scale
from tickwire.simulator.market import Book, Market, Side

DEPTHS = (50, 400)
_SIZE_PLACES = 6
_SKEW_S = 60  # between a request's time and the server's
_INVALID = 2  # the code of a wrong argument


class Dialect:
    """The dialect over a market of *symbols*; subscriptions to a symbol of *refused* (``BTC-USDT``) are errors."""

    quote = "USDT"
    numbered = True
    heartbeat: str | None = None
    unknown = '{"channel":"spot.simulated_notice","event":"update","result":{"text":"nobody documented this"}}'
    ping_interval_s: float | None = None
    messages_per_second: int | None = None
    snapshot_path: str | None = None
    faults: frozenset[str] = frozenset()

    def __init__(self, symbols: int | Sequence[str], rng: Random, refused: frozenset[str] = frozenset()) -> None:
        self.market = Market([_instrument(*names) for names in choose_names(symbols, self.quote)], rng)
        self.refused = refused
        self.all: dict[tuple[str, str], Broadcast] = {}
        for book in self.market.books:
            pair = _native(book.instrument)
            self.all["spot.book_ticker", pair] = Broadcast("ticker", pair, book)
            self.all["spot.trades", pair] = Broadcast("trade", pair, book)
            for depth in DEPTHS:
                self.all["spot.obu", f"ob.{pair}.{depth}"] = Broadcast("book", f"ob.{pair}.{depth}", book)

    def open(self, path: str, query: Mapping[str, str]) -> Conversation | None:  # noqa: ARG002 - part of the protocol
        """``/ws/v4/``; None elsewhere."""
        return _Session(self) if path == "/ws/v4/" else None

    def advance(self, book: Book, now_us: int) -> list[Message]:
        """Move *book*: a trade a deal, a ticker a new best, then one event a depth over all update ids of the step."""
        instrument, pair = book.instrument, _native(book.instrument)
        heard = [(depth, self.all["spot.obu", f"ob.{pair}.{depth}"]) for depth in DEPTHS]
        before = [(c, d, _window(book.bids, d), _window(book.asks, d)) for d, c in heard if c.subscribers]
        step, messages = self.market.step(book), list[Message]()
        ticker, trades = self.all["spot.book_ticker", pair], self.all["spot.trades", pair]
        for deal in step.deals if trades.subscribers else ():
            said: dict[str, Any] = {"id": deal.number, "id_market": deal.number, "create_time": now_us // 1_000_000}
            said |= {"create_time_ms": f"{now_us // 1000}.{now_us % 1000:03}", "side": "buy" if deal.buys else "sell"}
            said |= {"currency_pair": pair, "amount": instrument.size(deal.lots), "price": instrument.price(deal.ticks)}
            messages.append(Message(trades, _update("spot.trades", said, now_us), False))
        for quote in step.quotes if ticker.subscribers else ():
            best = (
                quote.update_id,
                *_texts(quote.bid, quote.bid_lots, instrument),
                *_texts(quote.ask, quote.ask_lots, instrument),
            )
            said = dict(zip("ubBaA", best, strict=True)) | {"s": pair, "t": now_us // 1000}
            messages.append(Message(ticker, _update("spot.book_ticker", said, now_us), False))
        for channel, depth, bids, asks in before:
            said = {"t": now_us // 1000, "s": channel.name, "U": step.first, "u": step.last}
            said |= _sides(
                _changes(bids, _window(book.bids, depth)), _changes(asks, _window(book.asks, depth)), instrument
            )
            messages.append(Message(channel, _update("spot.obu", said, now_us), True))
        return messages

    def channels(self) -> Iterable[Broadcast]:
        """Every channel of every pair and depth."""
        return self.all.values()

    def rest(self, path: str, query: Mapping[str, str], now_us: int, *, stale: bool) -> Answer:  # noqa: ARG002 - part of the protocol
        """``/api/v4/spot/currency_pairs``."""
        if path != "/api/v4/spot/currency_pairs":
            return Answer(404, '{"label":"NOT_FOUND","message":"Not Found"}', {})
        return Answer(200, msgspec.json.encode([_listed(book.instrument) for book in self.market.books]).decode(), {})

    def refuse(self, status: int) -> Answer:
        """A refusal as Gate words it."""
        label = "SERVER_ERROR" if status == 503 else "TOO_MANY_REQUESTS"
        return Answer(status, msgspec.json.encode({"label": label, "message": label}).decode(), {"Retry-After": "1"})

    def spoil(self, text: str) -> str:
        """There is no checksum. Never called."""
        raise NotImplementedError(text)


class _Session:
    """One connection: its subscriptions by channel and what was asked of it."""

    def __init__(self, exchange: Dialect) -> None:
        self._exchange = exchange
        self._carried: dict[tuple[str, str], Broadcast] = {}

    def start(self, now_us: int) -> list[str]:  # noqa: ARG002 - part of the protocol
        return []

    def receive(self, text: str, now_us: int) -> list[str]:
        try:
            request = msgspec.json.decode(text)
        except msgspec.DecodeError:
            request = None
        if not isinstance(request, dict) or not isinstance(request.get("time"), int):
            return [_answer({}, now_us, (1, "request message need json scheme"))]
        if abs(request["time"] - now_us // 1_000_000) > _SKEW_S:
            return [_answer(request, now_us, (_INVALID, "the time of the request is too far from the server's"))]
        channel, event, payload = request.get("channel"), request.get("event"), request.get("payload")
        if channel == "spot.ping":
            return [_answer({"channel": "spot.pong", "event": ""}, now_us)]
        if event not in {"subscribe", "unsubscribe"} or not isinstance(payload, list) or not payload:
            return [_answer(request, now_us, (_INVALID, "invalid argument"))]
        change = self._subscribe if event == "subscribe" else self._unsubscribe
        return change(request, [(str(channel), str(name)) for name in payload], now_us)

    def close(self) -> None:
        for channel in self._carried.values():
            channel.subscribers.pop(self, None)
        self._carried.clear()

    def _subscribe(self, request: dict[str, Any], keys: list[tuple[str, str]], now_us: int) -> list[str]:
        for key in keys:
            if key in self._carried:
                return [_answer(request, now_us, (_INVALID, f"Alert sub {key[1]}"))]
            channel = self._exchange.all.get(key)
            if key[0] != "spot.obu" and (
                channel is None or channel.book.instrument.canonical in self._exchange.refused
            ):
                return [_answer(request, now_us, (_INVALID, f"unknown currency pair: {key[1]}"))]
        first = [_answer(request, now_us)]
        for key in keys:
            channel = self._exchange.all.get(key)
            # A book that is not carried is accepted and stays silent.
            if channel is not None and channel.book.instrument.canonical not in self._exchange.refused:
                self._carried[key] = channel
                channel.subscribers[self] = None
                if channel.kind == "book":
                    first.append(_snapshot(channel, int(key[1].rpartition(".")[2]), now_us))
        return first

    def _unsubscribe(self, request: dict[str, Any], keys: list[tuple[str, str]], now_us: int) -> list[str]:
        for key in keys:
            channel = self._carried.pop(key, None)
            if channel is not None:
                channel.subscribers.pop(self, None)
        return [_answer(request, now_us)]


def _window(side: Side, depth: int) -> dict[int, int]:
    return dict(side.top(depth))


def _changes(before: dict[int, int], now: dict[int, int]) -> list[tuple[int, int]]:
    """What to tell a client with one window so that it has the other."""
    gone = [(ticks, 0) for ticks in before if ticks not in now]
    return [*gone, *((ticks, lots) for ticks, lots in now.items() if before.get(ticks) != lots)]


def _sides(bids: Sequence[tuple[int, int]], asks: Sequence[tuple[int, int]], instrument: Instrument) -> dict[str, Any]:
    """Levels as events have them; a side without any is left out."""
    sides = (("b", prices(bids, instrument)), ("a", prices(asks, instrument)))
    return {name: [[p, s if s.strip("0.") else "0"] for p, s in levels] for name, levels in sides if levels}


def _texts(ticks: int, lots: int, instrument: Instrument) -> tuple[str, str]:
    return instrument.price(ticks), instrument.size(lots)


def _snapshot(channel: Broadcast, depth: int, now_us: int) -> str:
    book = channel.book
    said = {"t": now_us // 1000, "full": True, "s": channel.name, "u": book.update_id}
    return _update("spot.obu", said | _sides(book.bids.top(depth), book.asks.top(depth), book.instrument), now_us)


def _update(channel: str, result: dict[str, Any], now_us: int) -> str:
    said = {"channel": channel, "result": result, "time_ms": now_us // 1000, "event": "update"}
    return msgspec.json.encode(said).decode()


def _answer(request: Mapping[str, Any], now_us: int, error: tuple[int, str] | None = None) -> str:
    said: dict[str, Any] = {"time": now_us // 1_000_000, "time_ms": now_us // 1000, "conn_id": "0", "trace_id": "0"}
    said |= {name: request[name] for name in ("id", "channel", "event", "payload") if name in request}
    if error is not None:
        said["error"] = {"code": error[0], "message": error[1]}
    return msgspec.json.encode(said | {"result": {"status": "fail" if error else "success"}}).decode()


def _native(instrument: Instrument) -> str:
    return f"{instrument.base}_{instrument.quote}"


def _instrument(base: str, quote: str) -> Instrument:
    places, ticks = scale(base)
    return Instrument(base, quote, places, _SIZE_PLACES, ticks)


def _listed(instrument: Instrument) -> dict[str, object]:
    names = {"id": _native(instrument), "base": instrument.base, "quote": instrument.quote, "fee": "0.2"}
    places = {"amount_precision": instrument.size_places, "precision": instrument.price_places}
    return {**names, **places, "trade_status": "tradable", "sell_start": 0, "buy_start": 0}
