"""OKX perpetual swaps, linear and inverse: ``bbo-tbt`` (best bid and offer), ``books`` and ``trades``.

Channels: https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-order-book-channel
Contract sizes: https://www.okx.com/docs-v5/en/#public-data-rest-api-get-instruments

The exchange counts contracts of ``ctVal`` times ``ctMult``. Sizes leave in the base for linear swaps, and in the quote
(USD) for inverse ones. Families such as ``BTC-USD_UM`` keep their quote's name; that all of them are linear is
unconfirmed, and nothing relies on it. The first message of ``trades`` is as in spot: perhaps of before.
"""

from msgspec.structs import replace

from tickwire.errors import UnknownContractSize
from tickwire.events.decimals import product
from tickwire.exchanges import okx
from tickwire.exchanges._okx import OkxAdapter
from tickwire.exchanges.contract import Symbol, malformed
from tickwire.exchanges.okx import Listed, read_instruments, resting
from tickwire.exchanges.symbols import Listing, derivative

EXCHANGE = replace(
    okx.EXCHANGE,
    name="okx_swap",
    listing_paths=("/api/v5/public/instruments?instType=SWAP",),
    sizes="base; quote where inverse",
)


def read_listing(body: bytes) -> Listing:
    """Read the instruments whose contracts are an amount of base or quote. Raises FrameRejected."""
    listed = [instrument for instrument in read_instruments(body) if _convertible(instrument)]
    return Listing(map(_named, listed), resting=resting(listed))


def derive(symbol: str) -> Symbol:
    """Refuse, because only the listing has contract sizes. Raises UnknownContractSize."""
    raise UnknownContractSize(symbol, EXCHANGE.name)


class Adapter(OkxAdapter):
    """One connection for swaps."""

    exchange = EXCHANGE


def _family(listed: Listed) -> str:
    return listed.inst_family or listed.uly  # the family was added in 2022


def _convertible(listed: Listed) -> bool:
    if not (listed.ct_val and listed.ct_mult):  # not fixed before the first day of trading
        return False
    base, _, quote = _family(listed).partition("-")
    if listed.ct_type == "inverse":
        return listed.ct_val_ccy == quote and listed.settle_ccy == base
    return listed.ct_type == "linear" and listed.ct_val_ccy == base != listed.settle_ccy


def _named(listed: Listed) -> Symbol:
    base, _, quote = _family(listed).partition("-")
    try:
        size = product(listed.ct_val, listed.ct_mult)
    except ValueError as e:
        raise malformed(f"contract of {listed.inst_id}", e) from None
    return derivative(listed.inst_id, base, quote, listed.settle_ccy, size)
