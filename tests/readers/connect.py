"""A worker of Kafka Connect that writes a topic into a file."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tickwire.broker.apache import VERSION

CONNECT = (f"org.apache.kafka:connect-runtime:{VERSION}", f"org.apache.kafka:connect-file:{VERSION}")


@contextmanager
def sink_of(
    bootstrap: str, converters: str, libs: Path, topic: str, folder: Path, more: Mapping[str, object] | None = None
) -> Iterator[Path]:
    """The file; *converters* are settings of the worker, *more* some of the connector."""
    out, worker, connector = (folder / name for name in ("out.txt", "worker.properties", "sink.properties"))
    settings = {
        "bootstrap.servers": bootstrap,
        "offset.storage.file.filename": folder / "offsets",
        "listeners": "http://127.0.0.1:0",
        "plugin.discovery": "service_load",
    }
    worker.write_text(converters + "\n" + _properties(settings))
    sink: dict[str, object] = {"name": topic, "connector.class": "FileStreamSink", "topics": topic, "file": out}
    connector.write_text(_properties(sink | {"tasks.max": 1} | dict(more or {})))
    java = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{libs}/*"]
    with (folder / "connect.log").open("wb") as log:
        process = subprocess.Popen(
            [*java, "org.apache.kafka.connect.cli.ConnectStandalone", worker, connector],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield out
        finally:
            process.kill()
            process.wait()


def _properties(settings: Mapping[str, object]) -> str:
    return "".join(f"{name}={value}\n" for name, value in settings.items())
