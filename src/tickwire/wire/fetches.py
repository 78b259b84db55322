"""REST requests of adapters: one at a time for each symbol, repeated until the answer can be used."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from random import Random

from msgspec.structs import replace

from tickwire.errors import FrameRejected, RequestRefused
from tickwire.exchanges.contract import AdapterContract, Fetch, Output, Refused, Request, Symbol
from tickwire.wire.backoff import Backoff
from tickwire.wire.books import Books
from tickwire.wire.clock import now_us
from tickwire.wire.rest import Rest
from tickwire.wire.subscriptions import Subscriptions

logger = logging.getLogger(__name__)

_BASE_S, _CAP_S = 1.0, 60.0  # between two attempts after a refused or unreadable answer
_ABOUT_THE_SYMBOL = frozenset({400, 404})  # other statuses are about us, our address or the host


class Fetches:
    """The requests of one connection.

    *act* takes the outputs of an answer, *failed* any error, *reject* reason and detail of an unusable body.
    """

    def __init__(
        self,
        adapter: AdapterContract,
        rest: Rest,
        books: Books,
        subscriptions: Subscriptions,
        random: Random,
        act: Callable[[list[Output]], None],
        failed: Callable[[Exception], None],
        reject: Callable[[str, str], None],
    ) -> None:
        self._adapter, self._rest, self._books, self._subscriptions = adapter, rest, books, subscriptions
        self._random, self._act, self._failed, self._reject = random, act, failed, reject
        self._tasks: dict[Symbol, asyncio.Task[None]] = {}
        self._asked: dict[Symbol, Fetch] = {}  # the fetches whose request has been sent

    def put(self, fetch: Fetch) -> None:
        """Carry out *fetch*, in place of one that is still pending for its symbol.

        If the same request was already sent, its answer is used for *fetch*: the exchange has counted it.
        """
        if fetch.why:
            self._books.troubles.note(fetch.symbol, fetch.why)
        asked = self._asked.get(fetch.symbol)
        if asked is not None and replace(fetch, why="") == replace(asked, delay_s=0.0, why=""):
            self._asked[fetch.symbol] = fetch
            return
        self.forget(fetch.symbol)
        self._tasks[fetch.symbol] = asyncio.get_running_loop().create_task(self._carry_out(fetch))

    @property
    def busy(self) -> bool:
        """Whether any fetch is pending."""
        return bool(self._tasks)

    def forget(self, symbol: Symbol) -> None:
        """Cancel the fetch of a symbol."""
        self._asked.pop(symbol, None)
        if (task := self._tasks.pop(symbol, None)) is not None:
            task.cancel()

    def cancel(self) -> None:
        """Cancel all fetches; the tasks end in the next turn of the event loop."""
        for task in self._tasks.values():
            task.cancel()

    async def _carry_out(self, fetch: Fetch) -> None:
        try:
            await asyncio.sleep(fetch.delay_s)
            outputs = await self._fetched(fetch)
        except Exception as e:  # noqa: BLE001 - the boundary to what a server sends; counted, logged, acted upon
            self._failed(e)
            return
        finally:
            if self._tasks.get(fetch.symbol) is asyncio.current_task():
                del self._tasks[fetch.symbol]
        self._act(outputs)

    async def _fetched(self, fetch: Fetch) -> list[Output]:
        """Repeat the request until the adapter can use the answer, or the answer is final for this symbol."""
        backoff = Backoff(self._random.random, _BASE_S, _CAP_S)
        told = False
        while True:
            try:
                self._asked[fetch.symbol] = fetch
                request = Request(fetch.path, weight=fetch.weight, group=fetch.group, share=fetch.share)
                try:
                    body = await self._rest.ask(request, partial(self._adapter.asking, fetch))
                finally:
                    fetch = self._asked.pop(fetch.symbol, fetch)
                return self._adapter.fetched(fetch, body, now_us())
            except RequestRefused as e:
                answer = f"status {e.status}: {e.answer}"
                if e.status in _ABOUT_THE_SYMBOL and not self._subscriptions.is_known(fetch.symbol):
                    return [Refused("orderbook", fetch.symbol, answer)]
                if not told:
                    told = True
                    logger.warning(
                        "feed.fetch_refused exchange=%s symbol=%r path=%r answer=%r (asked again)",
                        self._subscriptions.exchange, fetch.symbol.native, fetch.path, answer,
                    )  # fmt: skip
                self._books.troubles.note(fetch.symbol, answer)
            except FrameRejected as e:
                self._reject(e.reason, e.detail)
                self._books.troubles.note(fetch.symbol, e.detail)
            await asyncio.sleep(backoff.delay_s())
