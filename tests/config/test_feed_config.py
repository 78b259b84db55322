"""What FeedConfig accepts, alone and together."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickwire.config.feed_config import FeedConfig
from tickwire.errors import InvalidSetting, SettingsError


def refusal(**values: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        FeedConfig(**values)
    return str(caught.value)


def test_the_defaults_are_those_of_the_specification() -> None:
    assert FeedConfig().model_dump() == {
        "exchange": "binance",
        "symbols": ("BTCUSDT",),
        "channels": ("ticker", "orderbook"),
        "orderbook_mode": "delta",
        "orderbook_depth": 25,
        "orderbook_interval_ms": 0,
        "orderbook_keep": 5000,
        "orderbook_keyframe_seconds": 60,
        "first_message_seconds": 30,
        "listing_seconds": 3600,
        "urls": {},
    }


def test_lists_are_split_in_order_without_blanks_and_repetitions() -> None:
    config = FeedConfig(symbols=" B/USD,A/USD,,B/USD, ", channels=["ticker", "ticker"])
    assert config.symbols == ("B/USD", "A/USD")
    assert config.channels == ("ticker",)


@given(
    st.lists(
        st.text(st.characters(blacklist_characters=",")).filter(lambda text: text.strip() == text != ""), min_size=1
    )
)
def test_a_comma_list_keeps_every_name_once_and_in_order(names: list[str]) -> None:
    assert FeedConfig(channels=",".join(names)).channels == tuple(dict.fromkeys(names))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("symbols", ","),
        ("symbols", []),
        ("symbols", 5),
        ("symbols", ["A", 5]),
        ("channels", " "),
        ("exchange", " "),
        ("orderbook_mode", "full"),
        ("orderbook_depth", 0),
        ("orderbook_interval_ms", -1),
        ("orderbook_keyframe_seconds", -1),
    ],
)
def test_a_wrong_value_is_refused_by_its_variable(name: str, value: Any) -> None:
    with pytest.raises(InvalidSetting) as caught:
        FeedConfig(**{name: value})
    assert caught.value.variable == f"FEED_{name.upper()}"


def test_an_interval_is_for_snapshot_mode_alone() -> None:
    assert FeedConfig(orderbook_mode="snapshot", orderbook_interval_ms=100).orderbook_interval_ms == 100
    assert "FEED_ORDERBOOK_MODE=snapshot" in refusal(orderbook_interval_ms=100)


def test_addresses_are_found_by_exchange() -> None:
    config = FeedConfig(urls={"kraken_ws_url": "ws://127.0.0.1:1", "binance_usdm_rest_url": "https://proxy/"})
    assert config.ws_url("kraken") == "ws://127.0.0.1:1"
    assert config.rest_url("binance_usdm") == "https://proxy/"
    assert config.rest_url("kraken") is None
    assert config.ws_url("binance_usdm") is None


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("kraken_ws_url", "https://a"),
        ("kraken_rest_url", "ws://a"),
        ("kraken_ws_url", "a:80"),
        ("kraken_ws_url", "ws://"),
        ("kraken_ws_url", "ws://a:0"),
        ("kraken_ws_url", "ws://a:65536"),
        ("kraken_ws_url", "ws://[::1"),
        ("kraken_ws_url", "ws://a b"),
        ("kraken_ws_url", "ws://a/v2"),
        ("kraken_ws_url", "ws://a?x=1"),
        ("kraken_ws_url", "ws://a#x"),
        ("kraken_ws_url", 5),
        ("kraken_ws_url", "ws://user:canary-5e1f@a"),
    ],
)
def test_wrong_addresses_are_refused_by_their_variable_and_without_passwords(name: str, url: Any) -> None:
    message = refusal(urls={name: url})
    assert f"FEED_{name.upper()}" in message
    assert "canary-5e1f" not in message


def test_an_address_for_nothing_is_refused() -> None:
    assert "kraken_url" in refusal(urls={"kraken_url": "ws://a"})


@pytest.mark.parametrize(
    "text", ["!", "!!", "!!BTC*", "*!*", "!?!", "BTC USDT", "BTC\tUSDT", "[x", "*[", "BTC-{A}", ":", "-", "!-"]
)
def test_what_can_be_no_name_and_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(InvalidSetting, match="FEED_SYMBOLS should be names and patterns") as refused:
        FeedConfig(symbols=f"BTC-USDT,{text}")
    assert f"(see {text!r})" in str(refused.value)


@pytest.mark.parametrize("text", ["!*", "!ALL", "*,!*", "all,!all", "*-USDT,!**"])
def test_patterns_that_leave_nothing_are_refused(text: str) -> None:
    with pytest.raises(InvalidSetting, match="excludes all"):
        FeedConfig(symbols=text)


@pytest.mark.parametrize(
    "text",
    ["BTCUSDT", "BTC/USD", "tBTCF0:USTF0", "币安人生USDT", "@107", "BTC_USDC-PERPETUAL", "!*-BUSD", "**", "?*", "A,!*"],
)
def test_what_exchanges_list_and_patterns_of_it_are_taken(text: str) -> None:
    assert ",".join(FeedConfig(symbols=text).symbols) == text
