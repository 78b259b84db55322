"""OKX spot: ``bbo-tbt`` (best bid and offer), ``books`` (400 levels a side) and ``trades``. Sizes are in the base.

Channels: https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-order-book-channel
Instruments: https://www.okx.com/docs-v5/en/#public-data-rest-api-get-instruments

Unconfirmed: whether the first message of ``trades`` is still the last execution from before the subscription, as in a
recording of 2022. It leaves as a trade, because nothing in it tells it from a new one.
"""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from tickwire.exchanges import contract
from tickwire.exchanges._okx import OkxAdapter
from tickwire.exchanges.contract import Symbol, decoded, malformed
from tickwire.exchanges.symbols import Listing, named_by_rule

EXCHANGE = contract.Exchange(
    name="okx",
    ws_url="wss://ws.okx.com:8443/ws/v5/public",
    rest_url="https://www.okx.com",
    listing_paths=("/api/v5/public/instruments?instType=SPOT",),
    symbols_per_connection=30,  # "fewer than 30 book channels a connection" is advised
    message_interval_s=0.35,  # 480 subscriptions an hour and connection, 3 requests a second
    connect_interval_s=0.4,  # 3 attempts a second from one address
    rest_limits=(contract.Limit(20, 2.0), contract.Limit(40, 2.0, "books")),
    ping_interval_s=20.0,  # closed by the exchange after 30 s without a frame
    silence_s=30.0,
    book_depths=(400,),
    checks=("sequence",),
)


class Listed(Struct, rename="camel"):
    """One instrument; fields of other kinds are empty."""

    inst_id: str
    state: str
    base_ccy: str = ""
    quote_ccy: str = ""
    settle_ccy: str = ""
    inst_family: str = ""
    uly: str = ""
    ct_type: str = ""
    ct_val: str = ""
    ct_mult: str = ""
    ct_val_ccy: str = ""


class _Instruments(Struct):
    code: str
    msg: str = ""
    data: list[Listed] = []


_decode_listing = msgspec.json.Decoder(_Instruments).decode


def read_instruments(body: bytes) -> list[Listed]:
    """Read ``/api/v5/public/instruments``. Raises :exc:`~tickwire.errors.FrameRejected`."""
    instruments = decoded("instruments", _decode_listing, body)
    if instruments.code != "0":
        raise malformed("instruments", f"the exchange answered {instruments.code} {instruments.msg!r}")
    return instruments.data


def resting(listed: Sequence[Listed]) -> dict[str, str]:
    """Instruments that do not trade now, with their state."""
    return {instrument.inst_id: instrument.state for instrument in listed if instrument.state != "live"}


def read_listing(body: bytes) -> Listing:
    """Read the instruments. Raises :exc:`~tickwire.errors.FrameRejected`."""
    listed = read_instruments(body)
    spot = [Symbol(f"{i.base_ccy}-{i.quote_ccy}", i.inst_id) for i in listed if i.base_ccy and i.quote_ccy]
    return Listing(spot, resting=resting(listed))


derive = named_by_rule(EXCHANGE.name, "{}-{}".format)


class Adapter(OkxAdapter):
    """One connection for spot."""

    exchange = EXCHANGE
