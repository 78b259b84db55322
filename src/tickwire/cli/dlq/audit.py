"""Writes a line for every replay and purge: who, when, what, and the result."""

import json
import os
import pwd
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tickwire.config.paths import state_folder
from tickwire.errors import TickwireError


class AuditUnwritable(TickwireError):
    """The audit file cannot be written."""

    def __init__(self, path: Path, cause: str) -> None:
        self.path, self.cause = path, cause

    def __str__(self) -> str:
        return (
            f"The audit file {str(self.path)!r} cannot be written ({self.cause}): make its folder writable, "
            "or name another one with XDG_STATE_HOME."
        )


class Audit:
    """Opened before a run, so that no run goes without a line. Raises :exc:`AuditUnwritable`."""

    def __init__(self) -> None:
        self.path = state_folder() / "dlq-audit.jsonl"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as e:
            raise AuditUnwritable(self.path, e.strerror or str(e)) from e
        self._began = time.time()

    def write(self, action: str, facts: Mapping[str, Any]) -> None:
        """Append the line and wait for the disk."""
        who = {"user": _user(), "host": socket.gethostname(), "pid": os.getpid()}
        times = {"began_ms": int(self._began * 1000), "ended_ms": int(time.time() * 1000)}
        line = json.dumps({"action": action, **times, **who, **facts}) + "\n"
        try:
            os.write(self._file, line.encode())  # one write: lines of two processes do not mix
            os.fsync(self._file)
        except OSError as e:
            raise AuditUnwritable(self.path, e.strerror or str(e)) from e
        finally:
            os.close(self._file)


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user without an entry
        return str(os.getuid())
