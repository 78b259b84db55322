"""Avro and Protobuf values of the events in :mod:`record_support`, and their fields as stock libraries have them."""

from typing import Any

import msgspec

from tickwire.events.types import MarketEvent, OrderBook
from tickwire.records.formats import value_format
from tickwire.records.kinds import KIND_OF

HEAD = {"avro": b"\x00\x00\x00\x00\x07", "protobuf": b"\x00\x00\x00\x00\x07\x00"}
GOLDEN = {
    ("ticker", "avro"): (
        b"\x0ebinance\x10BTC-USDT\x0eBTCUSDT\x02\x1065000.10\x02\x061.2\x02\x1065000.20\x02\x060.5"
        b"\x00\x02\xf2\x81\xaa\xfe\x02\x00\xce\x8f\xf2\x81\x83\x89\x85\x06"
    ),
    ("ticker", "protobuf"): (
        b"\x0a\x07binance\x12\x08BTC-USDT\x1a\x07BTCUSDT\x22\x0865000.10\x2a\x031.2"
        b"\x32\x0865000.20\x3a\x030.5\x48\xf9\x80\x95\xbf\x01\x78\xe7\x87\xf9\xc0\xc1\xc4\x82\x03"
    ),
    ("orderbook", "avro"): (
        b"\x10snapshot\x0ckraken\x0eBTC-USD\x0eBTC/USD\x02\x32"
        b"\x04\x0e65000.1\x141.20000000\x0e65000.0\x023\x00\x02\x0e65000.2\x140.50000000\x00"
        b"\x80\xa0\xab\xfe\xf9b\x00\x02\x0cresync\x00\x02\x80\x80\xf2\x81\x83\x89\x85\x06\x82\x80\xf2\x81\x83\x89\x85\x06"
    ),
    ("orderbook", "protobuf"): (
        b"\x08\x01\x12\x06kraken\x1a\x07BTC-USD\x22\x07BTC/USD\x28\x19"
        b"\x32\x15\x0a\x0765000.1\x12\x0a1.20000000\x32\x0c\x0a\x0765000.0\x12\x013\x3a\x15\x0a\x0765000.2\x12\x0a0.50000000"
        b"\x40\x80\xd0\x95\xff\xbc\x31\x52\x06resync\x60\x80\x80\xf9\xc0\xc1\xc4\x82\x03\x78\x81\x80\xf9\xc0\xc1\xc4\x82\x03"
    ),
    ("trade", "avro"): (
        b"\x0ebinance\x10BTC-USDT\x0eBTCUSDT\x0e3482119\x1065000.20\x140.01500000\x06buy"
        b"\x02\x80\x80\xf2\x81\x83\x89\x85\x06\xf0\x81\xf2\x81\x83\x89\x85\x06"
    ),
    ("trade", "protobuf"): (
        b"\x0a\x07binance\x12\x08BTC-USDT\x1a\x07BTCUSDT\x22\x073482119\x2a\x0865000.20\x32\x0a0.01500000\x38\x01"
        b"\x40\x80\x80\xf9\xc0\xc1\xc4\x82\x03\x78\xf8\x80\xf9\xc0\xc1\xc4\x82\x03"
    ),
}


def written(event: MarketEvent, name: str, schema_id: int = 7) -> bytes:
    encode = value_format(name, KIND_OF[type(event)].name, schema_id).encode
    assert encode is not None
    return encode(msgspec.json.encode(event))


def fields_of(event: MarketEvent) -> dict[str, Any]:
    """An event's fields as a stock library has them."""
    fields: dict[str, Any] = msgspec.to_builtins(event)
    del fields["type"]
    for side in ("bids", "asks") if isinstance(event, OrderBook) else ():
        fields[side] = [{"price": price, "size": size} for price, size in fields[side]]
    return fields
