"""Gate spot as it looks from outside.

Channels: https://www.gate.com/docs/developers/apiv4/ws/en/
Differences: an order book event leaves with every step of the market instead of every 20 or 100 ms; a change within the
depth only is told, and all others as numbers alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from tickwire.simulator.dialect import Broadcast, prices
from tickwire.simulator.instruments import Instrument
from tickwire.simulator.kit import Levels, PlainDialect, Session, Sides, decoded, encoded
from tickwire.simulator.market import Deal, Quote, Step

DEPTHS = (50, 400)
_SKEW_S = 60  # between a request's time and the server's
_INVALID = 2  # the code of a wrong argument


class Dialect(PlainDialect):
    """Gate's spot."""

    size_places = 6
    numbered = True
    path = "/ws/v4/"
    spelling = "{}_{}"
    names = (("spot.trades {}", "trade"), ("spot.book_ticker {}", "ticker"), ("spot.obu ob.{}.{}", "book"))
    listing_path = "/api/v4/spot/currency_pairs"
    not_found = '{"label":"NOT_FOUND","message":"Not Found"}'
    too_many: ClassVar[object] = {"label": "TOO_MANY_REQUESTS", "message": "TOO_MANY_REQUESTS"}
    unavailable: ClassVar[object] = {"label": "SERVER_ERROR", "message": "SERVER_ERROR"}
    depths = DEPTHS
    unknown = '{"channel":"spot.simulated_notice","event":"update","result":{"text":"nobody documented this"}}'

    def receive(self, session: Session, text: str, now_us: int) -> list[str]:
        """Answer a request about names of one channel, which is accepted or refused as a whole."""
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
        names = [f"{channel} {name}" for name in payload]
        if event == "subscribe":
            return self._subscribe(session, request, names, now_us)
        session.drop_all(names)
        return [_answer(request, now_us)]

    def _subscribe(self, session: Session, request: dict[str, Any], names: list[str], now_us: int) -> list[str]:
        for name in names:
            channel, _, asked = name.partition(" ")
            if name in session.carried:
                return [_answer(request, now_us, (_INVALID, f"Alert sub {asked}"))]
            if channel != "spot.obu" and name not in self.all:
                return [_answer(request, now_us, (_INVALID, f"unknown currency pair: {asked}"))]
        found = [self.all[name] for name in names if name in self.all]  # the rest is accepted and stays silent
        for one in found:
            session.carry(one)
        return [_answer(request, now_us), *(_snapshot(one, now_us) for one in found if one.kind == "book")]

    def _trades(self, channel: Broadcast, deals: Sequence[Deal], now_us: int) -> list[str]:
        text, ms = channel.book.instrument, f"{now_us // 1000}.{now_us % 1000:03}"
        said: list[dict[str, Any]] = [
            {"id": deal.number, "id_market": deal.number, "create_time": now_us // 1_000_000, "create_time_ms": ms}
            | {"side": "buy" if deal.buys else "sell", "currency_pair": text.native}
            | {"amount": text.size(deal.lots), "price": text.price(deal.ticks)}
            for deal in deals
        ]
        return [_update("spot.trades", one, now_us) for one in said]

    def _best(self, channel: Broadcast, quote: Quote, now_us: int) -> str:
        text = channel.book.instrument
        said: dict[str, Any] = {"u": quote.update_id, "s": text.native, "t": now_us // 1000}
        said |= {"b": text.price(quote.bid), "B": text.size(quote.bid_lots)}
        said |= {"a": text.price(quote.ask), "A": text.size(quote.ask_lots)}
        return _update("spot.book_ticker", said, now_us)

    def _change(self, channel: Broadcast, step: Step, levels: Sides, now_us: int) -> str:
        said = {"t": now_us // 1000, "s": _payload(channel), "U": step.first, "u": step.last}
        return _update("spot.obu", said | _sides(*levels, channel.book.instrument), now_us)

    def _listed(self, instrument: Instrument) -> dict[str, object]:
        names = {"id": instrument.native, "base": instrument.base, "quote": instrument.quote, "fee": "0.2"}
        places = {"amount_precision": instrument.size_places, "precision": instrument.price_places}
        return {**names, **places, "trade_status": "tradable", "sell_start": 0, "buy_start": 0}


def _sides(bids: Levels, asks: Levels, instrument: Instrument) -> dict[str, Any]:
    """Levels as events have them; a side without any is left out."""
    sides = (("b", prices(bids, instrument)), ("a", prices(asks, instrument)))
    return {name: [[p, s if s.strip("0.") else "0"] for p, s in levels] for name, levels in sides if levels}


def _payload(channel: Broadcast) -> str:
    return channel.name.split()[1]


def _snapshot(channel: Broadcast, now_us: int) -> str:
    book, depth = channel.book, channel.depth
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
