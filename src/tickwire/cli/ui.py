"""Serve a web page that shows the running system."""

import asyncio
import importlib.util
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tickwire.cli.common import Brokers, kafka_settings, split_names
from tickwire.cli.dlq.audit import Audit
from tickwire.cli.dlq.options import selection
from tickwire.cli.dlq.output import coverage, to_json
from tickwire.cli.dlq.replaying import replay_facts, run_audited
from tickwire.config.addresses import check_url, endpoint, is_loopback
from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import PortTaken, UsageError
from tickwire.signals import Stop, run_alone

if TYPE_CHECKING:  # the command line works without these libraries
    from tickwire.ui.view import View

_LETTERS = 100
_FILTERS = ("since", "until", "error_type", "source_topic", "key", "grep")
_END_S = 1

MetricsPages = Annotated[
    str | None,
    typer.Option(
        metavar="URL,URL",
        help="Metrics pages of producers and consumers; that of the settings if KAFKA_METRICS_ENABLED.",
    ),
]


def ui(
    host: Annotated[
        str, typer.Option(help="The address to listen on; there is no login, so keep it on this machine.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 chooses a free one.")] = 8080,
    metrics: MetricsPages = None,
    allowed_host: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A name under which browsers reach the page, repeatable.")
    ] = None,
    allow_replay: Annotated[
        bool, typer.Option("--allow-replay", help="Let visitors replay dead letters, after a confirmation.")
    ] = False,
    brokers: Brokers = None,
) -> None:
    """Show in a browser what is in Kafka: symbols, books, breaks, lag, dead letters.

    It reads our topics from a minute ago on, without a group, and changes nothing.

    \b
    Examples:
      tickwire ui
      tickwire ui --brokers kafka-1:9092 --metrics http://10.0.0.5:8000/metrics,http://10.0.0.6:8001/metrics
      tickwire ui --host 0.0.0.0 --allowed-host market.example.net
    """
    config = kafka_settings(brokers)
    require_page()
    urls = metrics_pages(config, metrics)
    listening = _listen(host, port)
    if not is_loopback(f"//{endpoint(host, port)}"):
        print(f"Everyone who reaches {host} can see this page: there is no login.", flush=True)
    try:
        run_alone(_serve(config, urls, listening, [host, *(allowed_host or [])], allow_replay=allow_replay))
    finally:
        listening.close()


def require_page() -> None:
    """Raise :exc:`~tickwire.errors.UsageError` if the libraries of the page are missing."""
    missing = [name for name in ("starlette", "uvicorn") if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(f"The page needs {' and '.join(missing)}: install them with `pip install 'tickwire[ui]'`.")


def metrics_pages(config: KafkaConfig, text: str | None) -> list[str]:
    """The addresses in ``--metrics``, or the one of the settings. Raises :exc:`~tickwire.errors.UsageError`."""
    if text is None:
        return [f"http://{config.metrics_host}:{config.metrics_port}/metrics"] if config.metrics_enabled else []
    urls = split_names(text)
    for url in urls:
        try:
            check_url(url, ("http", "https"))
        except ValueError as e:
            raise UsageError(
                f"--metrics {url!r} is no address: expected {e}, such as http://127.0.0.1:8000/metrics."
            ) from None
    return urls


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except OSError as e:
        raise PortTaken("The page", host, port, "--port", e.strerror or str(e)) from e


async def _serve(
    config: KafkaConfig, urls: list[str], listening: socket.socket, hosts: list[str], *, allow_replay: bool
) -> None:
    import uvicorn  # noqa: PLC0415 - it may be missing

    from tickwire.ui.server import application  # noqa: PLC0415
    from tickwire.ui.view import View  # noqa: PLC0415

    view = View(config, urls)
    about = {"brokers": config.brokers, "dlq_topic": config.dlq_topic, "topics": config.topics}
    with Stop() as stop:
        app = application(
            view, _Desk(config), about, hosts=hosts, allow_replay=allow_replay, stopping=lambda: stop.requested
        )
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                lifespan="off",
                ws="none",
                timeout_graceful_shutdown=_END_S,
            )
        )
        address, port = listening.getsockname()[:2]
        print(f"The page is at http://{endpoint(address, port)}/ (Ctrl-C ends it).", flush=True)
        await _until_one_ends(view, server.serve([listening]))


async def _until_one_ends(view: "View", serving: Any) -> None:
    """Serve until a signal, which the server handles, or until reading fails."""
    reading, server = asyncio.create_task(view.run()), asyncio.create_task(serving)
    await asyncio.wait({reading, server}, return_when=asyncio.FIRST_COMPLETED)
    for task in (reading, server):
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class _Desk:
    """Dead letters for the page, with the code of ``tickwire dlq``."""

    def __init__(self, config: KafkaConfig) -> None:
        self._config = config

    def letters(self, wanted: Mapping[str, str]) -> dict[str, Any]:
        """Read the oldest selected ones."""
        from tickwire.kafka.dead_letters.reader import read_oldest  # noqa: PLC0415 - the library may be missing

        reading = read_oldest(self._config, self._config.dlq_topic, _LETTERS, self._selection(wanted))
        found = coverage(reading.ranges, complete=reading.complete)
        return {"letters": [to_json(letter) for letter in reading.letters], **found}

    def replay(self, wanted: Mapping[str, str], *, execute: bool) -> dict[str, Any]:
        """Send the selected ones back to their topics, or say what would happen."""
        from tickwire.kafka.dead_letters.replay.routes import ReplayRules  # noqa: PLC0415 - the library may be missing

        rules = ReplayRules(self._selection(wanted))
        return replay_facts(run_audited(self._config, rules, Audit() if execute else None))

    @staticmethod
    def _selection(wanted: Mapping[str, str]) -> Any:
        if unknown := set(wanted) - set(_FILTERS):
            raise UsageError(f"{', '.join(sorted(unknown))} is no condition: expected some of {', '.join(_FILTERS)}.")
        return selection(*(wanted.get(name) or None for name in _FILTERS))
