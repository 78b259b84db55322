"""Quick checks of an installation: wiring without Kafka, a round trip through Kafka, and all of them."""

import subprocess
import sys
import urllib.request
from typing import Annotated

import typer
from prometheus_client import start_http_server

from tickwire.broker.ports import free_ports
from tickwire.cli.common import require_kafka
from tickwire.cli.smoke_kafka import some_kafka
from tickwire.config.environment import for_child
from tickwire.config.feed_config import FeedConfig
from tickwire.config.kafka_config import KafkaConfig
from tickwire.config.loading import load_kafka
from tickwire.errors import TickwireError
from tickwire.signals import Stop

app = typer.Typer(help="Quick checks of an installation.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def wiring() -> None:
    """Check without Kafka that publisher, callbacks and metrics are connected. Prints a line for each check.

    Example: tickwire smoke wiring
    """
    from tickwire.data_feed import WebSocketDataFeed  # noqa: PLC0415 - most commands need none, and it is a lot

    if WebSocketDataFeed(feed=FeedConfig(), kafka=KafkaConfig(enabled=False)).callbacks:
        raise SmokeFailed("a feed with KAFKA_ENABLED=false has a publish callback: expected none.")
    print("Publisher-disabled-ok")
    # 1 where confluent-kafka is installed, 0 where it is not
    print(f"Callbacks: {len(WebSocketDataFeed(feed=FeedConfig(), kafka=KafkaConfig(enabled=True)).callbacks)}")
    [port] = free_ports("127.0.0.1", 1)
    server, _thread = start_http_server(port, addr="127.0.0.1")
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            if b"kafka_messages_published_total" not in answer.read():
                raise SmokeFailed("the metrics do not name kafka_messages_published_total: reinstall tickwire.")
    finally:
        server.shutdown()
        server.server_close()
    print("Metrics-server-ok")


@app.command()
def e2e(records: Annotated[int, typer.Option(min=1, help="How many marked records to send.")] = 20) -> None:
    """Send marked records and an invalid one through Kafka and check where they arrive; uses its own topics.

    Example: tickwire smoke e2e
    """
    config = load_kafka(enabled=True)
    require_kafka(config)
    from tickwire.cli.round_trip import round_trip  # noqa: PLC0415 - the package imports without the library

    for line in round_trip(config, records):
        print(line, flush=True)


@app.command(name="all")
def everything() -> None:
    """Run every check on the Kafka in KAFKA_BROKERS, or on Docker Compose's, or on the embedded one.

    Example: tickwire smoke all
    """
    results = {"validate_kafka_smoke": _run(["smoke", "wiring"], {})}
    with Stop(), some_kafka(load_kafka()) as kafka:
        print(f"Kafka: {kafka}", flush=True)
        env = {"KAFKA_ENABLED": "true", "KAFKA_BROKERS": kafka.bootstrap}
        results["kafka_check"] = _run(["check"], env)
        results["kafka_topics --list"] = _run(["topics", "--list"], env)
        results["kafka_e2e_smoke"] = _run(["smoke", "e2e"], env)
    for name, code in results.items():
        print(f"{'ok' if code == 0 else 'FAILED'}\t{name}" + (f"\texit {code}" if code else ""))
    if any(results.values()):
        raise typer.Exit(1)


def _run(arguments: list[str], env: dict[str, str]) -> int:
    print(f"--- tickwire {' '.join(arguments)}", flush=True)
    command = [sys.executable, "-m", "tickwire", *arguments]
    return subprocess.run(command, env=for_child(env, keep_settings=True), check=False).returncode  # noqa: S603 - ours


class SmokeFailed(TickwireError):
    """A check failed."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __str__(self) -> str:
        return f"Smoke check failed: {self.what}"
