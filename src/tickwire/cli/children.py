"""Runs our commands as child processes, and reads their metrics: for the demo and the smoke checks."""

import json
import multiprocessing
import os
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from tickwire.config.environment import for_child, replace_with
from tickwire.errors import TickwireError
from tickwire.metrics_page import read_page, total

_POLL_S = 0.02
_fork = multiprocessing.get_context("fork")
_STOP_S = 30.0
_TAIL_CHARACTERS = 200


class ChildFailed(TickwireError):
    """A child process ended early or did not do what was expected."""

    def __init__(self, command: str, what: str, tail: str) -> None:
        self.command, self.what, self.tail = command, what, tail

    def __str__(self) -> str:
        said = f"; it said last: {self.tail}" if self.tail else ""
        return f"`tickwire {self.command}` {self.what}{said}"


class Child:
    """A ``tickwire`` command as a process. Its log goes to a file, and so does its output unless *shown*.

    It is forked, to keep the imported modules: make it while this process has a single thread.
    """

    def __init__(
        self, command: str, arguments: list[str], env: Mapping[str, str], folder: Path, *, shown: bool = False
    ) -> None:
        self.command = command
        number, name = tempfile.mkstemp(".log", f"{command}-", folder)  # there may be several processes of one command
        os.close(number)
        self._log = Path(name)
        self._process = _fork.Process(
            target=_become, args=([command, *arguments], for_child(env, keep_settings=False), self._log, shown)
        )
        self._process.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join(_STOP_S)
        self._process.kill()
        self._process.join()

    def wait_for(self, word: str, seconds: float) -> None:
        """Wait until the process prints *word*. Raises :exc:`ChildFailed`."""
        self.until(lambda: word in self._log.read_text(errors="replace"), f"the word {word!r}", seconds)

    def until(self, condition: Callable[[], bool], what: str, seconds: float) -> None:
        """Wait for *condition* while the process runs. Raises :exc:`ChildFailed`."""
        deadline = time.monotonic() + seconds
        while not condition():
            if self._process.exitcode is not None:
                raise ChildFailed(self.command, f"ended with {self._process.exitcode} before {what} came", self._tail())
            if time.monotonic() > deadline:
                raise ChildFailed(self.command, f"did not bring {what} within {seconds:g} s", self._tail())
            time.sleep(_POLL_S)

    def stop(self) -> None:
        """Ask the process to end and wait for it. Raises :exc:`ChildFailed` unless it ends with 0."""
        self._process.terminate()
        self._process.join(_STOP_S)
        code = self._process.exitcode
        if code is None:
            raise ChildFailed(self.command, f"did not end within {_STOP_S:g} s", self._tail())
        if code != 0:
            raise ChildFailed(self.command, f"ended with {code}", self._tail())

    def _tail(self) -> str:
        return cause(self._log.read_text(errors="replace"))


def _become(arguments: list[str], env: Mapping[str, str], log: Path, shown: bool) -> None:
    from tickwire.cli.main import main  # noqa: PLC0415 - which imports us

    os.setsid()  # the parent passes on Ctrl-C, in the right order
    with log.open("wb") as file:
        for descriptor in (2,) if shown else (1, 2):
            os.dup2(file.fileno(), descriptor)
    replace_with(env)
    main(arguments, name="tickwire")


def cause(log: str) -> str:
    """The cause of a failure in a log: its last error, or else its last line, shortened."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    last = (errors or lines or [""])[-1]
    return last if len(last) <= _TAIL_CHARACTERS else f"{last[:_TAIL_CHARACTERS]}…"


def get_json(url: str) -> Any:
    """Get a JSON document from a process on this machine."""
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - addresses are made here, on loopback
        return json.load(answer)


def post(url: str) -> None:
    """Post an empty request to a process on this machine."""
    request = urllib.request.Request(url, method="POST")  # noqa: S310 - as above
    with urllib.request.urlopen(request, timeout=60):  # noqa: S310 - as above
        pass


def metric(port: int, name: str, **labels: str) -> int:
    """A metric of the process on *port*, summed over labels that are not given; 0 while it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            return total(read_page(answer.read().decode()), name, **labels)
    except OSError:  # a time-out too
        return 0
