"""The credentials of a client, and whether their files have changed since: files are renewed in place."""

import asyncio
import time
from pathlib import Path

from pydantic import SecretStr

from tickwire.config.kafka_config import KafkaConfig
from tickwire.config.security import LOGIN

_EVERY_S = 1.0
_READ_WHEN_MADE = ("ssl_ca_location", "ssl_certificate_location", "ssl_key_location", "sasl_oauth_ca_location",
                   "sasl_oauth_assertion_key_location")  # fmt: skip


class Credentials:
    """The credentials of one client, as they are when this object is made."""

    def __init__(self, config: KafkaConfig) -> None:
        self._config = config
        self._look_at = time.monotonic() + _EVERY_S
        self._has = _state(config)

    @property
    def changed(self) -> bool:
        """Whether a client made now would have other credentials; reads the files at most once a second."""
        now = time.monotonic()
        if now < self._look_at:
            return False
        self._look_at = now + _EVERY_S
        return _state(self._config) != self._has

    async def change(self, seconds: float) -> None:
        """Wait at most *seconds* for a change."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self.changed:  # noqa: ASYNC110 - files may be renewed
            await asyncio.sleep(min(left, _EVERY_S))

    def login(self) -> tuple[str, str] | None:
        """The new user and password to hand to the client; None if they have not changed."""
        fresh = _state(self._config)
        user, password = fresh[:2]
        if fresh[:2] == self._has[:2] or not isinstance(user, str) or not isinstance(password, SecretStr):
            return None
        self._has = (*fresh[:2], *self._has[2:])
        return user, password.get_secret_value()


def _state(config: KafkaConfig) -> tuple[object, ...]:
    fresh = config.fresh()
    others = sorted(set(fresh.in_files()) - set(LOGIN))
    values = (getattr(fresh, name) for name in (*LOGIN, *others))
    return (*values, *(_stamp(getattr(config, name)) for name in _READ_WHEN_MADE))


def _stamp(path: Path | None) -> object:
    """Identifies a file's content; follows links, because Kubernetes and cert-manager change their targets."""
    if path is None:
        return None
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
