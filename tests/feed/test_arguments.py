"""Wrong arguments of a feed are named as arguments."""

from typing import Any

import pytest

from feed.simulator_support import urls_of
from tickwire import FeedConfig, KafkaConfig, WebSocketDataFeed
from tickwire.errors import InvalidSetting, UnknownSymbol
from tickwire.simulator.server import SimulatedExchange


@pytest.mark.parametrize(
    "arguments",
    [
        {"exchange": 5},
        {"exchange": FeedConfig()},
        {"symbols": 5},
        {"symbols": [5]},
        {"channels": [None]},
        {"feed": "kraken"},
        {"kafka": True},
        {"kafka": {"sasl_password": "secret"}},
    ],
)
def test_an_argument_of_a_wrong_type_is_named(arguments: dict[str, Any]) -> None:
    (name,) = arguments
    with pytest.raises(TypeError, match=f"the argument {name} should be") as error:
        WebSocketDataFeed(**arguments)
    assert "secret" not in str(error.value)


def test_an_argument_with_a_wrong_value_is_named() -> None:
    with pytest.raises(InvalidSetting, match="The argument symbols should be"):
        WebSocketDataFeed(symbols=[])


async def test_an_unknown_symbol_is_looked_for_where_it_was_given() -> None:
    async with SimulatedExchange("kraken", symbols=["BTC-USD"]) as exchange:
        config = FeedConfig(exchange="kraken", symbols=["NO/PE"], urls=urls_of(exchange))
        off = KafkaConfig(enabled=False)
        with pytest.raises(UnknownSymbol, match="the argument symbols"):
            await WebSocketDataFeed(symbols=["NO/PE"], feed=config, kafka=off).run()
        with pytest.raises(UnknownSymbol, match="FEED_SYMBOLS"):
            await WebSocketDataFeed(feed=config, kafka=off).run()
