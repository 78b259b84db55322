"""OAUTHBEARER tokens from the user's function, named as ``module:function``, instead of from a token endpoint.

It is called with KAFKA_SASL_OAUTH_CONFIG and returns what the client library's ``oauth_cb`` returns: the token, when it
expires (seconds since 1970; milliseconds are recognized by their size), and optionally the principal and extensions
(https://docs.confluent.io/platform/current/clients/confluent-kafka-python/html/index.html).
"""

import functools
import logging
import threading
import time

from tickwire.errors import KafkaFailed, UsageError
from tickwire.named import named

logger = logging.getLogger(__name__)

_SETTING = "KAFKA_SASL_OAUTH_CALLBACK"
_MILLISECONDS = 1e11  # as seconds this is the year 5138
_LEAST_LIFE_S = 10.0


@functools.cache  # the clients of a process share a token: making a client waits for one, perhaps on the event loop
def token_hook(name: str, argument: str, extensions: str) -> "TokenHook":
    """The hook for these settings. Raises :exc:`~tickwire.errors.UsageError` if there is no such function."""
    return TokenHook(name, argument, extensions)


class TokenHook:
    """An ``oauth_cb`` that calls the user's function when the last token is close to its expiry."""

    def __init__(self, name: str, argument: str, extensions: str) -> None:
        self._name, self._argument = name, argument
        self._extensions = dict(pair.split("=", 1) for pair in extensions.split(",") if pair)
        function = named(_SETTING, name)
        if not callable(function):
            raise UsageError(f"{_SETTING} {name} is no function: expected module:function.")
        self._function = function
        self._lock = threading.Lock()
        self._token: tuple[str, float, str, dict[str, str]] | None = None
        self._renew_at = 0.0

    def prepare(self) -> None:
        """Fetch a token, so that a new client gets it at once. Raises :exc:`~tickwire.errors.KafkaFailed`."""
        self("")

    def __call__(self, _config: str) -> tuple[str, float, str, dict[str, str]]:
        """Give the library a token; may be called in any thread."""
        with self._lock:
            now = time.time()
            if self._token is None or now >= self._renew_at:
                self._token = token = self._call(now)
                self._renew_at = now + 0.75 * (token[1] - now)  # librdkafka asks for a new one at 80 %
            return self._token

    def _call(self, now: float) -> tuple[str, float, str, dict[str, str]]:
        try:
            token, ends, *more = self._function(self._argument)
            principal, extensions = [*more, "", {}][:2] if more else ("", {})
            seconds = float(ends) / 1000 if float(ends) > _MILLISECONDS else float(ends)
        except Exception as e:  # noqa: BLE001 - whatever it raises, there is no token
            raise self._failed(f"{type(e).__name__}: {e}") from None
        if not isinstance(token, str) or not token:
            raise self._failed(f"it returned a token of the type {type(token).__name__}, or an empty one")
        if seconds < now + _LEAST_LIFE_S:
            raise self._failed("its token has expired, or expires within 10 s")
        return token, seconds, str(principal), {**self._extensions, **extensions}

    def _failed(self, why: str) -> KafkaFailed:
        logger.error("kafka.no_token hook=%s error=%r", self._name, why)
        return KafkaFailed(f"There is no OAUTHBEARER token from {_SETTING} {self._name} ({why}).")
