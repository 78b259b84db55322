"""What adapters want from an exchange's REST interface: one request a symbol, asked again until it can be used."""

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

_BASE_S, _CAP_S = 1.0, 60.0  # between two requests for what was refused or could not be read
_ABOUT_THE_SYMBOL = frozenset({400, 404})  # other answers say something about us, our address or the host


class Fetches:
    """The requests of one connection.

    *act* takes the outputs that an answer gave, *failed* any error, *reject* a body that was no good (reason, detail).
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
        self._asked: dict[Symbol, Fetch] = {}  # those of them whose request is made

    def put(self, fetch: Fetch) -> None:
        """Carry out *fetch* instead of what is still to be fetched for its symbol.

        Where the same is asked for already, that answer is for *fetch*: the exchange has counted the request.
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
        """Whether something is still to be fetched."""
        return bool(self._tasks)

    def forget(self, symbol: Symbol) -> None:
        """Fetch nothing more for a symbol."""
        self._asked.pop(symbol, None)
        if (task := self._tasks.pop(symbol, None)) is not None:
            task.cancel()

    def cancel(self) -> None:
        """Fetch nothing more; the cancelled tasks wait for nothing, so they end with the next turn of the loop."""
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
        """Ask until there is an answer that the adapter can use, or one that is final for this symbol."""
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
