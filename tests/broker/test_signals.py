"""The first signal asks, a later one ends at once."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from support import eventually
from tickwire.signals import Hangups, Stop


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_wakes_the_waiter_and_is_remembered(signum: signal.Signals) -> None:
    with Stop() as stop:
        assert not stop.wait(0.0)
        os.kill(os.getpid(), signum)
        assert stop.wait(10.0)
        assert stop.requested
        assert stop.wait()


def test_a_signal_that_another_thread_takes_wakes_the_waiter() -> None:
    """As one does that comes just before the wait begins: neither interrupts a system call of the main thread."""
    with Stop() as stop:
        other = threading.Timer(0.1, lambda: signal.pthread_kill(threading.get_ident(), signal.SIGTERM))
        other.start()
        began = time.monotonic()
        assert stop.wait(60)
        assert time.monotonic() - began < 30
        other.join()


def test_other_signals_do_not_end_the_wait() -> None:
    with Stop() as stop, Hangups() as hangups:
        other = threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGHUP))
        other.start()
        began = time.monotonic()
        assert not stop.wait(0.5)
        assert time.monotonic() - began >= 0.5
        assert hangups.take()
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(60)
        other.join()


def test_what_was_done_with_signals_before_is_done_again_afterwards() -> None:
    before = [signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)]
    with Stop():
        assert signal.getsignal(signal.SIGTERM) != before[1]
    assert [signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)] == before


def test_several_hear_the_same_signal_in_whatever_order_they_end() -> None:
    before = [signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)]
    first, second = Stop(), Stop()
    first.__enter__()
    second.__enter__()
    os.kill(os.getpid(), signal.SIGTERM)
    assert first.wait(10)
    assert second.wait(10)
    first.__exit__(None, None, None)
    assert signal.getsignal(signal.SIGTERM) != before[1]
    second.__exit__(None, None, None)
    assert [signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_forked_child_ends_by_a_signal_of_its_own_which_its_parent_does_not_hear() -> None:
    script = """
import os, signal, time
from tickwire.signals import Stop

begun, say = os.pipe()
with Stop() as stop:
    child = os.fork()
    if not child:
        os.write(say, b"1")
        time.sleep(60)
    os.read(begun, 1)
    os.kill(child, signal.SIGTERM)
    print(os.WTERMSIG(os.waitpid(child, 0)[1]), stop.wait(0.0))
"""
    assert subprocess.check_output([sys.executable, "-c", script], text=True, timeout=30) == "15 False\n"


async def test_the_event_loop_goes_on_while_waiting() -> None:
    with Stop() as stop:
        waiting = asyncio.create_task(stop.arrives())
        await asyncio.sleep(0)
        assert not waiting.done()
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(waiting, 10)
        assert stop.requested


def test_a_blocking_step_is_interrupted_only_where_it_is_allowed() -> None:
    with Stop() as stop:
        with pytest.raises(KeyboardInterrupt), stop.interrupting():
            signal.raise_signal(signal.SIGTERM)
        assert stop.requested
    with Stop() as stop:
        with stop.interrupting():
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(10)


STUBBORN = """
import time
from tickwire.signals import Stop
with Stop() as stop:
    print("ready", flush=True)
    stop.wait()
    print("asked", flush=True)
    time.sleep(60)
"""


PATIENT = """
import os, time
from tickwire.signals import TOGETHER_S, Stop
with Stop() as stop:
    print("ready", flush=True)
    stop.wait()
    print("asked", flush=True)
    end = time.monotonic() + TOGETHER_S
    while time.monotonic() < end:
        pass
os._exit(0)
"""


@contextmanager
def running(script: str) -> "Iterator[subprocess.Popen[str]]":
    """A program that does not outlive the test."""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as child:
        try:
            yield child
        finally:
            child.kill()


@pytest.mark.parametrize(("second", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_second_signal_ends_the_process_at_once(second: signal.Signals, code: int) -> None:
    with running(STUBBORN) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGINT)
        assert child.stdout.readline() == "asked\n"
        assert until_ended(child, second) == code


def test_signals_of_one_press_are_one() -> None:
    """As a terminal and a parent that hands the signal on send them."""
    with running(PATIENT) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGINT)
        child.send_signal(signal.SIGTERM)
        child.send_signal(signal.SIGINT)
        assert child.wait(10) == 0
        assert child.stdout.read() == "asked\n"


def until_ended(process: "subprocess.Popen[str]", signum: signal.Signals) -> int:
    """Send the signal again and again, as the first ones may belong to the one before."""

    def ended() -> bool:
        process.send_signal(signum)
        return process.poll() is not None

    eventually(ended, "it ends", 10)
    return process.wait()
