"""What Hyperliquid lists, asked for by POST: its own contracts, spot pairs, and the contracts of builders."""

import msgspec
from msgspec import Struct

from tickwire.exchanges.contract import Reading, Request, Symbol, decoded, malformed
from tickwire.exchanges.symbols import Listing, derivative, joined

WEIGHT = 20  # of a request, of 1200 a minute
_MOST_BUILDERS = 100  # whose contracts are listed


class _Contract(Struct):
    name: str
    is_delisted: bool = msgspec.field(name="isDelisted", default=False)


class _Contracts(Struct):
    universe: list[_Contract]
    collateral: int = msgspec.field(name="collateralToken", default=0)


class _Token(Struct):
    name: str
    index: int


class _Pair(Struct):
    name: str
    tokens: tuple[int, int]


class _Pairs(Struct):
    tokens: list[_Token]
    universe: list[_Pair]


class _Builder(Struct):
    name: str


_decode_contracts = msgspec.json.Decoder(_Contracts).decode
_decode_pairs = msgspec.json.Decoder(_Pairs).decode
_decode_builders = msgspec.json.Decoder(list[_Builder | None]).decode


def listings() -> list[Reading[Listing]]:
    """The exchange's own contracts, spot, and the contracts of builders."""
    return [_contracts(), _spot(), _builders()]


def read_listing(body: bytes) -> Listing:
    """Read ``meta``, the exchange's own contracts. Raises :exc:`~tickwire.errors.FrameRejected`."""
    return _read_contracts(body, {0: "USDC"})


def _contracts() -> Reading[Listing]:
    return read_listing((yield _info(type="meta")))


def _spot() -> Reading[Listing]:
    pairs = decoded("spotMeta", _decode_pairs, (yield _info(type="spotMeta")))
    names = {token.index: token.name for token in pairs.tokens}
    named = [(pair.name, names.get(base), names.get(quote)) for pair in pairs.universe for base, quote in [pair.tokens]]
    symbols = {
        f"{base}-{quote}": Symbol(f"{base}-{quote}", name) for name, base, quote in reversed(named) if base and quote
    }
    return Listing(symbols.values())  # of several pairs with the same name the first one counts


def _builders() -> Reading[Listing]:
    tokens = decoded("spotMeta", _decode_pairs, (yield _info(type="spotMeta"))).tokens
    builders = decoded("perpDexs", _decode_builders, (yield _info(type="perpDexs")))
    parts: list[Listing] = []
    for builder in filter(None, builders[:_MOST_BUILDERS]):
        body = yield _info(type="meta", dex=builder.name)
        parts.append(_read_contracts(body, {token.index: token.name for token in tokens}))
    return joined(parts)


def _info(**question: str) -> Request:
    return Request("/info", msgspec.json.encode(question), WEIGHT)


def _read_contracts(body: bytes, tokens: dict[int, str]) -> Listing:
    """Read contracts; their sizes are in the base, their prices in the settlement asset."""
    contracts = decoded("meta", _decode_contracts, body)
    quote = tokens.get(contracts.collateral)
    if quote is None:
        raise malformed("meta", f"the collateral {contracts.collateral}, which is no token")
    symbols = [derivative(each.name, each.name, quote, quote) for each in contracts.universe]
    return Listing(symbols, resting={each.name: "delisted" for each in contracts.universe if each.is_delisted})
