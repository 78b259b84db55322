"""Every fault does what it says, and the exchange tells the truth before and after it."""

from random import Random
from typing import Any

import aiohttp
import pytest

from simulator.clients import reading
from support import aeventually
from tickwire.errors import UsageError
from tickwire.simulator.faults import Fault, Faults, parse_fault
from tickwire.simulator.server import SimulatedExchange

BOTH = pytest.mark.parametrize("dialect", ["binance", "kraken"])


@BOTH
@pytest.mark.parametrize("name", ["skip", "corrupt"])
async def test_a_lost_message_is_a_gap_that_the_client_sees(dialect: str, name: str) -> None:
    async with SimulatedExchange(dialect, 2, 2000, seed=5) as exchange, reading(exchange) as reader:
        await aeventually(lambda: reader.frames > 100, "frames")
        assert reader.gaps == 0

        def lose() -> int:  # again and again, because the next message may say anew all that was lost
            exchange.inject(name)
            return int(reader.gaps)

        await aeventually(lose, "a gap")
        assert set(exchange.stats["faults"]) == {name}
        assert bool(reader.broken) == (name == "corrupt")


@BOTH
async def test_a_gap_at_the_very_end_is_shown_before_the_market_stops(dialect: str) -> None:
    async with SimulatedExchange(dialect, 1, 1000, seed=5) as exchange, reading(exchange) as reader:
        await aeventually(lambda: reader.frames > 100, "frames")  # without one before it, nobody can see a gap
        for _ in range(100_000):  # so that every message is lost until the market stops
            exchange.inject("skip")
        await aeventually(lambda: exchange.stats["faults"], "a fault")
        await exchange.freeze()
        await aeventually(lambda: reader.gaps, "a gap")


async def test_a_client_recovers_from_many_losses() -> None:
    async with (
        SimulatedExchange("binance", 2, 2000, seed=5, faults=["skip=0.01"]) as exchange,
        reading(exchange) as reader,
        aiohttp.ClientSession() as session,
    ):
        await aeventually(lambda: exchange.stats["faults"].get("skip", 0) > 5, "losses")
        await exchange.freeze()
        await aeventually(lambda: reader.gaps > 0, "gaps")
        await reader.synchronise(session)
        await aeventually(reader.equal, "equal books")


@BOTH
@pytest.mark.parametrize("name", ["duplicate", "unknown", "slow"])
async def test_a_harmless_fault_does_no_harm(dialect: str, name: str) -> None:
    async with SimulatedExchange(dialect, 2, 1000, seed=5) as exchange, reading(exchange) as reader:
        await aeventually(lambda: reader.frames > 100, "frames")
        exchange.inject(name)
        await aeventually(lambda: exchange.stats["faults"] == {name: 1}, "the fault")
        before = reader.frames
        await aeventually(lambda: reader.frames > before + 100, "frames afterwards")
        await exchange.freeze()
        await aeventually(reader.equal, "equal books")
        assert (reader.gaps, reader.broken) == (0, [])


async def test_binary_frames_come_between_true_ones() -> None:
    async with SimulatedExchange("binance", 1, 500) as exchange, reading(exchange) as reader:
        exchange.inject("binary")
        await aeventually(lambda: reader.broken, "a binary frame")
        assert reader.broken == [bytes(range(256))]
        await exchange.freeze()
        await aeventually(reader.equal, "equal books")


async def test_an_oversize_frame_is_too_big_for_the_client() -> None:
    async with SimulatedExchange("binance", 1, 500) as exchange, reading(exchange) as reader:
        exchange.inject("oversize")
        await aeventually(lambda: reader.ended, "the end of the connection")
        assert "1009" in reader.ended


async def test_a_wrong_checksum_comes_over_a_right_book() -> None:
    async with SimulatedExchange("kraken", 1, 500) as exchange, reading(exchange) as reader:
        await aeventually(lambda: reader.frames > 20, "frames")
        exchange.inject("checksum")
        await aeventually(lambda: reader.gaps, "a wrong checksum")
        await exchange.freeze()
        await aeventually(reader.equal, "equal books")
        assert reader.gaps == 1


@BOTH
async def test_a_dropped_connection_ends_and_a_new_one_is_served(dialect: str) -> None:
    async with SimulatedExchange(dialect, 1, 500, faults=["drop=1s"]) as exchange:
        async with reading(exchange) as reader:
            await aeventually(lambda: reader.ended, "the end of the connection")
        async with reading(exchange) as reader:
            await aeventually(lambda: reader.frames > 10, "frames")


@BOTH
async def test_a_mute_book_stops_and_all_else_goes_on(dialect: str) -> None:
    async with SimulatedExchange(dialect, 1, 500) as exchange, reading(exchange) as reader:
        await aeventually(lambda: reader.frames > 20, "frames")
        exchange.inject("mute")
        await aeventually(lambda: exchange.stats["faults"] == {"mute": 1}, "the fault")
        sent = exchange.stats["frames"]
        await aeventually(lambda: exchange.stats["frames"]["ticker"] > sent["ticker"] + 20, "tickers")
        assert exchange.stats["frames"]["book"] == sent["book"]
        await exchange.freeze()
        assert reader.gaps == 0


@pytest.mark.parametrize("name", ["silence", "deaf"])
async def test_a_silent_connection_says_nothing_and_only_the_deaf_one_has_no_pong(name: str) -> None:
    async with SimulatedExchange("binance", 1, 500) as exchange, reading(exchange, autoping=False) as reader:
        pongs: list[bytes] = []
        receive = reader.socket.receive

        async def listen() -> Any:
            message = await receive()
            if message.type is aiohttp.WSMsgType.PONG:
                pongs.append(message.data)
            return message

        reader.socket.receive = listen
        await aeventually(lambda: reader.frames > 20, "frames")
        exchange.inject(name)
        await aeventually(lambda: exchange.stats["faults"] == {name: 1}, "the fault")
        async with reading(exchange) as other:  # everything of before has arrived when another connection works
            await aeventually(lambda: other.frames > 20, "frames of the other client")
            silent_at = reader.frames
            await reader.socket.ping(b"anyone?")
            await aeventually(lambda: other.frames > 200, "frames of the other client")
        assert reader.frames == silent_at
        assert pongs == ([b"anyone?"] if name == "silence" else [])


@pytest.mark.parametrize(("name", "status"), [("rest429", 429), ("rest418", 418), ("rest503", 503)])
@BOTH
async def test_rest_refuses_once_and_says_when_to_come_again(dialect: str, name: str, status: int) -> None:
    path = {"binance": "/api/v3/exchangeInfo", "kraken": "/0/public/AssetPairs"}[dialect]
    async with SimulatedExchange(dialect, 1) as exchange, aiohttp.ClientSession() as session:
        exchange.inject(name)
        async with session.get(exchange.rest_url + path) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (status, "1")
        async with session.get(exchange.rest_url + path) as answer:
            assert answer.status == 200
        assert exchange.stats["answers"] == {str(status): 1, "200": 1}


async def test_a_stale_snapshot_waits_for_a_snapshot() -> None:
    async with SimulatedExchange("binance", 1, 500) as exchange, aiohttp.ClientSession() as session:
        await aeventually(lambda: exchange.stats["steps"] > 10, "steps")
        exchange.inject("stale")
        async with session.get(exchange.rest_url + "/api/v3/exchangeInfo"):
            pass
        assert exchange.stats["faults"] == {}
        ids = []
        for _ in range(2):
            async with session.get(exchange.rest_url + "/api/v3/depth?symbol=BTCUSDT") as answer:
                ids.append((await answer.json())["lastUpdateId"])
        assert ids[0] == exchange.dialect.market.books[0].opening().update_id < ids[1]


async def test_a_refused_symbol_is_refused_in_any_spelling() -> None:
    async with SimulatedExchange("kraken", 2, faults=["refuse=ETHUSD"]) as exchange, reading(exchange) as reader:
        await aeventually(lambda: reader.frames > 20, "frames")
        answers = [m["error"] for m in reader.others if m.get("success") is False]
        assert answers == ["Currency pair not supported ETH/USD"] * 2


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ("drop=30s", Fault("drop", every_s=30)),
        ("drop=0.5s", Fault("drop", every_s=0.5)),
        ("skip=0.001", Fault("skip", chance=0.001)),
        ("rest429=1", Fault("rest429", chance=1)),
        ("refuse=BTC/USD", Fault("refuse", symbol="BTC/USD")),
    ],
)
def test_switches_are_read(spec: str, fault: Fault) -> None:
    assert parse_fault(spec, frozenset()) == fault


@pytest.mark.parametrize(
    "spec",
    ["", "drop", "drop=", "drop=0s", "drop=-1s", "skip=2", "skip=nan", "flood=1", "refuse", "checksum=1", "stale=1"],
)
def test_wrong_switches_are_one_sentence(spec: str) -> None:
    with pytest.raises(UsageError, match=r"write it as|expected"):
        parse_fault(spec, frozenset())


def test_each_exchange_has_its_own_faults() -> None:
    assert SimulatedExchange("kraken", 1, faults=["checksum=0.5"]).faults.names >= {"checksum"}
    for dialect, spec in (("binance", "checksum=0.5"), ("kraken", "stale=0.5")):
        with pytest.raises(UsageError, match="expected"):
            SimulatedExchange(dialect, 1, faults=[spec])
        with pytest.raises(UsageError, match="expected"):
            SimulatedExchange(dialect, 1).inject(spec.partition("=")[0])


def test_chances_repeat_for_a_seed_and_are_counted() -> None:
    def happened(seed: int) -> list[str | None]:
        faults = Faults([Fault("skip", chance=0.1), Fault("drop", chance=0.01)], frozenset(), Random(seed))
        found = [faults.frame("book", losable=True) for _ in range(1000)]
        assert faults.counts["skip"] == found.count("skip")
        return found

    assert happened(1) == happened(1) != happened(2)
    assert 50 < happened(1).count("skip") < 150


def test_losses_wait_for_a_message_whose_loss_shows_and_others_for_what_they_fit() -> None:
    faults = Faults([], frozenset({"checksum"}), Random(1))
    assert not faults.watching
    for name in ("skip", "checksum", "rest503"):
        faults.arm(name)
    assert faults.watching
    assert faults.frame("ticker", losable=False) is None
    assert faults.frame("book", losable=False) == "checksum"
    assert faults.frame("book", losable=True) == "skip"
    assert faults.answer(snapshot=False) == "rest503"
    assert not faults.watching
