"""Gate spot: ``spot.book_ticker`` (best bid and offer), ``spot.obu`` (order book) and ``spot.trades``.

Channels, pings, errors: https://www.gate.com/docs/developers/apiv4/ws/en/
Keeping the book: https://www.gate.com/announcements/article/45317 and …/docs/developers/apiv4/ws/en/#order-book-v2-api
Listing: https://www.gate.com/docs/developers/apiv4/en/#list-all-currency-pairs-supported

The server accepts the order book of a symbol that does not exist and stays silent. Levels that leave the depth come as
removals. Not confirmed: limits of messages and subscriptions, none of which is documented.
"""

from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct

from tickwire.errors import FrameRejected
from tickwire.events.rules import BEHIND, Rule
from tickwire.events.types import Micros
from tickwire.exchanges import contract
from tickwire.exchanges._gate import Book, Frame, decode, decode_book, decode_ticker, decode_trade, stream_of
from tickwire.exchanges.contract import Channel, Output, Symbol, decoded, malformed
from tickwire.exchanges.kit import BookEvent, Item, KitAdapter, Method, StreamedBook, by_first
from tickwire.exchanges.symbols import Listing, named_by_rule

EXCHANGE = contract.Exchange(
    name="gate",
    ws_url="wss://api.gateio.ws/ws/v4/",
    time_mark=b'"$now"',  # "gap between request time and server time must not exceed 60 seconds"
    rest_url="https://api.gateio.ws",
    listing_paths=("/api/v4/spot/currency_pairs",),
    symbols_per_connection=100,  # no limit is documented
    message_interval_s=0.05,  # no limit is documented
    connect_interval_s=1.0,  # no limit is documented; the staff spoke of 100 connections of one host
    ping_interval_s=10.0,  # a socket without any message of ours is closed after about 30 s
    silence_s=30.0,
    max_frame_bytes=4 * 1024 * 1024,
    book_depths=(50, 400),  # every 20 ms and every 100 ms
    checks=("sequence",),
)

# Our channels, and Gate's.
_NAMES: dict[Channel, str] = {"ticker": "spot.book_ticker", "orderbook": "spot.obu", "trade": "spot.trades"}
_CHANNELS: dict[str | None, Channel] = {name: channel for channel, name in _NAMES.items()}
_DUPLICATE = "Alert sub "  # prefix of the refusal of a duplicate subscription


_CHANGE_SHAPE = (
    b'{"channel":"spot.obu","result":{"t":#m,"s":"ob.$","U":#f,"u":#l(,"b":=b)(,"a":=a)},"time_ms":*,"event":"update"}'
)


class _Pair(Struct):
    id: str
    base: str
    quote: str
    trade_status: str


_decode_listing = msgspec.json.Decoder(list[_Pair]).decode


def read_listing(body: bytes) -> Listing:
    """Read ``/api/v4/spot/currency_pairs``. Raises :exc:`~tickwire.errors.FrameRejected`."""
    pairs = decoded("currency_pairs", _decode_listing, body)
    symbols = [Symbol(f"{pair.base}-{pair.quote}", pair.id) for pair in pairs]
    return Listing(symbols, resting={p.id: p.trade_status for p in pairs if p.trade_status == "untradable"})


derive = named_by_rule(EXCHANGE.name, "{}_{}".format)


class Adapter(KitAdapter[StreamedBook]):
    """One connection to the public endpoint. See :class:`~tickwire.exchanges.contract.AdapterContract`."""

    exchange = EXCHANGE
    shapes = b"", _CHANGE_SHAPE, b""
    rule = Rule(BEHIND)
    most = 1  # an answer to several pairs does not say which one is wrong
    ping_text = b'{"time":"$now","channel":"spot.ping"}'

    def keep(self, symbol: Symbol) -> StreamedBook:
        """Make a book; each change has its first and last number.

        "If ``U`` ≠ local depth ID + 1, the depth data is not continuous".
        """
        of_book = symbol, self.messages(symbol), self.again, self.short_way
        return StreamedBook(*of_book, follows=by_first, in_frames=("{0}.{1}",))

    def write(self, method: Method, items: Sequence[Item], number: int | None) -> bytes:
        """A request for one channel of one symbol."""
        ((channel, symbol),) = items
        name = f"ob.{symbol.native}.{self.depth}" if channel == "orderbook" else symbol.native
        request: dict[str, object] = {} if number is None else {"id": number}
        request |= {"time": "$now", "channel": _NAMES[channel], "event": method, "payload": [name]}
        return msgspec.json.encode(request)

    def receive(self, payload: bytes, received_us: Micros) -> list[Output]:
        """Translate one frame. Raises :exc:`~tickwire.errors.FrameRejected`."""
        frame = decoded("frame", decode, payload)
        channel = _CHANNELS.get(frame.channel)
        if frame.event == "update" and channel == "orderbook":
            return self._book(frame.result, received_us)
        if frame.event == "update" and channel == "ticker":
            return self._ticker(frame.result, received_us)
        if frame.event == "update" and channel == "trade":
            return self._trade(frame.result, received_us)
        if channel is not None and frame.event == "subscribe":
            return self._answered(channel, frame)
        if frame.channel == "spot.pong" or frame.event == "unsubscribe":
            return []
        raise contract.unexpected(payload)

    def _ticker(self, result: Raw, received_us: Micros) -> list[Output]:
        best = decoded("ticker", decode_ticker, result)
        bid, ask = (best.b or None, best.B), (best.a or None, best.A)
        return self.ticker(best.s, *bid, *ask, received_us, sequence=best.u, exchange_us=best.t * 1000)

    def _book(self, result: Raw, received_us: Micros) -> list[Output]:
        book = decoded("book", decode_book, result)
        kept = self._kept(book)
        first = book.u if book.full else book.U
        if first is None:
            raise malformed(f"change of {book.s}", "it has no first number")
        event = BookEvent(book.b, book.a, book.u, first, exchange_us=None if book.t is None else book.t * 1000)
        # "The server may send full depth snapshots multiple times": each replaces the book and gives its number.
        out = (kept.snapshot if book.full else kept.change)(event, received_us)
        return self.heard(kept, out) if kept.new else out

    def _trade(self, result: Raw, received_us: Micros) -> list[Output]:
        trade = decoded("trade", decode_trade, result)
        whole, _, part = trade.create_time_ms.partition(".")
        said = trade.currency_pair, str(trade.id), trade.price, trade.amount, trade.side
        return self.trade(*said, received_us, exchange_us=int(whole + f"{part:0<3}"[:3]))

    def _kept(self, book: Book) -> StreamedBook:
        """A stream's book. It promises the depth given in the stream's name."""
        name, depth = stream_of(book.s)
        kept = self.kept(name)
        if depth != kept.messages.depth:
            if depth is None or not (kept.new and book.full):
                raise FrameRejected("unknown", f"a book {book.s!r:.100}, which was not asked for")
            kept.promise(depth)
        return kept

    def _answered(self, channel: Channel, frame: Frame) -> list[Output]:
        """Take an answer, identified by its number, or by its payload if the request had none."""
        error = None if frame.error is None else frame.error.message[: contract.MAX_TEXT]
        names = [stream_of(name)[0] for name in frame.payload]
        native = names[0] if names else None
        start: list[Output] = []
        if error is not None and error.startswith(_DUPLICATE):
            # "A single connection is allowed to subscribe only once": it is carried, and its snapshot came before.
            kept = self._books.get(native)
            error, start = None, kept.ask() if kept is not None and kept.book is None and not kept.restarting else []
        if not names and type(frame.id) is int:
            return self.answered(frame.id, error)
        if error is None:
            return [one for name in names for one in self.answered_each(channel, name, None)] + start
        if len(names) == 1 or not names:
            return self.answered_each(channel, native, error)
        raise FrameRejected("unknown", f"an error that answers several subscriptions: {error!r}")
