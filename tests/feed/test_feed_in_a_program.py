"""A feed in a program of one's own: in ``async with``, and until a signal."""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from feed.conftest import MakeFeed
from feed.simulator_support import urls_of
from feed.toy_server import ToyServer, subscribed
from support import aeventually, eventually
from tickwire import WebSocketDataFeed
from tickwire.errors import SubscriptionRefused
from tickwire.simulator.server import SimulatedExchange

ROOT = Path(__file__).parents[2]


# async with


async def test_a_feed_that_fails_ends_the_body_of_its_async_with(make_feed: MakeFeed) -> None:
    async with ToyServer() as server:
        server.refuse = {"AX"}
        before = asyncio.current_task().cancelling()  # type: ignore[union-attr]
        with pytest.raises(SubscriptionRefused) as failure:
            async with asyncio.timeout(20), make_feed(server):
                await asyncio.Event().wait()
        assert failure.value.__suppress_context__
        assert asyncio.current_task().cancelling() == before  # type: ignore[union-attr]


async def test_a_body_that_swallows_the_cancellation_still_ends_with_the_feeds_error(make_feed: MakeFeed) -> None:
    async def program(feed: WebSocketDataFeed) -> None:
        async with feed:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

    async with ToyServer() as server:
        server.refuse = {"AX"}
        with pytest.raises(SubscriptionRefused):
            await program(make_feed(server))


async def test_an_error_of_the_body_is_raised_though_the_feed_has_failed(make_feed: MakeFeed) -> None:
    async def program(feed: WebSocketDataFeed) -> None:
        async with feed:
            try:
                await asyncio.Event().wait()
            finally:
                raise ZeroDivisionError

    async with ToyServer() as server:
        server.refuse = {"AX"}
        with pytest.raises(ZeroDivisionError):
            await program(make_feed(server))


async def test_a_body_that_is_cancelled_from_outside_ends_as_cancelled(make_feed: MakeFeed) -> None:
    async def program(feed: WebSocketDataFeed) -> None:
        async with feed:
            await asyncio.Event().wait()

    async with ToyServer() as server:
        running = asyncio.create_task(program(make_feed(server)))
        peer = await subscribed(server)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await aeventually(peer.closed.is_set, "the socket to be closed")


async def test_a_feed_that_is_stopped_leaves_the_body_alone(make_feed: MakeFeed) -> None:
    async with ToyServer() as server, make_feed(server) as feed:
        await subscribed(server)
        await feed.stop()
        await asyncio.sleep(0)


# Until a signal


async def test_a_feed_runs_until_a_signal(make_feed: MakeFeed) -> None:
    events: list[Any] = []
    async with ToyServer() as server:
        feed = make_feed(server)
        feed.add_callback(events.append)
        running = asyncio.create_task(feed.run_until_signal())
        peer = await subscribed(server)
        await peer.say_book("AX", "whole", 1)
        await aeventually(lambda: events, "the snapshot")
        os.kill(os.getpid(), signal.SIGTERM)
        assert await running == 0
    assert [event.action for event in events] == ["snapshot", "invalid"]


async def test_a_feed_that_ends_by_itself_ends_the_wait_for_a_signal(make_feed: MakeFeed) -> None:
    async with ToyServer() as server:
        feed = make_feed(server)
        running = asyncio.create_task(feed.run_until_signal())
        await subscribed(server)
        await feed.stop()
        assert await running == 0

        server.refuse = {"AX"}
        with pytest.raises(SubscriptionRefused):
            await make_feed(server).run_until_signal()


def test_signals_do_afterwards_what_they_did_before(make_feed: MakeFeed) -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    try:
        feed = make_feed(ToyServer())  # which does not listen: the feed tries for ever

        def end() -> None:
            eventually(lambda: feed._started, "the start")
            os.kill(os.getpid(), signal.SIGTERM)

        threading.Thread(target=end).start()
        assert feed.main() == 0
        assert heard == []
        signal.raise_signal(signal.SIGTERM)
        assert heard == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_only_the_main_thread_can_listen_to_signals(make_feed: MakeFeed) -> None:
    errors: list[Exception] = []

    def main() -> None:
        try:
            make_feed(ToyServer()).main()
        except RuntimeError as e:
            errors.append(e)

    thread = threading.Thread(target=main)
    thread.start()
    thread.join()
    assert len(errors) == 1


@contextlib.contextmanager
def running(program: str, urls: dict[str, str], folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """A program whose feed reads a simulated exchange."""
    env = os.environ | {f"FEED_{name.upper()}": url for name, url in urls.items()} | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", program], env=env, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        too_late = threading.Timer(60, process.kill)
        too_late.start()
        try:
            yield process
        finally:
            too_late.cancel()
            process.kill()


async def ended(
    program: str, ready: set[str], signum: signal.Signals, folder: Path, *exchanges: SimulatedExchange
) -> tuple[int, str, str]:
    """Exit code, output and errors of *program*, which is sent a signal once it has printed all that is *ready*."""

    def drive(urls: dict[str, str]) -> tuple[int, str, str]:
        with running(program, urls, folder) as process:
            assert process.stdout is not None
            lines: list[str] = []
            missing = set(ready)
            while missing:
                lines.append(process.stdout.readline())
                assert lines[-1], f"the program ended without {missing}: {process.communicate()}"
                missing = {text for text in missing if text not in lines[-1]}
            process.send_signal(signum)
            out, err = process.communicate(timeout=60)
            return process.returncode, "".join(lines) + out, err

    async with contextlib.AsyncExitStack() as stack:
        urls: dict[str, str] = {}
        for exchange in exchanges or [SimulatedExchange("kraken", symbols=["BTC-USD"], rate=50)]:
            urls |= urls_of(await stack.enter_async_context(exchange))
        return await asyncio.to_thread(drive, urls)


def programs(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
async def test_the_readmes_program_runs_and_says_at_a_signal_that_its_books_are_invalid(
    signum: signal.Signals, tmp_path: Path
) -> None:
    (program,) = programs("README.md")
    code, out, err = await ended(program, {"action='delta'"}, signum, tmp_path)
    events = [line for line in out.splitlines() if line.startswith(("OrderBook(", "Ticker("))]
    assert code == 0, err
    assert "Ticker(" in out
    assert "action='invalid'" in events[-1]
    assert "disconnect" in events[-1]
    assert "Traceback" not in err


async def test_the_program_of_two_exchanges_ends_both_in_order(tmp_path: Path) -> None:
    (program,) = [one for one in programs("docs/python.md") if "TaskGroup" in one]
    both = SimulatedExchange("binance", symbols=["BTC-USDT"]), SimulatedExchange("kraken", symbols=["BTC-USD"])
    ready = {f"OrderBook(action='delta', exchange='{name}'" for name in ("binance", "kraken")}
    code, out, err = await ended(program, ready, signal.SIGTERM, tmp_path, *both)
    assert code == 0, err
    assert out.count("action='invalid'") == 2


async def test_the_program_that_looks_at_events_runs(tmp_path: Path) -> None:
    program = programs("docs/python.md")[0]
    exchange = SimulatedExchange("kraken", symbols=["BTC-USD", "ETH-USD"])
    code, _, err = await ended(program, {"BTC-USD", "ETH-USD"}, signal.SIGTERM, tmp_path, exchange)
    assert code == 0, err


SLOW = """
import sys, time
from tickwire import KafkaConfig, OrderBook, WebSocketDataFeed
def slow(event):
    time.sleep(0.02)
    if isinstance(event, OrderBook):
        print(event.action, flush=True)
feed = WebSocketDataFeed("kraken", ["BTC/USD"], kafka=KafkaConfig(enabled=False))
feed.add_callback(slow)
sys.exit(feed.main())
"""


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
async def test_a_slow_callback_does_not_keep_a_program_from_ending_in_order(
    signum: signal.Signals, tmp_path: Path
) -> None:
    exchange = SimulatedExchange("kraken", symbols=["BTC-USD"], rate=300)
    code, out, err = await ended(SLOW, {"delta"}, signum, tmp_path, exchange)
    assert code == 0, err
    assert out.splitlines()[-1] == "invalid"


STUCK = """
import sys, time
from tickwire import KafkaConfig, WebSocketDataFeed, data_feed
data_feed._END_S = 0.5
def block(event):
    print("blocked", flush=True)
    while True:
        time.sleep(1000)
feed = WebSocketDataFeed("kraken", ["BTC/USD"], kafka=KafkaConfig(enabled=False))
feed.add_callback(block)
sys.exit(feed.main())
"""


async def test_a_callback_that_never_returns_is_named_and_does_not_outlive_the_limit(tmp_path: Path) -> None:
    code, _, err = await ended(STUCK, {"blocked"}, signal.SIGTERM, tmp_path)
    assert code == 128 + signal.SIGTERM
    assert "in block" in err


DEAF = """
import asyncio, sys
from tickwire import KafkaConfig, WebSocketDataFeed, data_feed
data_feed._CALLBACKS_S = 0.1
async def deaf(event):
    print("deaf", flush=True)
    while True:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            pass
feed = WebSocketDataFeed("kraken", ["BTC/USD"], kafka=KafkaConfig(enabled=False))
feed.add_callback(deaf)
sys.exit(feed.main())
"""


async def test_a_task_that_will_not_end_does_not_keep_the_program(tmp_path: Path) -> None:
    code, _, _ = await ended(DEAF, {"deaf"}, signal.SIGTERM, tmp_path)
    assert code == 0


THREADED = """
import asyncio, sys, time
from tickwire import KafkaConfig, WebSocketDataFeed, data_feed
data_feed._CALLBACKS_S = 0.1
def stand():
    print("stands", flush=True)
    time.sleep(1000)
async def handed_over(event):
    await asyncio.to_thread(stand)
feed = WebSocketDataFeed("kraken", ["BTC/USD"], kafka=KafkaConfig(enabled=False))
feed.add_callback(handed_over)
sys.exit(feed.main())
"""


async def test_a_thread_that_does_not_come_back_does_not_keep_the_program(tmp_path: Path) -> None:
    code, _, _ = await ended(THREADED, {"stands"}, signal.SIGTERM, tmp_path)
    assert code == 0
