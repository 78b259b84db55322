"""The simulated exchange over real sockets."""

import asyncio
import os
import signal
import subprocess
import sys
from typing import Any

import aiohttp
import pytest

from simulator.clients import READERS, reading
from support import aeventually, free_port
from tickwire.errors import PortTaken, UsageError
from tickwire.simulator.client import HIGH_WATER
from tickwire.simulator.server import SimulatedExchange

EACH = pytest.mark.parametrize("dialect", READERS)


async def get(url: str, method: str = "GET") -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.request(method, url) as answer:
        json = answer.content_type == "application/json"
        return answer.status, await answer.json() if json else await answer.text()


@EACH
@pytest.mark.parametrize("rate", [2000.0, 0.0])
async def test_frozen_books_equal_what_a_client_rebuilt(dialect: str, rate: float) -> None:
    async with SimulatedExchange(dialect, 3, rate, seed=7) as exchange, reading(exchange) as reader:
        await aeventually(lambda: reader.frames > 3000, "3000 frames")
        assert await exchange.freeze() == 0
        await aeventually(reader.equal, "equal books")
        assert reader.gaps == 0
        assert reader.broken == []


@EACH
async def test_two_clients_get_the_same(dialect: str) -> None:
    async with SimulatedExchange(dialect, 2, 1000, seed=3) as exchange, reading(exchange) as one:
        await aeventually(lambda: one.frames > 100, "frames")
        async with reading(exchange) as two:
            await aeventually(lambda: two.frames > 100, "frames")
            await exchange.freeze()
            await aeventually(lambda: one.equal() and two.equal(), "equal books")


async def test_the_rate_is_kept() -> None:
    async with SimulatedExchange("binance", 2, 500) as exchange:
        loop = asyncio.get_running_loop()
        start, before = loop.time(), exchange.stats["steps"]
        await aeventually(lambda: exchange.stats["steps"] >= 250, "250 steps")
        rate = (exchange.stats["steps"] - before) / (loop.time() - start)
        assert 250 < rate < 600


async def test_a_client_that_stops_reading_stops_the_market_and_loses_nothing() -> None:
    async with SimulatedExchange("binance", 1, 0) as exchange, reading(exchange) as reader:
        await aeventually(lambda: reader.frames > 100, "frames")
        (client,) = exchange.clients.values()
        reader.socket._conn.transport.pause_reading()
        await aeventually(lambda: client.unwritten > HIGH_WATER, "back-pressure")
        stopped = exchange.stats["steps"]
        for _ in range(5):
            await asyncio.sleep(0)
        assert exchange.stats["steps"] == stopped
        assert client.unwritten < 4 * HIGH_WATER
        reader.socket._conn.transport.resume_reading()
        await aeventually(lambda: exchange.stats["steps"] > stopped, "the market to go on")
        await exchange.freeze()
        await aeventually(reader.equal, "equal books")
        assert reader.gaps == 0


async def test_the_controls_show_the_books_the_numbers_and_stop_the_market() -> None:
    async with SimulatedExchange("kraken", 2, 500, seed=9) as exchange, reading(exchange) as reader:
        await aeventually(lambda: reader.frames > 50, "frames")
        url = exchange.rest_url + "/simulator/"
        assert await get(url + "freeze", "POST") == (200, {"frozen": True, "unwritten": 0})
        status, books = await get(url + "books?depth=3")
        assert status == 200
        assert books == exchange.books(3)
        assert [len(book["bids"]) for book in books.values()] == [3, 3]
        _, stats = await get(url + "stats")
        assert (stats["connections"], stats["subscriptions"]) == (1, {"ticker": 2, "trade": 0, "book": 2})
        assert stats["frozen"] is True
        assert stats["frames"]["book"] > 0
        await aeventually(lambda: sum(exchange.stats["frames"].values()) == reader.frames, "what was counted to arrive")
        assert (await get(url + "books?depth=x"))[0] == 400
        assert (await get(url + "fault?name=nonsense", "POST"))[0] == 400
        assert (await get(exchange.rest_url + "/nothing"))[0] == 404


async def test_a_frozen_market_goes_on_when_it_is_thawed() -> None:
    async with SimulatedExchange("binance", 2, 500, seed=9) as exchange, reading(exchange) as reader:
        await aeventually(lambda: reader.frames > 50, "frames")
        url = exchange.rest_url + "/simulator/"
        await get(url + "freeze", "POST")
        stopped = exchange.stats["steps"]
        assert await get(url + "unfreeze", "POST") == (200, {"frozen": False})
        assert exchange.stats["frozen"] is False
        await aeventually(lambda: exchange.stats["steps"] > stopped + 100, "the market to go on")
        await exchange.freeze()
        await aeventually(reader.equal, "equal books")
        assert reader.gaps == 0


async def test_the_controls_refuse_other_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiohttp.web.BaseRequest.remote", "192.0.2.1")
    async with SimulatedExchange("binance", 1) as exchange:
        assert (await get(exchange.rest_url + "/simulator/stats"))[0] == 403
        assert (await get(exchange.rest_url + "/api/v3/exchangeInfo"))[0] == 200


async def test_settings_point_a_feed_at_the_exchange() -> None:
    async with SimulatedExchange("kraken", ["BTC-USD", "SOL-EUR"]) as exchange:
        assert exchange.settings() == {
            "FEED_EXCHANGE": "kraken",
            "FEED_SYMBOLS": "BTC-USD,SOL-EUR",
            "FEED_KRAKEN_WS_URL": exchange.ws_url,
            "FEED_KRAKEN_REST_URL": exchange.rest_url,
        }
        status, pairs = await get(exchange.rest_url + "/0/public/AssetPairs")
        assert (status, len(pairs["result"])) == (200, 2)


async def test_kraken_greets_and_beats_when_idle() -> None:
    async with SimulatedExchange("kraken", 1, 100) as exchange, reading(exchange) as reader:
        await aeventually(lambda: reader.frames > 10, "frames")
        assert reader.others[0]["channel"] == "status"
        await exchange.freeze()
        await aeventually(lambda: reader.others[-1] == {"channel": "heartbeat"}, "a heartbeat")


async def test_binance_pings_with_a_payload_and_leaves_those_who_do_not_pong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tickwire.simulator.dialects.binance.Dialect.ping_interval_s", 0.1)
    monkeypatch.setattr("tickwire.simulator.server._PONG_S", 0.1)
    async with SimulatedExchange("binance", 1, 100) as exchange, reading(exchange, autoping=False) as reader:
        await aeventually(lambda: reader.pings, "a ping")
        assert reader.pings[0].isdigit()
        await aeventually(lambda: reader.ended, "the end of the connection")


async def test_pings_are_answered() -> None:
    async with (
        SimulatedExchange("binance", 1, 100) as exchange,
        aiohttp.ClientSession() as session,
        session.ws_connect(exchange.ws_url + "/ws", autoping=False) as socket,
    ):
        await socket.ping(b"here")
        answer = await socket.receive()
        assert (answer.type, answer.data) == (aiohttp.WSMsgType.PONG, b"here")


async def test_binance_closes_on_a_client_that_talks_too_much() -> None:
    async with (
        SimulatedExchange("binance", 1, 0) as exchange,
        aiohttp.ClientSession() as session,
        session.ws_connect(exchange.ws_url + "/ws") as socket,
    ):
        for _ in range(6):
            await socket.send_str('{"method":"LIST_SUBSCRIPTIONS","id":1}')
        types = [(await socket.receive()).type for _ in range(6)]
        assert types == [aiohttp.WSMsgType.TEXT] * 5 + [aiohttp.WSMsgType.CLOSE]
        assert socket.close_code == 1008


async def test_streams_in_the_address_are_subscribed_under_full_load() -> None:
    url = "/stream?streams=btcusdt@depth/btcusdt@bookTicker"
    async with SimulatedExchange("binance", 1, 0) as exchange, reading(exchange), aiohttp.ClientSession() as session:
        for _ in range(20):
            async with session.ws_connect(exchange.ws_url + url) as socket:
                assert (await socket.receive_json())["stream"] in url


async def test_a_client_that_left_is_forgotten() -> None:
    async with SimulatedExchange("binance", 1, 500) as exchange:
        async with reading(exchange) as reader:
            await aeventually(lambda: reader.frames > 10, "frames")
        await aeventually(lambda: exchange.stats["connections"] == 0, "no connection")
        assert exchange.stats["subscriptions"] == {"ticker": 0, "trade": 0, "book": 0}


async def test_a_taken_port_says_so() -> None:
    async with SimulatedExchange("binance", 1) as exchange:
        port = int(exchange.rest_url.rpartition(":")[2])
        with pytest.raises(PortTaken, match=f"127.0.0.1:{port}.*--port"):
            async with SimulatedExchange("kraken", 1, port=port):
                pass


@pytest.mark.parametrize(("dialect", "rate"), [("nowhere", 1.0), ("binance", -1.0), ("binance", float("nan"))])
def test_wrong_arguments_are_one_sentence(dialect: str, rate: float) -> None:
    with pytest.raises(UsageError, match="expected"):
        SimulatedExchange(dialect, 1, rate)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_the_command_says_where_it_listens_and_ends_cleanly(end: signal.Signals) -> None:
    port = free_port()
    program = "import typer; from tickwire.cli.simulate import simulate; typer.run(simulate)"
    command = [sys.executable, "-c", program, "--exchange", "kraken", "--port", str(port), "--fault", "drop=30s"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.send_signal(end)
        out, err = process.communicate(timeout=20)
    ws, http = f"ws://127.0.0.1:{port}", f"http://127.0.0.1:{port}"
    assert line == f"Simulated kraken listens on {ws}: set FEED_KRAKEN_WS_URL={ws} FEED_KRAKEN_REST_URL={http}\n"
    assert (out, err, process.returncode) == ("", "", 0)
