"""Kraken WebSocket v2 as it looks from outside.

Channels: https://docs.kraken.com/api/docs/websocket-v2/book, …/ticker and …/trade
Checksum: https://docs.kraken.com/api/docs/guides/spot-ws-book-v2
Listing: https://docs.kraken.com/api/docs/rest-api/get-tradable-asset-pairs
Differences: a ticker with the trigger ``trades`` gets its snapshot and no update, and no ticker counts trades.
"""

import re
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from tickwire.simulator.dialect import Answer, Message
from tickwire.simulator.instruments import Instrument
from tickwire.simulator.kit import Levels, PlainDialect, Session, answer, decoded, encoded, rfc3339
from tickwire.simulator.market import Book, Deal, Quote, Side, Step

DEPTHS = (10, 25, 100, 500, 1000)
_CHECKED = 10  # levels a side that the checksum covers
_PRICE_PLACES = {"BTC": 1}  # where Kraken's differ from the usual ones
_END = 1 << 62  # behind every key
_STATUS = (
    '{"channel":"status","type":"update","data":[{"version":"2.0.10","system":"online","api_version":"v2",'
    '"connection_id":1}]}'
)
_OLD_NAMES = {"BTC": "XBT", "DOGE": "XDG"}  # what the listing still calls them; the WebSocket v2 does not
# A change this near to the top stays under the checksum's ten levels through one more step of at most four changes. Not
# so a removal: the level that it lets into view is far from the top, and stays unknown when the removed one comes back.
_LOSABLE = 5


class Dialect(PlainDialect):
    """Kraken's spot."""

    quote = "USD"
    spelling = "{}/{}"
    names = (("ticker {}", "ticker"), ("trade {}", "trade"), ("book {} {}", "book"))
    depths = DEPTHS
    path = "/v2"
    welcome = (_STATUS,)
    heartbeat = '{"channel":"heartbeat"}'
    faults = frozenset({"checksum"})
    too_many: ClassVar[object] = {"error": ["EGeneral:Too many requests"]}
    unavailable: ClassVar[object] = {"error": ["EService:Unavailable"]}
    unknown = '{"channel":"simulated_notice","type":"update","data":[{"text":"a kind that nobody documented"}]}'

    def instrument(self, base: str, quote: str) -> Instrument:
        """Prices have places of their own."""
        usual = super().instrument(base, quote)
        places = _PRICE_PLACES.get(base, usual.price_places)
        ticks = usual.opening_ticks // 10 ** (usual.price_places - places)
        return replace(usual, price_places=places, opening_ticks=ticks)

    def receive(self, session: Session, text: str, now_us: int) -> list[str]:
        """Answer a request about symbols, each on its own.

        A symbol's book is carried in one depth, under a name without it.
        """
        time, request = rfc3339(now_us), decoded(text)
        params = None if request is None else request.get("params", {})
        if request is None or not isinstance(params, dict):
            return [_reply(None, time, error="Malformed request", success=False)]
        method, number = request.get("method"), request.get("req_id")
        if method == "ping":
            return [_reply(number, time, method="pong")]
        symbols = params.get("symbol")
        if method not in {"subscribe", "unsubscribe"} or not isinstance(symbols, list) or not symbols:
            return [_reply(number, time, error="Malformed request", method=method, success=False)]
        answer = self._subscribe if method == "subscribe" else self._unsubscribe
        return [line for symbol in symbols for line in answer(session, str(symbol), params, number, time)]

    def _subscribe(self, session: Session, symbol: str, params: dict[str, Any], number: object, time: str) -> list[str]:
        name, depth = str(params.get("channel")), params.get("depth", 10)
        trigger, snapshot = params.get("event_trigger", "trades"), params.get("snapshot", True) is not False
        book = self.books.get(symbol)
        error = None
        if name not in {"book", "ticker", "trade"}:
            error = f"Broadcast {name} not supported"
        elif book is None or book.instrument.canonical in self.refused:
            error = f"Currency pair not supported {symbol}"
        elif name == "book" and depth not in DEPTHS:
            error = "Subscription depth not supported"
        elif name == "ticker" and trigger not in {"bbo", "trades"}:
            error = "Event trigger not supported"
        elif f"{name} {symbol}" in session.carried:
            error = "Already subscribed"
        if error or book is None:
            return [_reply(number, time, error=error, method="subscribe", success=False, symbol=symbol)]
        full = f"{name} {symbol}"
        if name == "book":
            full, extra, first = f"{full} {depth}", {"depth": depth}, snapshot_text(book, depth, time)
        elif name == "trade":
            extra, first = {}, trade_text("snapshot", book, book.deals, time)
        else:
            extra, first = {"event_trigger": trigger}, ticker_text("snapshot", book, book.best(), time)
        channel = session.carried[f"{name} {symbol}"] = self.all[full]
        if name != "ticker" or trigger == "bbo":
            channel.subscribers[session] = None
        result = {"channel": name, **extra, "snapshot": snapshot, "symbol": symbol}
        return [_reply(number, time, method="subscribe", result=result, success=True)] + [first] * snapshot

    def _unsubscribe(
        self, session: Session, symbol: str, params: dict[str, Any], number: object, time: str
    ) -> list[str]:
        name = str(params.get("channel"))
        if not session.drop(f"{name} {symbol}"):
            error = "Subscription Not Found"
            return [_reply(number, time, error=error, method="unsubscribe", success=False, symbol=symbol)]
        result = {"channel": name, "symbol": symbol}
        return [_reply(number, time, method="unsubscribe", result=result, success=True)]

    def advance(self, book: Book, now_us: int) -> list[Message]:
        """Move *book*: its trades, a ticker a new best, then an update a subscribed depth, where its levels changed."""
        ticker, trades, *books = self.of[book]
        heard = [(depth, channel) for depth, channel in zip(DEPTHS, books, strict=True) if channel.subscribers]
        bounds = [(_bound(book.bids, depth), _bound(book.asks, depth)) for depth, _ in heard]
        step, time, messages = self.market.step(book), rfc3339(now_us), list[Message]()
        if step.deals and trades.subscribers:
            messages.append(Message(trades, trade_text("update", book, step.deals, time), losable=False))
        if ticker.subscribers:
            messages += [Message(ticker, ticker_text("update", book, quote, time), False) for quote in step.quotes]
        if heard and (step.bids or step.asks):
            losable = _near(step.bids, book.bids) and _near(step.asks, book.asks)
            tail = f'"checksum":{checksum(book)},"timestamp":"{time}"}}]}}'
            for (depth, channel), (bids_end, asks_end) in zip(heard, bounds, strict=True):
                text = _update(book, step, depth, bids_end, asks_end)
                if text:
                    messages.append(Message(channel, text + tail, losable))
        return messages

    def rest(self, path: str, query: Mapping[str, str], now_us: int, *, stale: bool) -> Answer:  # noqa: ARG002 - part of the protocol
        """``/0/public/AssetPairs``: everything listed of the class asked for, which is currencies alone."""
        if path != "/0/public/AssetPairs":
            return Answer(404, encoded({"error": ["EGeneral:Unknown method"]}), {})
        currencies = query.get("aclass_base", "currency") == "currency"
        pairs = dict(_listed(book.instrument) for book in self.market.books if currencies)
        return answer({"error": [], "result": pairs})

    def spoil(self, text: str) -> str:
        """Add one to the checksum, or take one away where it is the greatest there is."""
        return re.sub(r'(?<="checksum":)\d+', lambda found: str((int(found[0]) + 1) % 2**32), text, count=1)


def checksum(book: Book) -> int:
    """CRC32 over the best ten asks, then bids; without point and leading zeros, numbers are their ticks and lots."""
    asks, bids = book.asks, book.bids
    text = "".join([f"{key}{asks.lots[key]}" for key in asks.keys[:_CHECKED]])
    return zlib.crc32((text + "".join([f"{-key}{bids.lots[key]}" for key in bids.keys[:_CHECKED]])).encode())


def snapshot_text(book: Book, depth: int, time: str) -> str:
    """The first message of a book subscription."""
    instrument = book.instrument
    return (
        f'{{"channel":"book","type":"snapshot","data":[{{"symbol":"{instrument.native}",'
        f'"bids":[{_levels(book.bids.top(depth), instrument)}],"asks":[{_levels(book.asks.top(depth), instrument)}],'
        f'"checksum":{checksum(book)},"timestamp":"{time}"}}]}}'
    )


def ticker_text(kind: str, book: Book, quote: Quote, time: str) -> str:
    """A ticker message; what comes from trades stands still, because there are none."""
    instrument = book.instrument
    price, size = instrument.price, instrument.size
    opening, none = price(instrument.opening_ticks), price(0)
    return (
        f'{{"channel":"ticker","type":"{kind}","data":[{{"symbol":"{instrument.native}",'
        f'"bid":{price(quote.bid)},"bid_qty":{size(quote.bid_lots)},'
        f'"ask":{price(quote.ask)},"ask_qty":{size(quote.ask_lots)},'
        f'"last":{opening},"volume":{size(0)},"vwap":{opening},"low":{opening},"high":{opening},'
        f'"change":{none},"change_pct":0.00,"trades":0,"timestamp":"{time}"}}]}}'
    )


def trade_text(kind: str, book: Book, deals: Iterable[Deal], time: str) -> str:
    """Trades, with the time of the message; those of a snapshot were made before."""
    price, size, symbol = book.instrument.price, book.instrument.size, book.instrument.native
    found = [
        f'{{"symbol":"{symbol}","side":"{"buy" if deal.buys else "sell"}","price":{price(deal.ticks)},'
        f'"qty":{size(deal.lots)},"ord_type":"market","trade_id":{deal.number},"timestamp":"{time}"}}'
        for deal in deals
    ]
    return f'{{"channel":"trade","type":"{kind}","data":[{",".join(found)}]}}'


def _update(book: Book, step: Step, depth: int, bids_end: int, asks_end: int) -> str | None:
    """The update of one depth up to its checksum, or None where nothing within the depth changed.

    The ends are the keys of the last levels before the step.
    """
    bids = _window(book.bids, step.bids, bids_end, depth)
    asks = _window(book.asks, step.asks, asks_end, depth)
    if not (bids or asks):
        return None
    instrument = book.instrument
    return (
        f'{{"channel":"book","type":"update","data":[{{"symbol":"{instrument.native}",'
        f'"bids":[{_levels(bids, instrument)}],"asks":[{_levels(asks, instrument)}],'
    )


def _window(side: Side, changed: dict[int, int], end: int, depth: int) -> list[tuple[int, int]]:
    """The levels to send to a client that keeps the best *depth*: changes it can see, and levels that move into view.

    What moves out of view is not sent; the client cuts it off by itself.
    """
    now = _bound(side, depth)
    levels = [(abs(key), lots) for key, lots in changed.items() if key <= (now if lots else end)]
    if now > end:
        entering = side.keys[bisect_right(side.keys, end) : depth]
        levels += [(abs(key), side.lots[key]) for key in entering if key not in changed]
    return levels


def _bound(side: Side, depth: int) -> int:
    return side.keys[depth - 1] if len(side.keys) >= depth else _END


def _near(changed: dict[int, int], side: Side) -> bool:
    return all(lots and key <= side.keys[_LOSABLE - 1] for key, lots in changed.items())


def _levels(levels: Levels, instrument: Instrument) -> str:
    price, size = instrument.price, instrument.size
    return ",".join([f'{{"price":{price(ticks)},"qty":{size(lots)}}}' for ticks, lots in levels])


def _reply(number: object, time: str, **fields: object) -> str:
    if number is not None:
        fields["req_id"] = number
    return encoded({**fields, "time_in": time, "time_out": time})


def _listed(instrument: Instrument) -> tuple[str, dict[str, object]]:
    base = _OLD_NAMES.get(instrument.base, instrument.base)
    altname = f"{base}{instrument.quote}"
    return altname, {
        "altname": altname,
        "wsname": f"{base}/{instrument.quote}",
        "aclass_base": "currency",
        "base": base,
        "aclass_quote": "currency",
        "quote": instrument.quote,
        "pair_decimals": instrument.price_places,
        "lot_decimals": instrument.size_places,
        "lot_multiplier": 1,
        "ordermin": instrument.size(1),
        "tick_size": instrument.price(1),
        "status": "online",
    }
