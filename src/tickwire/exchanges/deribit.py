"""Deribit: ``quote`` (best bid and offer), ``book`` (all levels) and ``trades`` of everything but combinations.

Book and its numbers: https://docs.deribit.com/subscriptions/orderbook/bookinstrument_nameinterval
Ticker: https://docs.deribit.com/subscriptions/market-data/quoteinstrument_name
Connections and heartbeats: https://docs.deribit.com/articles/connection-management-best-practices
Limits: https://docs.deribit.com/articles/rate-limits
Listing: https://docs.deribit.com/api-reference/market-data/public-get_instruments

Sizes leave as the exchange counts them: in the base for options, spot and linear contracts (``BTC-USDC-PERP``), and in
US dollars for inverse ones (``BTC-USD-PERP``), whose worth in the base changes with the price. Combinations are not
listed: their prices may be negative.
"""

from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct

from tickwire.errors import FrameRejected
from tickwire.events.decimals import decimal_text
from tickwire.events.rules import KEPT, PREVIOUS, REMOVED, Rule
from tickwire.events.types import Micros
from tickwire.exchanges import _deribit as texts
from tickwire.exchanges import contract
from tickwire.exchanges.contract import Limit, Output, Send, Symbol, decoded, malformed
from tickwire.exchanges.kit import BookEvent, Item, KitAdapter, Method, StreamedBook, by_previous
from tickwire.exchanges.numbers import best
from tickwire.exchanges.symbols import Listing

_LISTING = "/api/v2/public/get_instruments?currency=any&kind="
EXCHANGE = contract.Exchange(
    name="deribit",
    ws_url="wss://www.deribit.com/ws/api/v2",
    rest_url="https://www.deribit.com",
    listing_paths=(f"{_LISTING}future", f"{_LISTING}option", f"{_LISTING}spot"),
    symbols_per_connection=250,  # "batches, e.g. 2 messages of 500" channels
    message_interval_s=0.3,  # "~3.3 requests/second" to subscribe
    connect_interval_s=1.0,  # "32 connections per IP", requests over HTTP included
    rest_limits=(Limit(50, 50.0),),  # one a second, 50 at once
    ping_interval_s=20.0,  # the server's heartbeats come every ten seconds
    silence_s=35.0,
    book_depths=range(1, 5001),  # it has all levels
    checks=("sequence",),
    sizes="base; quote where inverse",
)

_CHANGE_SHAPE = (
    b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"book.$","data":{"timestamp":#m,"type":"change",'
    b'"change_id":#l,"instrument_name":"$","bids":=b,"asks":=a,"prev_change_id":#p}}}'
)
_TOO_MANY = 10028  # the code of too_many_requests
_AGAIN = 1_000_000  # and above: the number of a request for one book that starts again


class _Instrument(Struct):
    instrument_name: str
    is_active: bool = True


class _Instruments(Struct):
    result: list[_Instrument]


_decode = msgspec.json.Decoder(texts.Frame).decode
_decode_quote = msgspec.json.Decoder(texts.Quote, float_hook=str).decode
_decode_book = msgspec.json.Decoder(texts.Book).decode
_decode_trades = msgspec.json.Decoder(list[texts.Trade], float_hook=str).decode
_decode_channels = msgspec.json.Decoder(list[str]).decode
_decode_listing = msgspec.json.Decoder(_Instruments).decode


def read_listing(body: bytes) -> Listing:
    """Read ``public/get_instruments`` of one kind. Raises :exc:`~tickwire.errors.FrameRejected`."""
    listed = {each.instrument_name: each for each in decoded("instruments", _decode_listing, body).result}
    symbols = [symbol for symbol in map(texts.by_native_name, listed) if symbol is not None]
    return Listing(symbols, resting={name: "not active" for name, each in listed.items() if not each.is_active})


derive = texts.by_either_name


class Adapter(KitAdapter[StreamedBook]):
    """One connection to the public endpoint. See :class:`~tickwire.exchanges.contract.AdapterContract`."""

    exchange = EXCHANGE
    shapes = b"", _CHANGE_SHAPE, b""
    rule = Rule(PREVIOUS, words=(("new", KEPT), ("change", KEPT), ("delete", REMOVED)))
    most = 500
    ping_text = b'{"jsonrpc":"2.0","id":0,"method":"public/test","params":{}}'

    def keep(self, symbol: Symbol) -> StreamedBook:
        """Keep a book whose changes name the number of the one before."""
        of_book = symbol, self.messages(symbol), self.again, self.short_way
        return StreamedBook(*of_book, follows=by_previous, in_frames=("{0}.100ms", "{0}"))

    def write(self, method: Method, items: Sequence[Item], number: int | None) -> bytes:
        """Ask for channels by their names."""
        if method == "unsubscribe":
            number = 0
        elif number is None:
            number = _AGAIN + list(self._books).index(items[0][1].native)
        return texts.request_text(number, method, channels=[texts.channel_name(*item) for item in items])

    def start(self) -> list[Output]:
        """Ask for heartbeats, which is what tells a dead connection, and subscribe."""
        return [Send(texts.request_text(0, "set_heartbeat", interval=10)), *super().start()]

    def receive(self, payload: bytes, received_us: Micros) -> list[Output]:
        """Translate one frame. Raises :exc:`~tickwire.errors.FrameRejected`."""
        frame = decoded("frame", _decode, payload)
        params = frame.params
        if frame.method == "subscription":
            channel, _ = texts.channel_of(params.channel)
            if channel == "orderbook":
                return self._book(params.data, received_us)
            if channel == "ticker":
                return self._quote(params.data, received_us)
            if channel == "trade":
                return self._trades(params.data, received_us)
        elif frame.method == "heartbeat":
            # "If your client fails to respond to a test_request, the server immediately closes the connection."
            return [Send(self.ping_text, urgent=True)] if params.type == "test_request" else []
        elif frame.id is not None and (frame.result or frame.error):
            number = frame.id if type(frame.id) is int else -1
            return self._failed(number, frame.error) if frame.error else self._listed(number, bytes(frame.result))
        raise contract.unexpected(payload)

    def _quote(self, data: Raw, received_us: Micros) -> list[Output]:
        quote = decoded("quote", _decode_quote, data)
        try:
            bid = best(quote.best_bid_price, quote.best_bid_amount)
            ask = best(quote.best_ask_price, quote.best_ask_amount)
            last = None if quote.last_price is None else decimal_text(quote.last_price)
        except ValueError as e:
            raise malformed(f"quote of {quote.instrument_name}", e) from None
        return self.ticker(
            quote.instrument_name, *bid, *ask, received_us, last=last, exchange_us=quote.timestamp * 1000
        )

    def _book(self, data: Raw, received_us: Micros) -> list[Output]:
        book = decoded("book", _decode_book, data)
        kept = self.kept(book.instrument_name)
        previous = -1 if book.prev_change_id is None else book.prev_change_id
        bids, asks = texts.plain_levels(book.bids), texts.plain_levels(book.asks)
        event = BookEvent(bids, asks, book.change_id, previous=previous)
        event.exchange_us = book.timestamp * 1000
        # "If prev_change_id equals the change_id of the previous message, no messages were missed."
        whole = book.prev_change_id is None if book.type is None else book.type == "snapshot"
        out = (kept.snapshot if whole else kept.change)(event, received_us)
        return self.heard(kept, out) if kept.new else out

    def _trades(self, data: Raw, received_us: Micros) -> list[Output]:
        out: list[Output] = []
        for one in decoded("trades", _decode_trades, data):
            try:
                price, size = decimal_text(one.price), decimal_text(one.amount)
            except ValueError as e:
                raise malformed(f"trade of {one.instrument_name}", e) from None
            said = one.instrument_name, one.trade_id, price, size, one.direction
            out += self.trade(*said, received_us, exchange_us=one.timestamp * 1000)
        return out

    def _failed(self, number: int, error: texts.Error) -> list[Output]:
        said = error.message[: contract.MAX_TEXT]
        if error.code == _TOO_MANY or number == 0:
            # Neither refused nor accepted: it stays pending, and the connection's deadline asks again, later.
            raise FrameRejected("unknown", f"an error {said!r} ({error.code})")
        if number < _AGAIN:
            return self.answered(number, said)
        return [out for channel, symbol in self._asked(number) for out in self._refuse(channel, symbol.native, said)]

    def _listed(self, number: int, result: bytes) -> list[Output]:
        """Take an answer, which lists the channels that are carried: an unknown one is missing from it.

        A list with a channel that was not asked for under that number is no answer to it.
        """
        if not result.startswith(b"["):
            if number == 0:
                return []
            raise FrameRejected("unknown", f"an answer {result[: contract.MAX_TEXT]!r}")
        carried = decoded("answer", _decode_channels, result)
        asked = {texts.channel_name(*item): item for item in self._asked(number)}
        ours, out = asked.keys() >= set(carried), list[Output]()
        for name, (channel, symbol) in asked.items():
            if name in carried:
                out += self._requests.accept(channel, symbol.native)
            elif ours:
                out += self._refuse(channel, symbol.native, "unknown")
        return out + [
            one for name in carried if name not in asked for one in self.answered_each(*texts.channel_of(name), None)
        ]

    def _asked(self, number: int) -> Sequence[Item]:
        if number < _AGAIN:
            return self._requests.asked(number)
        books = list(self._books.values())[number - _AGAIN : number - _AGAIN + 1]
        return [("orderbook", kept.symbol) for kept in books]
