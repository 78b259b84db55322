"""``tickwire broker``: a local Kafka for trials."""

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from tickwire.broker import ApacheCluster, EmbeddedBroker
from tickwire.broker.apache import VERSION
from tickwire.config.addresses import endpoint, is_loopback
from tickwire.config.paths import cache_folder
from tickwire.errors import UsageError
from tickwire.signals import Stop


def broker(
    host: Annotated[
        str, typer.Option(help="The address to listen on; there is no login, so keep it on this machine.")
    ] = ("127.0.0.1"),
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The port; 0 chooses a free one. Three nodes use PORT to PORT+2.")
    ] = 9092,
    apache: Annotated[
        bool, typer.Option("--apache", help="Run Apache Kafka itself; needs Java 17 and Maven, fetches 43 MB once.")
    ] = False,
    nodes: Annotated[int, typer.Option(help="How many nodes: 1, or 3 with --apache.")] = 1,
) -> None:
    """Run a Kafka on this machine until Ctrl-C; its data are gone afterwards.

    Without --apache it is the embedded broker, which starts at once and keeps everything in memory: enough for a demo.

    \b
    The embedded broker (Tansu) differs from Kafka in a few ways:
      - it reports the first record of the last batch as the end of a
        partition, and for a time after the last record it finds the first
        one. tickwire looks at the records instead; other programs may read
        too much or too little;
      - a new member of a group waits about 5 s for its partitions (Kafka: 1 s);
      - it keeps no metadata with committed offsets, so dlq replay reads again
        what it has sent, to know where it was;
      - records cannot be removed: there is no dlq purge;
      - the newer group protocol (KAFKA_GROUP_PROTOCOL=consumer) is missing.
    With --apache there are no such differences.

    \b
    Examples:
      tickwire broker
      tickwire broker --port 19092
      tickwire broker --apache --nodes 3
    """
    if nodes != 1 and not apache:
        raise UsageError(f"--nodes {nodes} needs --apache: the embedded broker is a single node.")
    if port + nodes - 1 > 65535:
        raise UsageError(f"--port {port} leaves no room for {nodes} nodes: expected at most {65536 - nodes}.")
    _warn_if_open(host)
    if not apache:
        _serve(EmbeddedBroker(host, port), "embedded, memory only")
        return
    with tempfile.TemporaryDirectory(prefix="tickwire-kafka-", ignore_cleanup_errors=True) as folder:
        ports = [port + i for i in range(nodes)] if port else None
        cluster = ApacheCluster(nodes, Path(folder), cache_folder(), host=host, ports=ports)
        _serve(
            cluster,
            f"Apache Kafka {VERSION}, {nodes} node{'s' if nodes > 1 else ''}, data in {folder}, removed at the end",
        )


def _serve(kafka: EmbeddedBroker | ApacheCluster, kind: str) -> None:
    with Stop() as stop:
        try:
            with stop.interrupting():
                kafka.start()
        except KeyboardInterrupt:
            return
        try:
            print(f"Kafka is ready at {kafka.bootstrap} ({kind}). Ctrl-C stops it.", flush=True)
            while not stop.wait(1.0):
                kafka.ensure_running()
        finally:
            kafka.stop()


def _warn_if_open(host: str) -> None:
    if not is_loopback(f"//{endpoint(host, 0)}"):
        print(
            f"Warning: everyone who reaches {host!r} can read and write this Kafka; it has no login.", file=sys.stderr
        )
