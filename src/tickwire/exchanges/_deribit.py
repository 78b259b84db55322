"""How Deribit writes frames, levels, and names: BTC-PERPETUAL, BTC_USDC-25DEC26, BTC-25DEC26-100000-C, BTC_USDC.

Requests: https://docs.deribit.com/articles/json-rpc-overview
Names: https://docs.deribit.com/articles/instrument-naming-conventions
"""

import re
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from tickwire.errors import UnclearSymbol
from tickwire.events.types import TakerSide
from tickwire.exchanges.contract import Channel, Symbol
from tickwire.exchanges.symbols import derivative

_NATIVE = re.compile(r"([A-Z0-9]+)(?:_([A-Z]+))?(?:-(?:(PERPETUAL)|(\d{1,2})([A-Z]{3})(\d\d)(?:-([\dd]+)-([CP]))?))?")
_CANONICAL = re.compile(
    r"([A-Z0-9]+)-([A-Z]+)(?:-(?:(PERP)|(\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])((?:-[\dd]+-[CP])?)))?"
)
_NAMES: dict[Channel, str] = {"orderbook": "book", "trade": "trades"}
# Deribit's channels and ours: a ticker has all that a quote has.
_CHANNELS: dict[str, Channel] = {"quote": "ticker", "ticker": "ticker", "book": "orderbook", "trades": "trade"}
_DELETED, _SET = re.compile(rb'\["delete",([^],]+),[^],]+\]'), re.compile(rb'\["(?:new|change)",')
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_Number = Annotated[int, Meta(ge=0, le=2**53)]


class Quote(Struct, gc=False):
    """The best bid and offer, read with numbers that have a point or exponent as text, others as int."""

    instrument_name: str
    timestamp: _Number
    best_bid_price: Any  # 0.0 with the amount 0.0 where there is no bid
    best_bid_amount: Any
    best_ask_price: Any
    best_ask_amount: Any
    last_price: Any = None


class Book(Struct, gc=False):
    """A snapshot or a change."""

    instrument_name: str
    timestamp: _Number
    change_id: _Number
    bids: Raw  # ["new" | "change" | "delete", price, amount]
    asks: Raw
    type: Literal["snapshot", "change"] | None = None  # frames until 2020 lack it
    prev_change_id: _Number | None = None


class Trade(Struct, gc=False):
    """One execution."""

    instrument_name: str
    trade_id: str
    timestamp: _Number
    price: Any
    amount: Any
    direction: TakerSide  # the taker's


class Params(Struct, frozen=True):
    """A notification."""

    channel: str = ""
    data: Raw = Raw(b"null")
    type: str | None = None


class Error(Struct):
    """The error of a request."""

    code: int = 0
    message: str = "no reason"


class Frame(Struct):
    """Data of a channel, a heartbeat, or an answer."""

    method: str | None = None
    params: Params = Params()
    id: int | str | None = None  # no request of ours has a text
    result: Raw = Raw(b"")
    error: Error | None = None


def by_either_name(text: str) -> Symbol:
    """Make a symbol of the user's text, a native or canonical name, by rule.

    Raises :exc:`~tickwire.errors.UnclearSymbol`.
    """
    name = re.sub(r"(?<=\d)D(?=\d)", "d", text.strip().upper())  # the decimal point of a strike
    canonical = _CANONICAL.fullmatch(name.replace("/", "-").replace("_", "-"))
    found = by_native_name(name) or (None if canonical is None else by_native_name(_native(canonical)))
    if found is None:
        raise UnclearSymbol(text, "deribit")
    return found


def by_native_name(native: str) -> Symbol | None:
    """Make a symbol of a native name; None for a combination or an invalid name."""
    found = _NATIVE.fullmatch(native)
    if found is None:
        return None
    base, counter, perpetual, day, month, year, strike, side = found.groups()
    quote, settlement = (counter, counter) if counter else ("USD", base)
    if perpetual:
        return derivative(native, base, quote, settlement)
    if month is None:
        return Symbol(f"{base}-{counter}", native) if counter else None
    if month not in _MONTHS:
        return None
    name = f"{base}-{quote}-{year}{_MONTHS.index(month) + 1:02}{int(day):02}"
    if strike is None:
        return Symbol(name, native, "future", settlement)
    return Symbol(f"{name}-{strike}-{side}", native, "option", settlement)


def _native(canonical: re.Match[str]) -> str:
    """The native name for a canonical one."""
    base, quote, perpetual, year, month, day, option = canonical.groups()
    pair = base if quote == "USD" else f"{base}_{quote}"
    if perpetual:
        return f"{pair}-PERPETUAL"
    return pair if day is None else f"{pair}-{int(day)}{_MONTHS[int(month) - 1]}{year}{option}"


def request_text(number: int, method: str, **params: object) -> bytes:
    """A request of JSON-RPC."""
    return msgspec.json.encode({"jsonrpc": "2.0", "id": number, "method": f"public/{method}", "params": params})


def channel_name(channel: Channel, symbol: Symbol) -> str:
    """The name of a subscription."""
    return f"quote.{symbol.native}" if channel == "ticker" else f"{_NAMES[channel]}.{symbol.native}.100ms"


def channel_of(name: str) -> tuple[Channel | None, str | None]:
    """The channel and the instrument in the name of a subscription, for any interval.

    A book of grouped or of only the best levels (``book.BTC-PERPETUAL.none.10.100ms``) is another channel.
    """
    kind, instrument, *interval = name.split(".") if "." in name else (name, None)
    channel = _CHANNELS.get(kind)
    return (None, None) if channel is None or len(interval) > 1 else (channel, instrument)


def plain_levels(levels: Raw) -> Raw:
    """Levels without their first element; a deleted one has the size 0."""
    text = bytes(levels)
    if b'"delete"' in text:
        text = _DELETED.sub(rb"[\1,0]", text)
    plain = text.replace(b'["change",', b"[").replace(b'["new",', b"[")  # a fifth of the pattern's time
    return Raw(_SET.sub(b"[", plain) if b'"' in plain else plain)
