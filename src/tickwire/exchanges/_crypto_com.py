"""What Crypto.com lists: spot, and contracts whose sizes are in the base.

Listing: https://exchange-docs.crypto.com/exchange/v1/rest-ws/index.html#public-get-instruments
"""

import msgspec
from msgspec import Struct

from tickwire.exchanges.contract import Symbol, decoded
from tickwire.exchanges.symbols import Listing, derivative, split_derivative

_CONTRACTS = {"PERPETUAL_SWAP", "FUTURE"}


class _Listed(Struct):
    symbol: str
    inst_type: str
    base_ccy: str
    quote_ccy: str
    tradable: bool = True
    expiry_timestamp_ms: int = 0


class _Instruments(Struct):
    data: list[_Listed]


class _Answer(Struct):
    result: _Instruments


_decode_listing = msgspec.json.Decoder(_Answer).decode


def read_listing(body: bytes) -> Listing:
    """Read ``public/get-instruments``. Raises :exc:`~tickwire.errors.FrameRejected`."""
    listed = decoded("instruments", _decode_listing, body).result.data
    symbols = [_named(each) for each in listed if each.inst_type == "CCY_PAIR" or each.inst_type in _CONTRACTS]
    return Listing(symbols, resting={each.symbol: "not tradable" for each in listed if not each.tradable})


def derive(symbol: str) -> Symbol:
    """Name a symbol by rule: a contract where it says so. Raises :exc:`~tickwire.errors.UnclearSymbol`."""
    base, quote, end = split_derivative(symbol.upper(), "crypto_com")
    if end != "PERP":
        return Symbol(f"{base}-{quote}-{end}", f"{base}{quote}-{end}", "future", quote)
    if symbol.strip().upper().endswith("-PERP"):
        return Symbol(f"{base}-{quote}-PERP", f"{base}{quote}-PERP", "perpetual", quote)
    return Symbol(f"{base}-{quote}", f"{base}_{quote}")


def _named(listed: _Listed) -> Symbol:
    base, quote = listed.base_ccy, listed.quote_ccy
    if listed.inst_type == "CCY_PAIR":
        return Symbol(f"{base}-{quote}", listed.symbol)
    expires_ms = listed.expiry_timestamp_ms if listed.inst_type == "FUTURE" else None
    return derivative(listed.symbol, base, quote, quote, expires_ms=expires_ms)
