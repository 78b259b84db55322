"""Apicurio Registry (https://www.apicur.io/registry/), run from Maven's artefact without Docker; all is in memory.

It speaks Confluent's API below ``/apis/ccompat/v7``; where it differs, docs/schemas.md says how.
"""

import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Self

from tickwire.broker.maven import fetch_apicurio, find_java
from tickwire.broker.ports import claim, free_ports
from tickwire.broker.process import BrokerProcess
from tickwire.config.addresses import endpoint
from tickwire.errors import UsageError

VERSIONS = {"2.6.13.Final": 11, "3.3.3": 21}  # version: least Java version
START_SECONDS = 90.0
STOP_SECONDS = 10.0
_BETWEEN_S = 0.05
_HOST = "127.0.0.1"


class ApicurioRegistry:
    """A registry that runs inside ``with`` (or between :meth:`start` and :meth:`stop`); its schemas are gone then.

    *cache* holds the program, fetched once. It listens on a free port of loopback.
    """

    def __init__(self, cache: Path, *, version: str = "3.3.3") -> None:
        if version not in VERSIONS:
            raise UsageError(f"Apicurio {version} is not offered: expected {' or '.join(VERSIONS)}.")
        self.version, self.port = version, 0
        self._cache = cache
        self._process: BrokerProcess | None = None

    @property
    def url(self) -> str:
        """The value for KAFKA_SCHEMA_REGISTRY_URL; the port is known from :meth:`start` on."""
        return f"http://{endpoint(_HOST, self.port)}/apis/ccompat/v7"

    def start(self) -> None:
        """Start it; return when it answers.

        Raises :exc:`UsageError` without Java or Maven, :exc:`PortTaken`, or :exc:`KafkaFailed` when it cannot be
        fetched, ends, or does not answer within 90 seconds.
        """
        java = find_java(VERSIONS[self.version])
        program = fetch_apicurio(self._cache, self.version)
        if self.port == 0:  # a restart keeps the port
            [self.port] = free_ports(_HOST, 1)
        claim("Apicurio", _HOST, self.port)
        [management] = free_ports(_HOST, 1)
        options = {
            "quarkus.http.host": _HOST,
            "quarkus.http.port": self.port,
            "quarkus.management.host": _HOST,
            "quarkus.management.port": management,
            "registry.storage.kind": "sql",
            "registry.datasource.url": "jdbc:h2:mem:registry_db",
        }
        given = [f"-D{name}={value}" for name, value in options.items()]
        process = self._process = BrokerProcess(
            f"Apicurio {self.version}",
            [java, "-Xmx384m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", *given, "-jar", str(program)],
            tempfile.TemporaryFile(),  # noqa: SIM115 - the process closes it
        )
        try:
            process.wait_until(self._answers, START_SECONDS)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it; its schemas are gone. Stopping twice does nothing."""
        if self._process is not None:
            self._process.terminate(STOP_SECONDS)
            self._process = None

    def kill(self) -> None:
        """End it at once (SIGKILL); its schemas are gone."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/subjects", timeout=1.0) as answer:  # noqa: S310 - http, our own
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            time.sleep(_BETWEEN_S)
            return False
