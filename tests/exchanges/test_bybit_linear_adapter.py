"""Bybit's contracts: names from the listing and by rule, and how many topics a request has."""

import msgspec
import pytest

from tickwire.errors import UnclearSymbol
from tickwire.exchanges.bybit_linear import Adapter, derive, read_listing
from tickwire.exchanges.contract import Send, Symbol

TETHER = Symbol("BTC-USDT-PERP", "BTCUSDT", "perpetual", "USDT")
COIN = Symbol("BTC-USDC-PERP", "BTCPERP", "perpetual", "USDC")
DATED = Symbol("BTC-USDT-261225", "BTCUSDT-25DEC26", "future", "USDT")
DATED_COIN = Symbol("BTC-USDC-261225", "BTC-25DEC26", "future", "USDC")
ALL = [TETHER, COIN, DATED, DATED_COIN]
ENDS = "1798185600000"  # 2026-12-25, 8:00


def test_a_contract_is_named_by_its_kind_and_the_day_on_which_it_ends() -> None:
    """A perpetual contract that is to be delisted has a time at which it ends, too."""
    rows = [
        (TETHER, "LinearPerpetual", "USDT", ENDS),
        (COIN, "LinearPerpetual", "USDC", "0"),
        (DATED, "LinearFutures", "USDT", ENDS),
        (DATED_COIN, "LinearFutures", "USDC", ENDS),
    ]
    listed = [
        {
            "symbol": symbol.native,
            "contractType": kind,
            "status": "Trading",
            "baseCoin": "BTC",
            "quoteCoin": quote,
            "settleCoin": quote,
            "deliveryTime": ends,
        }
        for symbol, kind, quote, ends in rows
    ]
    body = {"retCode": 0, "retMsg": "OK", "result": {"list": listed, "nextPageCursor": ""}}
    assert list(read_listing(msgspec.json.encode(body)).symbols) == ALL


@pytest.mark.parametrize("symbol", ALL)
def test_a_name_by_rule_is_the_listings(symbol: Symbol) -> None:
    assert derive(symbol.canonical) == derive(symbol.canonical.lower()) == symbol


def test_the_exchanges_own_name_of_the_most_usual_kind_needs_no_listing() -> None:
    assert derive("BTCUSDT") == TETHER


@pytest.mark.parametrize("text", ["BTCPERP", "BTC-25DEC26", "BTCUSDT-25DEC26", "BTC-EUR-PERP", "BTC-USDT-261325"])
def test_what_would_be_a_guess_is_refused(text: str) -> None:
    with pytest.raises(UnclearSymbol):
        derive(text)


def test_a_request_is_not_bound_to_ten_topics() -> None:
    outputs = Adapter([Symbol(f"A{i}-USDT-PERP", f"A{i}USDT") for i in range(50)], ["ticker", "orderbook"], 50).start()
    assert [len(msgspec.json.decode(o.payload)["args"]) for o in outputs if isinstance(o, Send)] == [100]
