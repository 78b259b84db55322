"""Several exchanges in one set of settings: which are read, and what is whose."""

import re
from pathlib import Path

import pytest

from tickwire.config.loading import load_feed, load_feeds, origins
from tickwire.errors import InvalidSetting, SettingsError

TABLES = """
[[feed]]
exchange = "binance"
symbols = ["BTC-USDT"]
orderbook_depth = 100
[[feed]]
exchange = "kraken"
symbols = "BTC-USD,ETH-USD"
channels = ["ticker"]
"""


def write(text: str) -> None:
    Path("tickwire.toml").write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("exchange", "symbols", "read"),
    [
        ("binance,kraken", "BTC-USDT", {"binance": ("BTC-USDT",), "kraken": ("BTC-USDT",)}),
        ("binance,kraken", "binance:BTCUSDT,kraken:BTC/USD", {"binance": ("BTCUSDT",), "kraken": ("BTC/USD",)}),
        ("kraken, Binance", "KRAKEN:A,\nB", {"kraken": ("A", "B"), "binance": ("B",)}),
        ("kraken,kraken", "kraken:A,A,B", {"kraken": ("A", "B")}),
        ("binance,kraken", "ALL,kraken:!*-EUR", {"binance": ("ALL",), "kraken": ("ALL", "!*-EUR")}),
        ("binance,kraken", "ALL,!kraken:*-EUR", {"binance": ("ALL",), "kraken": ("ALL", "!*-EUR")}),
        ("kraken", "kraken:BTC-USD", {"kraken": ("BTC-USD",)}),
        ("bitfinex", "tBTCF0:USTF0,tDUSK:USD", {"bitfinex": ("tBTCF0:USTF0", "tDUSK:USD")}),
        ("bitfinex,kraken", "bitfinex:tDUSK:USD,kraken:A", {"bitfinex": ("tDUSK:USD",), "kraken": ("A",)}),
    ],
)
def test_a_symbol_is_of_the_exchange_before_it_or_of_each(
    exchange: str, symbols: str, read: dict[str, tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {c.exchange: c.symbols for c in load_feeds({"exchange": exchange, "symbols": symbols})} == read
    monkeypatch.setenv("FEED_EXCHANGE", exchange)
    monkeypatch.setenv("FEED_SYMBOLS", symbols)
    assert {c.exchange: c.symbols for c in load_feeds()} == read


def test_each_table_of_the_file_is_a_feed_and_flags_and_environment_are_for_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write(TABLES)
    one, other = load_feeds()
    assert (one.exchange, one.symbols, one.channels, one.orderbook_depth) == (
        "binance", ("BTC-USDT",), ("ticker", "orderbook"), 100,
    )  # fmt: skip
    assert (other.exchange, other.symbols, other.channels, other.orderbook_depth) == (
        "kraken", ("BTC-USD", "ETH-USD"), ("ticker",), 25,
    )  # fmt: skip
    monkeypatch.setenv("FEED_ORDERBOOK_DEPTH", "10")
    assert [config.orderbook_depth for config in load_feeds({"channels": "orderbook"})] == [10, 10]
    assert [config.channels for config in load_feeds({"channels": "orderbook"})] == [("orderbook",)] * 2


def test_the_exchange_that_is_asked_for_chooses_its_table() -> None:
    write(TABLES)
    assert load_feed({"exchange": "kraken"}).symbols == ("BTC-USD", "ETH-USD")
    okx, binance = load_feeds({"exchange": "okx,binance"})
    assert (okx.exchange, okx.orderbook_depth, okx.symbols) == ("okx", 25, ("BTCUSDT",))
    assert (binance.exchange, binance.orderbook_depth, binance.symbols) == ("binance", 100, ("BTC-USDT",))


def test_the_one_table_is_for_every_exchange() -> None:
    write('[feed]\nexchange = ["binance", "kraken"]\nsymbols = ["kraken:BTC-USD", "ETH-USDT"]\norderbook_depth = 5')
    assert [(c.exchange, c.symbols, c.orderbook_depth) for c in load_feeds()] == [
        ("binance", ("ETH-USDT",), 5),
        ("kraken", ("BTC-USD", "ETH-USDT"), 5),
    ]
    (okx,) = load_feeds({"exchange": "okx"})  # what is for others does not concern it
    assert (okx.exchange, okx.symbols) == ("okx", ("ETH-USDT",))


@pytest.mark.parametrize(
    ("file", "flags", "says"),
    [
        ("", {"exchange": "binance,kraken", "symbols": "okx:A,B"}, "'okx:A', and nothing is read of 'okx'"),
        ("", {"exchange": "binance,kraken", "symbols": "kraken:A"}, "no symbol of 'binance'"),
        ('[[feed]]\nsymbols = "A"', {}, "every [[feed]] needs an exchange"),
        ('[[feed]]\nexchange = "okx"\n[[feed]]\nexchange = ["kraken", "okx"]', {}, "'okx' is in two [[feed]] tables"),
        ("feed = [1]", {}, "feed should be a table"),
        ("feed = []", {}, "feed should be a table"),
        ('[[feed]]\nexchange = "okx"\nchanels = ["ticker"]', {}, "'chanels': the closest name is channels"),
        ('[[feed]]\nexchange = "okx"\ndepth = 5', {}, "'depth': the closest name is orderbook_depth"),
        ('[[feed]]\nexchange = "okx"\nsymbols = []', {}, "at least one name"),
        ('[[feed]]\nexchange = "okx"\nsymbols = ["!!"]', {}, "'!' only in front"),
        ("", {"exchange": "okx", "symbols": "okx:"}, "a symbol is missing"),
        ("", {"exchange": "okx", "symbols": ":"}, "a symbol is missing"),
        ("", {"exchange": "okx", "symbols": "!kraken:*"}, "nothing is read of 'kraken'"),
        ('[[kafka]]\nbrokers = "a:1"\n[[feed]]\nexchange = "okx"\norderbook_depth = 0', {}, "FEED_ORDERBOOK_DEPTH"),
        ("", {"exchange": "okx,kra\rken"}, "control characters"),
        ("", {"exchange": " , "}, "FEED_EXCHANGE"),
        ("[feed]\nexchange = 5", {}, "FEED_EXCHANGE"),
        ('[feed]\nsymbols = [5, "kraken:A"]', {}, "FEED_SYMBOLS"),
    ],
)
def test_what_does_not_fit_together_is_one_sentence(file: str, flags: dict[str, str], says: str) -> None:
    write(file)
    with pytest.raises((SettingsError, InvalidSetting), match=re.escape(says)):
        load_feeds(flags)


def test_who_reads_one_exchange_says_which() -> None:
    with pytest.raises(SettingsError, match=r"several exchanges \(binance, kraken\)"):
        load_feed({"exchange": "binance,kraken"})


def test_settings_that_differ_are_shown_with_their_exchange() -> None:
    write(TABLES)
    rows = {row.variable: (row.value, row.origin) for row in origins() if row.variable.startswith("FEED_")}
    file = "file tickwire.toml"
    assert rows["FEED_SYMBOLS[binance]"] == ("BTC-USDT", file)
    assert rows["FEED_SYMBOLS[kraken]"] == ("BTC-USD,ETH-USD", file)
    assert rows["FEED_CHANNELS[kraken]"] == ("ticker", file)
    assert rows["FEED_ORDERBOOK_MODE"] == ("delta", "default")
    assert rows["FEED_EXCHANGE"] == ("binance,kraken", file)
