"""Commands of ``tickwire`` as processes that may be killed, and what can be seen of them from outside."""

import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from prometheus_client.parser import text_string_to_metric_families

from support import free_port
from tickwire.config.environment import for_child

_TESTS = Path(__file__).parents[1]


class ProgramFailed(Exception):
    """A process ended by itself, or did not do what was waited for."""


def resident_kib(pid: int | str, line_of: str = "VmRSS") -> int:
    """Resident memory of a process in KiB, as Linux counts it; of ``VmHWM``, the most that there was.

    Not getrusage(2), whose most is at least that of the process which started this one.
    """
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{line_of}:"):
            return int(line.split()[1])
    raise ProgramFailed(f"process {pid} has ended: it has no memory any more")


def kafka_settings(brokers: str, folder: Path) -> dict[str, str]:
    """What has a program use the Kafka at *brokers*, keep what waits below *folder*, and show its metrics."""
    return {
        "KAFKA_ENABLED": "true",
        "KAFKA_BROKERS": brokers,
        "KAFKA_METRICS_ENABLED": "true",
        "KAFKA_METRICS_PORT": str(free_port()),
        "KAFKA_SPILL_DIR": str(folder / "spill"),
    }


class Program:
    """``tickwire`` *command* with *arguments* from ``with`` until its end; *folder*/*name*.out takes what it prints.

    Where *env* has a ``KAFKA_METRICS_PORT``, :meth:`metric` reads it.
    """

    def __init__(self, name: str, command: list[str], env: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self.output, self.log = folder / f"{name}.out", folder / f"{name}.log"
        self._port = env.get("KAFKA_METRICS_PORT")
        with self.output.open("ab") as out, self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "faults.tickwire_process", *command],
                env=for_child({**env, "PYTHONPATH": str(_TESTS)}, keep_settings=False),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def ensure_running(self) -> None:
        """Raise :exc:`ProgramFailed` when it has ended."""
        if not self.running:
            raise ProgramFailed(f"{self.name} ended with {self._process.returncode}: {self.last_words()}")

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()

    def ask_to_end(self) -> None:
        """Send SIGTERM."""
        self._process.send_signal(signal.SIGTERM)

    def wait(self, seconds: float = 60.0) -> int:
        """Wait for its end and return its exit code."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise ProgramFailed(f"{self.name} did not end within {seconds:g} s: {self.last_words()}") from None

    def until(self, condition: Callable[[], object], what: str, seconds: float = 60.0) -> None:
        """Wait for *condition* while it runs. Raises :exc:`ProgramFailed`."""
        deadline = time.monotonic() + seconds
        while not condition():
            self.ensure_running()
            if time.monotonic() > deadline:
                raise ProgramFailed(f"{self.name}: not within {seconds:g} s: {what}; {self.last_words()}")
            time.sleep(0.05)

    def metric(self, name: str, **labels: str) -> float:
        """Sum a metric over all labels but those given; 0 while it does not answer."""
        return sum(
            value for sample, found, value in self.metrics() if sample == name and labels.items() <= found.items()
        )

    def metrics(self) -> list[tuple[str, dict[str, str], float]]:
        """Every sample: name, labels, value; none while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=10) as answer:
                text = answer.read().decode()
        except OSError:  # a time-out too
            return []
        families = text_string_to_metric_families(text)
        return [(sample.name, sample.labels, sample.value) for family in families for sample in family.samples]

    @property
    def rss_kib(self) -> int:
        """Its resident memory in KiB."""
        return resident_kib(self.pid)

    @property
    def open_files(self) -> int:
        """How many files and sockets it has open."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def last_words(self) -> str:
        """The end of its log, in one line."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return " / ".join(line.strip()[:300] for line in lines[-3:]) or "it said nothing"


class Exchange(Program):
    """``tickwire simulate`` on *port*, and its controls."""

    def __init__(self, exchange: str, port: int, folder: Path, *faults: str, symbols: int, rate: float) -> None:
        self.exchange, self.url = exchange, f"http://127.0.0.1:{port}"
        options = ["--symbols", str(symbols), "--rate", str(rate), "--port", str(port)]
        options += [f"--fault={fault}" for fault in faults]
        super().__init__(f"simulate-{exchange}", ["simulate", "--exchange", exchange, *options], {}, folder)
        self.until(lambda: "listens" in self.output.read_text(), "it listens")
        self._port_of_feed = port
        self.symbols = list(self.books(1))

    def settings(self) -> dict[str, str]:
        """What points a feed here."""
        name = self.exchange.upper()
        return {
            "FEED_EXCHANGE": self.exchange,
            "FEED_SYMBOLS": ",".join(self.symbols),
            f"FEED_{name}_WS_URL": f"ws://127.0.0.1:{self._port_of_feed}",
            f"FEED_{name}_REST_URL": self.url,
        }

    def books(self, depth: int) -> dict[str, dict[str, Any]]:
        """Its books by symbol."""
        found: dict[str, dict[str, Any]] = self._get(f"/simulator/books?depth={depth}")
        return found

    def stats(self) -> dict[str, Any]:
        """What it sent and broke so far."""
        found: dict[str, Any] = self._get("/simulator/stats")
        return found

    def inject(self, fault: str) -> None:
        """Let a fault happen at the next frame or answer that fits."""
        self._post(f"/simulator/fault?name={fault}")

    def freeze(self) -> None:
        """Stop the market for good."""
        self._post("/simulator/freeze")

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=20) as answer:
            return json.load(answer)

    def _post(self, path: str) -> None:
        with urllib.request.urlopen(urllib.request.Request(self.url + path, method="POST"), timeout=60):
            pass
