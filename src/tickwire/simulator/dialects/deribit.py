"""Deribit as it looks from outside, with spot instruments alone.

Requests: https://docs.deribit.com/articles/json-rpc-overview
Book: https://docs.deribit.com/subscriptions/orderbook/bookinstrument_nameinterval
Heartbeats: https://docs.deribit.com/articles/connection-management-best-practices
Differences: a change leaves with every step of the market instead of every 100 ms, even one without levels; a quiet
client is asked for a sign of life every second, and is kept without one.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from tickwire.simulator.dialect import Answer, Broadcast, Message
from tickwire.simulator.instruments import Instrument
from tickwire.simulator.kit import PlainDialect, Session, Sides, answer, decoded, encoded
from tickwire.simulator.market import Book, Deal, Quote, Step

_LISTING = "/api/v2/public/get_instruments"


class Dialect(PlainDialect):
    """Deribit's spot."""

    quote = "USDC"
    size_places = 4
    numbered = True
    path = "/ws/api/v2"
    spelling = "{}_{}"
    names = (("trades.{}.100ms", "trade"), ("quote.{}", "ticker"), ("book.{}.100ms", "book"))
    heartbeat = '{"params":{"type":"test_request"},"method":"heartbeat","jsonrpc":"2.0"}'
    too_many: ClassVar[object] = {"jsonrpc": "2.0", "error": {"code": 10028, "message": "too_many_requests"}}
    unknown = '{"jsonrpc":"2.0","method":"subscription","params":{"channel":"simulated_notice","data":{}}}'

    def receive(self, session: Session, text: str, now_us: int) -> list[str]:
        """Answer a request of JSON-RPC."""
        request = decoded(text)
        if request is None or not isinstance(request.get("id"), int):
            return [_failure(None, 11050, "bad_request")]
        number, method, params = request["id"], request.get("method"), request.get("params") or {}
        channels = params.get("channels", []) if isinstance(params, dict) else []
        match method:
            case "public/set_heartbeat":
                return [_result(number, "ok")]
            case "public/test":
                return [_result(number, {"version": "1.2.26"})]
            case "public/subscribe":
                return self._subscribe(session, number, [str(channel) for channel in channels], now_us)
            case "public/unsubscribe":
                return [_result(number, [channel for channel in map(str, channels) if session.drop(channel)])]
        return [_failure(number, -32601, "Method not found")]

    def _subscribe(self, session: Session, number: int, channels: list[str], now_us: int) -> list[str]:
        """A channel that does not exist is missing from the answer; one that is carried gets no second snapshot."""
        found = [self.all[name] for name in channels if name in self.all]
        new = [channel for channel in found if channel.name not in session.carried]
        for channel in new:
            session.carry(channel)
        snapshots = [_pushed(channel, _snapshot(channel.book, now_us)) for channel in new if channel.kind == "book"]
        return [_result(number, [channel.name for channel in reversed(found)]), *snapshots]

    def advance(self, book: Book, now_us: int) -> list[Message]:
        """Move *book*; a change says of each level whether it is new."""
        self._known = {*book.bids.lots, *book.asks.lots}
        return super().advance(book, now_us)

    def _trades(self, channel: Broadcast, deals: Sequence[Deal], now_us: int) -> list[str]:
        return [_pushed(channel, f"[{','.join([_trade(deal, channel.book.instrument, now_us) for deal in deals])}]")]

    def _best(self, channel: Broadcast, quote: Quote, now_us: int) -> str:
        return _pushed(channel, _quote(channel.book, quote, now_us))

    def _change(self, channel: Broadcast, step: Step, levels: Sides, now_us: int) -> str:  # noqa: ARG002 - by their keys
        sides = [
            [(self._action(key, lots), key, lots) for key, lots in side.items()] for side in (step.bids, step.asks)
        ]
        previous = f',"prev_change_id":{step.first - 1}'
        return _pushed(channel, _book("change", channel.book, sides, now_us, previous))

    def _action(self, key: int, lots: int) -> str:
        return "delete" if not lots else "change" if key in self._known else "new"

    def rest(self, path: str, query: Mapping[str, str], now_us: int, *, stale: bool) -> Answer:  # noqa: ARG002 - part of the protocol
        """``public/get_instruments``."""
        if path != _LISTING:
            return Answer(404, _failure(None, -32601, "Method not found"), {})
        spot = query.get("kind", "spot") == "spot"
        listed = [_listed(book.instrument) for book in self.market.books if spot]
        return answer({"jsonrpc": "2.0", "result": listed})


def _pushed(channel: Broadcast, data: str) -> str:
    return f'{{"jsonrpc":"2.0","method":"subscription","params":{{"channel":"{channel.name}","data":{data}}}}}'


def _snapshot(book: Book, now_us: int) -> str:
    levels = [[("new", key, lots) for key, lots in side.lots.items()] for side in (book.bids, book.asks)]
    return _book("snapshot", book, levels, now_us, "")


def _book(kind: str, book: Book, levels: Sequence[Sequence[tuple[str, int, int]]], now_us: int, more: str) -> str:
    price, size = book.instrument.price, book.instrument.size
    bids, asks = (",".join([f'["{a}",{price(abs(key))},{size(lots)}]' for a, key, lots in side]) for side in levels)
    return (
        f'{{"timestamp":{now_us // 1000},"type":"{kind}","change_id":{book.update_id},'
        f'"instrument_name":"{book.instrument.native}","bids":[{bids}],"asks":[{asks}]{more}}}'
    )


def _quote(book: Book, quote: Quote, now_us: int) -> str:
    price, size = book.instrument.price, book.instrument.size
    return (
        f'{{"timestamp":{now_us // 1000},"instrument_name":"{book.instrument.native}",'
        f'"best_bid_price":{price(quote.bid)},"best_bid_amount":{size(quote.bid_lots)},'
        f'"best_ask_price":{price(quote.ask)},"best_ask_amount":{size(quote.ask_lots)}}}'
    )


def _trade(deal: Deal, instrument: Instrument, now_us: int) -> str:
    return (
        f'{{"trade_seq":{deal.number},"trade_id":"{deal.number}","timestamp":{now_us // 1000},'
        f'"price":{instrument.price(deal.ticks)},"instrument_name":"{instrument.native}",'
        f'"direction":"{"buy" if deal.buys else "sell"}","amount":{instrument.size(deal.lots)}}}'
    )


def _result(number: int, result: Any) -> str:
    return encoded({"jsonrpc": "2.0", "id": number, "result": result, "testnet": False})


def _failure(number: int | None, code: int, message: str) -> str:
    known = {} if number is None else {"id": number}
    return encoded({"jsonrpc": "2.0", **known, "error": {"code": code, "message": message}})


def _listed(instrument: Instrument) -> dict[str, object]:
    names = {"instrument_name": instrument.native, "kind": "spot", "base_currency": instrument.base}
    return {**names, "quote_currency": instrument.quote, "counter_currency": instrument.quote, "is_active": True}
