"""What an exchange's table says of its connections, and how its listing and its address are read."""

from types import SimpleNamespace
from typing import Any, TypeVar, cast

import pytest
from msgspec.structs import replace

from tickwire import exchanges
from tickwire.exchanges import ExchangeModule, kraken
from tickwire.exchanges.contract import Channel, ConnectionPlan, Exchange, Reading, Request, Symbol
from tickwire.exchanges.symbols import Listing

BTC, ETH, SOL = (Symbol(f"{base}-USD", f"{base}/USD") for base in ("BTC", "ETH", "SOL"))
PUBLIC, MARKET = "wss://x.test/public", "wss://x.test/market"
Read = TypeVar("Read")


def exchange(**fields: Any) -> Exchange:
    return replace(kraken.EXCHANGE, ws_url=PUBLIC, symbols_per_connection=2, **fields)


def read(reading: Reading[Read], *bodies: bytes) -> tuple[list[Request], Read]:
    """The requests that *reading* yields where *bodies* answer them, and what it returns."""
    asked = []
    try:
        asked.append(next(reading))
        for body in bodies:
            asked += [reading.send(body)]
    except StopIteration as e:
        return asked, e.value
    raise AssertionError(f"more is asked for: {asked}")


def test_channels_at_one_address_share_connections_of_as_many_symbols_as_one_may_have() -> None:
    assert exchange().plans([BTC, ETH, SOL], ["ticker", "orderbook"]) == [
        ConnectionPlan(PUBLIC, (BTC, ETH), ("ticker", "orderbook")),
        ConnectionPlan(PUBLIC, (SOL,), ("ticker", "orderbook")),
    ]


def test_a_channel_at_an_address_of_its_own_has_connections_of_its_own() -> None:
    assert exchange(ws_urls={"ticker": MARKET}).plans([BTC], ["ticker", "orderbook"]) == [
        ConnectionPlan(MARKET, (BTC,), ("ticker",)),
        ConnectionPlan(PUBLIC, (BTC,), ("orderbook",)),
    ]


@pytest.mark.parametrize(("symbols", "channels"), [([], ["ticker"]), ([BTC], [])])
def test_nothing_to_carry_needs_no_connection(symbols: list[Symbol], channels: list[Channel]) -> None:
    assert exchange().plans(symbols, channels) == []


def module(**names: Any) -> ExchangeModule:
    listed = {b"1": Listing([BTC]), b"2": Listing([ETH]), b"3": Listing([SOL])}
    table = exchange(listing_paths=("/a", "/b"), listing_weight=7)
    return cast("ExchangeModule", SimpleNamespace(EXCHANGE=table, read_listing=listed.__getitem__, **names))


def test_a_listing_is_read_by_one_request_a_path_unless_the_module_has_another_way() -> None:
    first, second = exchanges.listings(module())
    assert [read(part, body)[0] for part, body in ((first, b"1"), (second, b"2"))] == [
        [Request("/a", weight=7)],
        [Request("/b", weight=7)],
    ]


def test_a_listing_may_be_read_by_post_and_page_by_page() -> None:
    def pages() -> Reading[Listing]:
        symbols, cursor = [], b"first"
        while cursor:
            cursor, _, name = (yield Request("/pages", cursor)).partition(b" ")
            symbols.append(Symbol(name.decode(), name.decode()))
        return Listing(symbols)

    (part,) = exchanges.listings(module(listings=lambda: [pages()]))
    asked, listing = read(part, b"next BTC-USD", b" ETH-USD")
    assert asked == [Request("/pages", b"first"), Request("/pages", b"next")]
    assert [symbol.canonical for symbol in listing.symbols] == ["BTC-USD", "ETH-USD"]


def test_an_address_is_the_tables_unless_the_module_asks_for_it() -> None:
    def token(url: str) -> Reading[str]:
        body = yield Request("/token", b"")
        return f"{url}?token={body.decode()}"

    assert read(exchanges.address(module(), PUBLIC)) == ([], PUBLIC)
    assert read(exchanges.address(module(address=token), PUBLIC), b"t") == (
        [Request("/token", b"")],
        f"{PUBLIC}?token=t",
    )
