"""HTX spot: ``bbo`` (best bid and offer), ``mbp.150`` (order book) and ``trade.detail``.

Channels, pings, errors, listing: https://huobiapi.github.io/docs/spot/v1/en/#websocket-market-data
Order book: https://huobiapi.github.io/docs/spot/v1/en/#market-by-price-incremental-update
How its snapshot fits: https://www.huobi.com/support/en-us/detail/900001078223/

Books are on a socket of their own. Their snapshot comes where it is asked for, with the number that one of the changes
names as the one before it. A level that leaves the best 150 comes as a removal. Other depths exist for some symbols
only, or have no snapshot. All frames are gzip files; numbers with exponents (``9.121E-7``) are written out.
Not confirmed: limits of subscriptions and connections; what a ticker says of an empty side (here: null or 0).
"""

import re
from collections.abc import Callable, Sequence

import msgspec
from msgspec import Raw

from tickwire.errors import FrameRejected
from tickwire.events.decimals import decimal_text
from tickwire.events.rules import PREVIOUS, Rule
from tickwire.events.short_way import ShortWay
from tickwire.events.types import Micros
from tickwire.exchanges import contract
from tickwire.exchanges._htx import Frame, decode, decode_best, decode_book, decode_trades, read_listing
from tickwire.exchanges.contract import Channel, Output, Send, Symbol, decoded, malformed
from tickwire.exchanges.kit import BookEvent, Item, KitAdapter, Method, RequestedBook, by_previous, gunzipped
from tickwire.exchanges.numbers import best
from tickwire.exchanges.symbols import named_by_rule

__all__ = ["EXCHANGE", "Adapter", "derive", "read_listing"]

EXCHANGE = contract.Exchange(
    name="htx",
    ws_url="wss://api.huobi.pro/ws",
    ws_urls={"orderbook": "wss://api.huobi.pro/feed"},
    frames="binary",
    rest_url="https://api.huobi.pro",
    listing_paths=("/v1/common/symbols",),
    symbols_per_connection=50,  # no limit is documented
    message_interval_s=0.1,  # "100 ms" between two questions on one connection
    connect_interval_s=1.0,  # no limit is documented
    ping_interval_s=None,
    silence_s=30.0,  # the server asks every 5 s
    max_frame_bytes=4 * 1024 * 1024,  # and as many when it is unpacked
    book_depths=(150,),
    checks=("sequence",),
)

_NAMES: dict[Channel, str] = {"ticker": "bbo", "orderbook": "mbp.150", "trade": "trade.detail"}  # ours, HTX's
_CHANNELS: dict[str, Channel] = {name: channel for channel, name in _NAMES.items()}
_CHANGE_SHAPE = b'{"ch":"market.$","ts":#m,"tick":{"seqNum":#l,"prevSeqNum":#p(,"bids":=b)(,"asks":=a)}}'
_TOPIC = re.compile(r"market\.(\w+)\.(bbo|mbp\.150|trade\.detail)")

derive = named_by_rule(EXCHANGE.name, lambda base, quote: f"{base}{quote}".lower())


def _unpack(payload: bytes) -> bytes:
    return gunzipped(payload, EXCHANGE.max_frame_bytes)


class Adapter(KitAdapter[RequestedBook]):
    """One connection to either socket. See :class:`~tickwire.exchanges.contract.AdapterContract`."""

    exchange = EXCHANGE
    shapes = b"", _CHANGE_SHAPE, b""
    rule = Rule(PREVIOUS)
    most = 1

    def _make_short_way(self, unpack: Callable[[bytes], bytes] | None = _unpack) -> ShortWay | None:
        return super()._make_short_way(unpack)

    def keep(self, symbol: Symbol) -> RequestedBook:
        """Keep a book whose changes name the number of the one before, the first one that of the snapshot."""
        question = msgspec.json.encode({"req": f"market.{symbol.native}.{_NAMES['orderbook']}", "id": "snapshot"})
        messages, in_frames = self.messages(symbol), (f"{{0}}.{_NAMES['orderbook']}",)
        return RequestedBook(symbol, messages, question, by_previous, self.short_way, in_frames)

    def write(self, method: Method, items: Sequence[Item], number: int | None) -> bytes:
        """Ask for one topic."""
        ((channel, symbol),) = items
        topic = f"market.{symbol.native}.{_NAMES[channel]}"
        return msgspec.json.encode({method.removesuffix("scribe"): topic, "id": str(number)})

    def receive(self, payload: bytes, received_us: Micros) -> list[Output]:
        """Translate one frame. Raises :exc:`~tickwire.errors.FrameRejected`."""
        frame = decoded("frame", decode, _unpack(payload))
        if frame.ch is not None:
            return self._data(*_item(frame.ch), frame, received_us)
        if frame.ping is not None:  # "if client ignores it for 2 times, disconnect will happen"
            return [Send(b'{"pong":%d}' % frame.ping, urgent=True)]
        if frame.rep is not None and frame.status == "ok":
            return self.kept(_item(frame.rep)[1]).snapshot(_event(frame.data, None), received_us)
        if frame.subbed is not None and frame.status == "ok":
            return self.answered_each(*_item(frame.subbed), None)
        if frame.status == "error" and isinstance(frame.id, str) and frame.id.isdecimal() and len(frame.id) < 10:
            return self.answered(int(frame.id), frame.err_msg[: contract.MAX_TEXT])
        if frame.unsubbed is not None and frame.status == "ok":
            return []
        raise FrameRejected("unknown", f"a message {msgspec.json.encode(frame)[: contract.MAX_TEXT]!r}")

    def _data(self, channel: Channel, native: str, frame: Frame, received_us: Micros) -> list[Output]:
        if channel == "orderbook":
            kept = self.kept(native)
            out = kept.change(_event(frame.tick, frame.ts), received_us)
            return self.heard(kept, out) if kept.new else out
        try:
            return (self._best if channel == "ticker" else self._trades)(native, frame.tick, received_us)
        except ValueError as e:
            raise malformed(f"{channel} of {native}", e) from None

    def _best(self, native: str, tick: Raw, received_us: Micros) -> list[Output]:
        said = decoded("bbo", decode_best, tick)
        bid, ask = best(said.bid, said.bid and said.bid_size), best(said.ask, said.ask and said.ask_size)
        return self.ticker(native, *bid, *ask, received_us, sequence=said.seq_id, exchange_us=said.quote_time * 1000)

    def _trades(self, native: str, tick: Raw, received_us: Micros) -> list[Output]:
        out: list[Output] = []
        for one in decoded("trades", decode_trades, tick).data:
            said = native, str(one.trade_id), decimal_text(one.price), decimal_text(one.amount), one.direction
            out += self.trade(*said, received_us, exchange_us=one.ts * 1000)
        return out


def _item(topic: str) -> tuple[Channel, str]:
    """The channel and symbol of a topic. Raises :exc:`~tickwire.errors.FrameRejected` for one that is not ours."""
    found = _TOPIC.fullmatch(topic)
    if found is None:
        raise FrameRejected("unknown", f"a message of {topic!r:.100}")
    return _CHANNELS[found[2]], found[1]


def _event(levels: Raw, time_ms: int | None) -> BookEvent:
    book = decoded("book", decode_book, levels)
    time_us = None if time_ms is None else time_ms * 1000
    return BookEvent(book.bids, book.asks, book.seq_num, previous=book.prev_seq_num, exchange_us=time_us)
