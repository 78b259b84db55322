"""Gate spot as it looks from outside.

Channels: https://www.gate.com/docs/developers/apiv4/ws/en/
Differences: an order book event leaves with every step of the market instead of every 20 or 100 ms; a change within the
depth only is told, and all others as numbers alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tickwire.simulator.dialect import Answer, Broadcast, Conversation, Message, prices
from tickwire.simulator.instruments import Instrument
from tickwire.simulator.kit import PlainDialect, Session, answer, changes, decoded, encoded, refusal, window
from tickwire.simulator.market import Book

DEPTHS = (50, 400)
_SKEW_S = 60  # between a request's time and the server's
_INVALID = 2  # the code of a wrong argument


class Dialect(PlainDialect):
    """Gate's spot."""

    size_places = 6
    numbered = True
    names = (
        ("spot.book_ticker {}", "ticker"),
        ("spot.trades {}", "trade"),
        *((f"spot.obu ob.{{}}.{depth}", "book") for depth in DEPTHS),
    )
    unknown = '{"channel":"spot.simulated_notice","event":"update","result":{"text":"nobody documented this"}}'

    def native(self, base: str, quote: str) -> str:
        """``BTC_USDT``."""
        return f"{base}_{quote}"

    def open(self, path: str, query: Mapping[str, str]) -> Conversation | None:  # noqa: ARG002 - part of the protocol
        """``/ws/v4/``; None elsewhere."""
        return _Session(self) if path == "/ws/v4/" else None

    def advance(self, book: Book, now_us: int) -> list[Message]:
        """Move *book*: a trade a deal, a ticker a new best, then one event a depth over all update ids of the step."""
        instrument, pair = book.instrument, book.instrument.native
        ticker, trades, *depths = self.of[book]
        heard = [(channel, depth) for channel, depth in zip(depths, DEPTHS, strict=True) if channel.subscribers]
        before = [window(book, depth) for _, depth in heard]
        step, messages = self.market.step(book), list[Message]()
        for deal in step.deals if trades.subscribers else ():
            said: dict[str, Any] = {"id": deal.number, "id_market": deal.number, "create_time": now_us // 1_000_000}
            said |= {"create_time_ms": f"{now_us // 1000}.{now_us % 1000:03}", "side": "buy" if deal.buys else "sell"}
            said |= {"currency_pair": pair, "amount": instrument.size(deal.lots), "price": instrument.price(deal.ticks)}
            messages.append(Message(trades, _update("spot.trades", said, now_us), False))
        for quote in step.quotes if ticker.subscribers else ():
            said = {"u": quote.update_id, "s": pair, "t": now_us // 1000}
            said |= {"b": instrument.price(quote.bid), "B": instrument.size(quote.bid_lots)}
            said |= {"a": instrument.price(quote.ask), "A": instrument.size(quote.ask_lots)}
            messages.append(Message(ticker, _update("spot.book_ticker", said, now_us), False))
        for (channel, depth), known in zip(heard, before, strict=True):
            said = {"t": now_us // 1000, "s": _payload(channel), "U": step.first, "u": step.last}
            said |= _sides(*changes(known, window(book, depth)), instrument)
            messages.append(Message(channel, _update("spot.obu", said, now_us), True))
        return messages

    def rest(self, path: str, query: Mapping[str, str], now_us: int, *, stale: bool) -> Answer:  # noqa: ARG002 - part of the protocol
        """``/api/v4/spot/currency_pairs``."""
        if path != "/api/v4/spot/currency_pairs":
            return Answer(404, '{"label":"NOT_FOUND","message":"Not Found"}', {})
        return answer([_listed(book.instrument) for book in self.market.books])

    def refuse(self, status: int) -> Answer:
        """A refusal as Gate words it."""
        label = "SERVER_ERROR" if status == 503 else "TOO_MANY_REQUESTS"
        return refusal(status, {"label": label, "message": label})


class _Session(Session[Dialect]):
    def receive(self, text: str, now_us: int) -> list[str]:
        request = decoded(text)
        if request is None or not isinstance(request.get("time"), int):
            return [_answer({}, now_us, (1, "request message need json scheme"))]
        if abs(request["time"] - now_us // 1_000_000) > _SKEW_S:
            return [_answer(request, now_us, (_INVALID, "the time of the request is too far from the server's"))]
        channel, event, payload = request.get("channel"), request.get("event"), request.get("payload")
        if channel == "spot.ping":
            return [_answer({"channel": "spot.pong", "event": ""}, now_us)]
        if event not in {"subscribe", "unsubscribe"} or not isinstance(payload, list) or not payload:
            return [_answer(request, now_us, (_INVALID, "invalid argument"))]
        change = self._subscribe if event == "subscribe" else self._unsubscribe
        return change(request, [f"{channel} {name}" for name in payload], now_us)

    def _subscribe(self, request: dict[str, Any], names: list[str], now_us: int) -> list[str]:
        for name in names:
            channel, _, asked = name.partition(" ")
            if name in self.carried:
                return [_answer(request, now_us, (_INVALID, f"Alert sub {asked}"))]
            if channel != "spot.obu" and name not in self.exchange.all:
                return [_answer(request, now_us, (_INVALID, f"unknown currency pair: {asked}"))]
        first = [_answer(request, now_us)]
        for name in names:
            found = self.exchange.all.get(name)
            if found is not None:  # a book that there is not is accepted and stays silent
                self.carry(found)
                if found.kind == "book":
                    first.append(_snapshot(found, int(name.rpartition(".")[2]), now_us))
        return first

    def _unsubscribe(self, request: dict[str, Any], names: list[str], now_us: int) -> list[str]:
        for name in names:
            self.drop(name)
        return [_answer(request, now_us)]


def _sides(bids: Sequence[tuple[int, int]], asks: Sequence[tuple[int, int]], instrument: Instrument) -> dict[str, Any]:
    """Levels as events have them; a side without any is left out."""
    sides = (("b", prices(bids, instrument)), ("a", prices(asks, instrument)))
    return {name: [[p, s if s.strip("0.") else "0"] for p, s in levels] for name, levels in sides if levels}


def _payload(channel: Broadcast) -> str:
    return channel.name.split()[1]


def _snapshot(channel: Broadcast, depth: int, now_us: int) -> str:
    book = channel.book
    said = {"t": now_us // 1000, "full": True, "s": _payload(channel), "u": book.update_id}
    return _update("spot.obu", said | _sides(book.bids.top(depth), book.asks.top(depth), book.instrument), now_us)


def _update(channel: str, result: dict[str, Any], now_us: int) -> str:
    return encoded({"channel": channel, "result": result, "time_ms": now_us // 1000, "event": "update"})


def _answer(request: Mapping[str, Any], now_us: int, error: tuple[int, str] | None = None) -> str:
    said: dict[str, Any] = {"time": now_us // 1_000_000, "time_ms": now_us // 1000, "conn_id": "0", "trace_id": "0"}
    said |= {name: request[name] for name in ("id", "channel", "event", "payload") if name in request}
    if error is not None:
        said["error"] = {"code": error[0], "message": error[1]}
    return encoded(said | {"result": {"status": "fail" if error else "success"}})


def _listed(instrument: Instrument) -> dict[str, object]:
    names = {"id": instrument.native, "base": instrument.base, "quote": instrument.quote, "fee": "0.2"}
    places = {"amount_precision": instrument.size_places, "precision": instrument.price_places}
    return {**names, **places, "trade_status": "tradable", "sell_start": 0, "buy_start": 0}
