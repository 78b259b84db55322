"""Apache Kafka in KRaft mode, one or three nodes, run from Maven's libraries without Docker.

The nodes are both brokers and controllers (https://kafka.apache.org/43/operations/kraft/). A node can be killed, frozen
and started again, which is what the fault tests do.
"""

import base64
import signal
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tickwire.broker.maven import fetch
from tickwire.broker.ports import claim, free_ports, refuse_wildcard
from tickwire.broker.process import BrokerProcess, last_words, visible_nodes
from tickwire.config.addresses import endpoint
from tickwire.errors import KafkaFailed, UsageError

VERSION = "4.3.1"
START_SECONDS = 90.0
STOP_SECONDS = 20.0


@dataclass(slots=True)
class _Node:
    """One node: its ports, its folder, and its process while it runs."""

    number: int
    port: int
    controller_port: int
    folder: Path
    process: BrokerProcess | None = None

    @property
    def name(self) -> str:
        return f"Kafka node {self.number} (log: {self.folder / 'kafka.log'})"


class ApacheCluster:
    """A cluster of 1 or 3 nodes, numbered from 1, alive inside ``with`` (or between :meth:`start` and :meth:`stop`).

    *folder* holds data, settings and logs (``node-N/``); *cache* the libraries, fetched once. Without *ports* free ones
    are chosen. *properties* are added to every node's ``server.properties`` and override ours. Topics are replicated to
    all nodes; with three, two must have a record before acks=all is answered. There is no log-in: everyone who can
    connect to *host* has access.
    """

    def __init__(
        self,
        nodes: int,
        folder: Path,
        cache: Path,
        *,
        host: str = "127.0.0.1",
        ports: Sequence[int] | None = None,
        properties: Mapping[str, str] | None = None,
    ) -> None:
        if nodes not in {1, 3}:
            raise UsageError(f"A cluster of {nodes} nodes is not offered: expected 1 or 3.")
        refuse_wildcard(host)
        free = free_ports(host, 2 * nodes)
        self.host, self.folder = host, folder
        self._cache = cache
        self._properties = dict(properties or {})
        self._nodes = {
            n: _Node(n, port, controller, folder / f"node-{n}")
            for n, port, controller in zip(range(1, nodes + 1), ports or free[:nodes], free[nodes:], strict=True)
        }

    @property
    def bootstrap(self) -> str:
        """The address for clients: every node's ``host:port``, comma-separated."""
        return ",".join(endpoint(self.host, node.port) for node in self._nodes.values())

    def start(self) -> None:
        """Start all nodes; return when each answers and sees all others. Data of an earlier start are kept.

        Raises :exc:`UsageError` without Java or Maven, :exc:`PortTaken`, or :exc:`KafkaFailed` when Kafka cannot be
        fetched, a node ends, or they do not answer within 90 seconds.
        """
        libs = fetch(self._cache, VERSION)
        for node in self._nodes.values():
            claim("Kafka", self.host, node.port)
        try:
            self._format(libs)
            self._run(libs, tuple(self._nodes))
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End all nodes; data stays in the folder. Stopping twice is fine."""
        for process in self._running():
            process.send(signal.SIGCONT)
            process.send(signal.SIGTERM)  # to all at first: each waits for the others while it ends
        for number in self._nodes:
            self.terminate(number)

    def terminate(self, node: int) -> None:
        """End a node in order (SIGTERM): it hands over its partitions first. It is killed after 20 seconds."""
        if process := self._release(node):
            process.terminate(STOP_SECONDS)

    def kill(self, node: int) -> None:
        """End a node at once (SIGKILL)."""
        if process := self._release(node):
            process.kill()

    def freeze(self, node: int) -> None:
        """Freeze a node (SIGSTOP); its connections stay open and silent."""
        self._process(node).send(signal.SIGSTOP)

    def thaw(self, node: int) -> None:
        """Resume a frozen node (SIGCONT)."""
        self._process(node).send(signal.SIGCONT)

    def restart(self, *nodes: int) -> None:
        """Restart nodes on their data, after ending running ones in order; return when each answers.

        The cluster accepts a node again when its old session has timed out: after 9 seconds, unless
        ``broker.session.timeout.ms`` says otherwise. If too few nodes are up for a majority, restart enough at once.
        Raises :exc:`KafkaFailed` as :meth:`start` does.
        """
        for number in nodes:
            self.terminate(number)
        self._run(fetch(self._cache, VERSION), nodes)

    def ensure_running(self) -> None:
        """Raise :exc:`KafkaFailed` when a node has ended without being asked to."""
        for process in self._running():
            process.ensure_running()

    def pid(self, node: int) -> int:
        """The process id of a running node."""
        return self._process(node).pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _running(self) -> list[BrokerProcess]:
        return [node.process for node in self._nodes.values() if node.process is not None]

    def _process(self, number: int) -> BrokerProcess:
        process = self._nodes[number].process
        if process is None:
            raise UsageError(f"Kafka node {number} is not running: start it with restart({number}).")
        return process

    def _release(self, number: int) -> BrokerProcess | None:
        node = self._nodes[number]
        process, node.process = node.process, None
        return process

    def _run(self, libs: Path, numbers: Sequence[int]) -> None:
        for number in numbers:
            node = self._nodes[number]
            command = [
                "java",
                "-Xms256m",
                "-Xmx768m",
                *_java(libs),
                "kafka.Kafka",
                str(node.folder / "server.properties"),
            ]
            node.process = BrokerProcess(node.name, command, (node.folder / "kafka.log").open("ab+"))
        for number in numbers:
            self._await(number, frozenset(numbers))

    def _await(self, number: int, wanted: frozenset[int]) -> None:
        """Wait until this node answers and sees all *wanted* nodes, so that topics can be replicated to them."""
        address = endpoint(self.host, self._nodes[number].port)
        self._process(number).wait_until(lambda: wanted <= visible_nodes(address, 1.0), START_SECONDS)

    def _format(self, libs: Path) -> None:
        """Write the settings, and format new data folders."""
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        formatting: list[tuple[_Node, subprocess.Popen[bytes]]] = []
        for node in self._nodes.values():
            node.folder.mkdir(parents=True, exist_ok=True)
            settings = node.folder / "server.properties"
            lines = [f"{key}={value}\n" for key, value in (self._defaults(node) | self._properties).items()]
            settings.write_text("".join(lines), encoding="utf-8")
            if (node.folder / "data" / "meta.properties").exists():
                continue
            # With "=", because a cluster id may begin with a minus.
            identity = f"--cluster-id={cluster_id}"
            command = ["java", *_java(libs), "kafka.tools.StorageTool", "format", identity, "-c", str(settings)]
            with (node.folder / "kafka.log").open("ab") as log:
                formatting.append((node, subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)))  # noqa: S603
        for node, process in formatting:
            if process.wait():
                with (node.folder / "kafka.log").open("rb") as log:
                    raise KafkaFailed(
                        f"{node.name} refused its settings (exit code {process.returncode}): {last_words(log)}."
                    )

    def _defaults(self, node: _Node) -> dict[str, str]:
        address, controller = (endpoint(self.host, port) for port in (node.port, node.controller_port))
        all_nodes = self._nodes.values()
        copies, enough = (3, 2) if len(self._nodes) == 3 else (1, 1)
        return {
            "process.roles": "broker,controller",
            "node.id": str(node.number),
            "controller.quorum.voters": ",".join(
                f"{n.number}@{endpoint(self.host, n.controller_port)}" for n in all_nodes
            ),
            "listeners": f"PLAINTEXT://{address},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{address}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": str(node.folder / "data"),
            "default.replication.factor": str(copies),
            "min.insync.replicas": str(enough),
            "offsets.topic.replication.factor": str(copies),
            "offsets.topic.num.partitions": "8",
            "transaction.state.log.replication.factor": str(copies),
            "transaction.state.log.min.isr": str(enough),
            "share.coordinator.state.topic.replication.factor": str(copies),
            "share.coordinator.state.topic.min.isr": str(enough),
            "group.initial.rebalance.delay.ms": "0",
        }


def _java(libs: Path) -> list[str]:
    return ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", str(libs / "*")]
