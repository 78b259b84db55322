"""The dialect of OKX's swaps, without sockets: what it adds to spot's."""

import json
from random import Random

from tickwire.events.decimals import product
from tickwire.exchanges.okx_swap import EXCHANGE, read_listing
from tickwire.simulator.dialects.okx_swap import Dialect
from tickwire.simulator.server import SimulatedExchange


def test_the_listing_has_linear_swaps_with_the_size_of_their_contracts() -> None:
    path, query = EXCHANGE.listing_paths[0].split("?")
    asked = dict([query.split("=")])
    listing = read_listing(Dialect(2, Random(1)).rest(path, asked, 0, stale=False).body.encode())
    assert [(s.canonical, s.native, s.kind, s.settlement, s.contract_size) for s in listing.symbols] == [
        ("BTC-USDT-PERP", "BTC-USDT-SWAP", "perpetual", "USDT", "0.01"),
        ("ETH-USDT-PERP", "ETH-USDT-SWAP", "perpetual", "USDT", "0.01"),
    ]
    assert json.loads(Dialect(2, Random(1)).rest(path, {"instType": "SPOT"}, 0, stale=False).body)["data"] == []


def test_its_true_books_are_in_the_base_and_its_messages_in_contracts() -> None:
    exchange = SimulatedExchange("okx_swap", symbols=1)
    session = exchange.dialect.open("/ws/v5/public", {})
    assert session is not None
    asked = {"op": "subscribe", "args": [{"channel": "books", "instId": "BTC-USDT-SWAP"}]}
    said = json.loads(session.receive(json.dumps(asked), 0)[1])["data"][0]
    true = exchange.books(400)["BTC-USDT-PERP"]
    assert [[price, product(size, "0.01")] for price, size, *_ in said["bids"]] == true["bids"]
    assert said["bids"][0][1] != true["bids"][0][1]
