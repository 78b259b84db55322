"""Logging of commands: one event a line on standard error, as text or JSON."""

import json
import logging
import sys
from datetime import UTC, datetime

from tickwire.cli.common import printable
from tickwire.config.log_config import LogConfig

# Libraries whose info lines are about their internals; other loggers, such as a user's, are not changed.
_LIBRARIES = ("aiohttp", "asyncio", "picows")


class _JsonLines(logging.Formatter):
    """One JSON object a line, in ASCII, so that readers need no encoding. An empty *worker* is left out."""

    def __init__(self, worker: str) -> None:
        super().__init__()
        self._worker = {"worker": worker} if worker else {}

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            **self._worker,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def start_logging(config: LogConfig, worker: str = "") -> None:
    """Log to standard error as *config* says; every line names the *worker*, if any."""
    handler = logging.StreamHandler(sys.stderr)
    if config.format == "json":
        handler.setFormatter(_JsonLines(worker))
    else:
        who = f"[{worker}] " if worker else ""
        handler.setFormatter(logging.Formatter(f"%(asctime)s %(levelname)s {who}%(message)s"))
    logging.basicConfig(level=config.level.upper(), handlers=[handler], force=True)
    for library in _LIBRARIES:
        logging.getLogger(library).setLevel(logging.WARNING if config.level == "info" else logging.NOTSET)


def follow_stderr() -> None:
    """Log to what standard error is now: a live table replaces it by a stream that writes above the table."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(sys.stderr)


def say_error(error: Exception | str) -> None:
    """Write why the command ends as the last line: a sentence, or a JSON line if logs are JSON."""
    handlers = logging.getLogger().handlers
    if any(isinstance(handler.formatter, _JsonLines) for handler in handlers):
        logging.getLogger("tickwire").error("%s", error)
    else:
        print(f"error: {printable(str(error))}", file=sys.stderr)
