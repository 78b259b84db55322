"""The benchmark's frames are such that the product accepts every one of them."""

from typing import cast

import pytest
from bench import frames
from bench.frames import Feed
from bench.stages import STAGES, payloads

from recordings import books
from tickwire import exchanges
from tickwire.events.types import Ticker
from tickwire.exchanges.contract import AdapterContract, Channel, Fetch, Output, Symbol


def adapter_of(feed: Feed) -> AdapterContract:
    module = exchanges.load(feed.exchange)
    symbols = [module.derive(name) if "/" in name else Symbol(f"{name[:-4]}-USDT", name) for name in feed.symbols]
    return module.Adapter(symbols, [cast("Channel", feed.channel)], 25)


def outputs_of(feed: Feed) -> list[Output]:
    adapter = adapter_of(feed)
    adapter.start()
    outputs: list[Output] = []
    for payload in payloads(feed.first):
        outputs += adapter.receive(payload, 1)
    for output in outputs.copy():
        if isinstance(output, Fetch):
            outputs += adapter.fetched(output, feed.bodies[output.path.partition("&")[0]], 1)
    for payload in payloads(feed.frames):
        outputs += adapter.receive(payload, 1)
    return outputs


@pytest.mark.parametrize(
    "feed", [frames.binance_tickers(100, frames.names(7)), frames.kraken_tickers(100, 7)], ids=["binance", "kraken"]
)
def test_every_ticker_is_one(feed: Feed) -> None:
    assert sum(isinstance(o, Ticker) for o in outputs_of(feed)) == 100


@pytest.mark.parametrize(
    "feed", [frames.binance_deltas(300, frames.names(3)), frames.kraken_deltas(300, 3)], ids=["binance", "kraken"]
)
def test_every_change_follows_on_the_one_before_and_fits_its_checksum(feed: Feed) -> None:
    """Nothing is refused, and each book begins once and is never invalid."""
    messages = books(outputs_of(feed))
    assert sum(m.action == "snapshot" for m in messages) == 3
    assert sum(m.action == "delta" for m in messages) >= 300
    assert all(m.action != "invalid" for m in messages)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_can_run_again_and_again(stage: str) -> None:
    run = STAGES[stage]()
    first = run()
    assert first
    assert len(run()) == len(first)  # type: ignore[arg-type]
