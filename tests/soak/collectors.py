"""Two collectors of one group that take over from each other, and who makes them."""

import json
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from threading import Event
from typing import Any

from faults.programs import Exchange, Program, ProgramFailed
from soak.actors import Actor, Taking, pause, wait_for
from soak.recovery import Recovery
from tickwire.kafka.sharing.membership import SESSION_S

NAMES = ("a", "b")
_SHARES = 64
_RECOVERS_S = 180.0  # a node that is frozen at the time may be the one that manages the group
_FROZEN_S = SESSION_S + 6.0

Start = Callable[[str, list[str], dict[str, str]], Program]


class Collectors:
    """The members *NAMES* of a group that reads *exchange*, each with a folder of its own, which its next life gets."""

    def __init__(self, exchange: Exchange, group: str, folder: Path, start: Start) -> None:
        self.exchange = exchange
        self.running: dict[str, Program] = {}
        self.reports: list[Mapping[str, Any]] = []
        self._group, self._folder, self._start_program, self._lives = group, folder, start, 0

    def start(self, who: str) -> None:
        """Start one."""
        self._lives += 1
        name = f"collect-{who}-{self._lives}"
        command = ["produce", "--group", self._group, "--report", str(self._folder / f"{name}.json")]
        env = self.exchange.settings() | {"KAFKA_SPILL_DIR": str(self._folder / f"spill-{who}")}
        self.running[who] = self._start_program(name, command, env)

    def well(self) -> bool:
        """Whether all shares are served, by each as many as are due to it, and every book is valid."""
        pages = [program.metrics() for program in self.running.values()]
        shares = [sum(v for name, _, v in page if name == "feed_group_shares") for page in pages]
        valid = sum(v for page in pages for name, of, v in page if name == "feed_books" and of.get("state") == "valid")
        balanced = sum(shares) == _SHARES and min(shares) >= _SHARES // len(shares)
        return balanced and valid == len(self.exchange.symbols)

    def await_well(self, what: str) -> Actor:
        """Wait for it."""
        [one, *_] = self.running.values()
        yield from wait_for(one, self.well, f"the group of collectors has all books {what}", _RECOVERS_S)

    def end(self, who: str) -> Taking:
        """End one in order, keep its report, and wait until the other has all; return how long that took.

        What Kafka did not take then waits for its next life.
        """
        since = time.monotonic()
        program = self.running.pop(who)
        program.ask_to_end()
        until = time.monotonic() + _RECOVERS_S
        while program.running:
            if time.monotonic() > until:
                raise ProgramFailed(f"{program.name} did not end within {_RECOVERS_S:g} s: {program.last_words()}")
            yield
        report: dict[str, Any] = json.loads((self._folder / f"{program.name}.json").read_text())
        if program.wait() != 0 and not report["spilled"]:
            raise ProgramFailed(f"{program.name} ended with {program.wait()}: {program.last_words()}")
        self.reports.append(report)
        yield from self.await_well("after an end in order")
        return time.monotonic() - since

    def kill(self, who: str) -> Taking:
        """Kill one, and wait until the other has all; return how long that took."""
        since = time.monotonic()
        self.running.pop(who).kill()
        yield from self.await_well("after a kill")
        return time.monotonic() - since

    def freeze(self, who: str) -> Taking:
        """Stop one for longer than its session lasts. Return how long it took until the other had all."""
        since = time.monotonic()
        frozen = self.running.pop(who)
        os.kill(frozen.pid, signal.SIGSTOP)
        try:
            thaw_at = time.monotonic() + _FROZEN_S
            yield from self.await_well("while a member is frozen")
            took = time.monotonic() - since
            yield from pause(max(0.0, thaw_at - time.monotonic()))
        finally:
            os.kill(frozen.pid, signal.SIGCONT)
        self.running[who] = frozen
        return took


def take_over(collectors: Collectors, rest_s: float, random: Random, done: list[Recovery], stop: Event) -> Actor:
    """Kill, freeze and end members, in turn, until *stop*; at the end both are there."""
    turns: list[str] = []
    while True:
        yield from pause(rest_s * random.uniform(0.5, 1.5))
        if stop.is_set():
            return
        turns = turns or random.sample(("killed", "frozen", "ended"), 3)
        what, who = turns.pop(), random.choice(NAMES)
        took = yield from {"killed": collectors.kill, "frozen": collectors.freeze, "ended": collectors.end}[what](who)
        done.append(Recovery("collector", what, took))
        if who not in collectors.running:
            collectors.start(who)
        since = time.monotonic()
        yield from collectors.await_well("with both again")
        done.append(Recovery("collector", f"back after {what}", time.monotonic() - since))
