"""Reads an exchange's REST interface: with retries, within its limits, with bounded answers."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import monotonic
from typing import Self, TypeVar

import aiohttp

from tickwire.errors import FrameRejected, RequestRefused
from tickwire.exchanges.contract import Limit, Reading, Request
from tickwire.wire.backoff import Backoff
from tickwire.wire.budget import WeightBudget

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 64 * 1024 * 1024
_TIMEOUT = aiohttp.ClientTimeout(total=30.0, sock_connect=10.0)
_AT_ONCE = 8  # concurrent requests of a group, so that a start with hundreds of symbols is no burst
_CHUNK = 256 * 1024
_MAX_ANSWER = 200  # bytes of a refusal that are shown
# 418 is Binance's ban after too many 429s, 403 its firewall's:
# https://developers.binance.com/docs/binance-spot-api-docs/rest-api/limits
_LIMITED = frozenset({403, 418, 429})
_DEFAULT_BLOCK_S = 30.0
_LONGEST_BLOCK_S = 3 * 24 * 3600.0  # the longest ban that Binance documents


T = TypeVar("T")


class _TryLater(Exception):
    """The server cannot serve this now."""

    def __init__(self, why: str, blocked_s: float | None = None) -> None:
        super().__init__(why)
        self.blocked_s = blocked_s  # how long no request may be sent; None: only this request backs off


class Rest:
    """Requests to one host. Sessions of one feed share it, so that they share its budget.

    *origin*: scheme, host and port. *random* gives numbers from 0 to 1. An async context manager.
    """

    def __init__(self, origin: str, limits: Iterable[Limit], random: Callable[[], float]) -> None:
        self._origin, self._random = origin.rstrip("/"), random
        self.budget = WeightBudget(limits)
        self.last_trouble = ""  # why the last request was not answered
        # One for each group and share, so that none waits for another's limit; first come, first served.
        self._turns: defaultdict[tuple[str, float], asyncio.Lock] = defaultdict(asyncio.Lock)
        self._slots = defaultdict[tuple[str, float], asyncio.Semaphore](lambda: asyncio.Semaphore(_AT_ONCE))

    async def __aenter__(self) -> Self:
        """Make the client, without connecting."""
        self._client = aiohttp.ClientSession(timeout=_TIMEOUT, cookie_jar=aiohttp.DummyCookieJar())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all connections."""
        await self._client.close()

    async def read(self, reading: Reading[T]) -> T:
        """Carry out the requests of *reading* one after the other, and return its result.

        Raises as :meth:`ask`, and :exc:`~tickwire.errors.FrameRejected` for unreadable answers.
        """
        try:
            request = next(reading)
            while True:
                request = reading.send(await self.ask(request))
        except StopIteration as e:
            found: T = e.value
            return found

    async def ask(self, request: Request, leaves: Callable[[], None] | None = None) -> bytes:
        """Send *request* and retry as long as the caller waits; cancel to give up. *leaves* is called before each try.

        Raises :exc:`~tickwire.errors.RequestRefused` if the exchange says that the request is wrong, and
        :exc:`~tickwire.errors.FrameRejected` for a body that is too large.
        """
        backoff = Backoff(self._random)
        while True:
            try:
                async with self._slots[request.group, request.share]:
                    await self._admit(request)
                    if leaves is not None:
                        leaves()
                    return await self._send(request)
            except _TryLater as e:
                if e.blocked_s is not None:
                    self.budget.block(monotonic() + e.blocked_s)
                wait = 0.0 if e.blocked_s else backoff.delay_s()
                self.last_trouble = str(e)
                logger.info(
                    "rest.retry path=%r why=%r blocked_s=%s wait_s=%.1f", request.path, str(e), e.blocked_s, wait
                )
                await asyncio.sleep(wait)

    async def _admit(self, request: Request) -> None:
        weight, group, share = request.weight, request.group, request.share
        async with self._turns[group, share]:
            while (wait := self.budget.wait_s(weight, monotonic(), group, share)) > 0:  # noqa: ASYNC110 - time alone tells
                await asyncio.sleep(wait)
            self.budget.spend(weight, monotonic(), group)

    async def _send(self, request: Request) -> bytes:
        path, body = request.path, request.body
        method, headers = ("GET", None) if body is None else ("POST", {"Content-Type": "application/json"})
        url = self._origin + path
        try:
            async with self._client.request(method, url, data=body, headers=headers, allow_redirects=False) as answer:
                if answer.status == 200:
                    return await _body(path, answer)
                text = (await answer.content.read(_MAX_ANSWER)).decode(errors="replace")
                raise _refusal(path, answer.status, answer.headers, text)
        except (aiohttp.ClientError, TimeoutError, OSError) as e:
            raise _TryLater(f"{type(e).__name__}: {e}") from e


async def _body(path: str, answer: aiohttp.ClientResponse) -> bytes:
    """Read and decompress the body; the limit applies to the decompressed size."""
    body = bytearray()
    async for chunk in answer.content.iter_chunked(_CHUNK):
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise FrameRejected("oversize", f"the body of {path!r} has more than {MAX_BODY_BYTES} bytes")
    return bytes(body)


def _refusal(path: str, status: int, headers: Mapping[str, str], text: str) -> Exception:
    """The exception for a refusal: temporary or final."""
    blocked_s = retry_after_s(headers.get("Retry-After"), datetime.now(UTC))
    if status in _LIMITED:
        return _TryLater(f"status {status}", _DEFAULT_BLOCK_S if blocked_s is None else blocked_s)
    if status >= 500 or status == 408:
        return _TryLater(f"status {status}", blocked_s if status == 503 else None)
    return RequestRefused(path, status, text)  # redirects too: only the requested host may answer


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Seconds that ``Retry-After`` asks for, as a number or a date (RFC 9110, 10.2.3); None if it is neither.

    The result is at most the longest documented ban, whatever a server writes.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(min(int(value[:12]), int(_LONGEST_BLOCK_S)))
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    if date.tzinfo is None:  # "-0000": UTC without a promise about the place
        date = date.replace(tzinfo=UTC)
    return min(max(0.0, (date - now).total_seconds()), _LONGEST_BLOCK_S)
