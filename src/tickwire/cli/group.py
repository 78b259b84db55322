"""A member of a group of collectors: its feeds serve the symbols that Kafka assigns, as long as that is confirmed."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import TimeoutError as NotInTime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from tickwire import metrics
from tickwire.config.alike import marks
from tickwire.config.kafka_config import KafkaConfig
from tickwire.config.share import GroupShare, part_of
from tickwire.errors import TickwireError
from tickwire.exchanges.contract import Symbol
from tickwire.kafka.sharing.member import Member, prepare
from tickwire.kafka.sharing.membership import Membership
from tickwire.records.codec import record_key

if TYPE_CHECKING:
    from tickwire.data_feed import WebSocketDataFeed
    from tickwire.kafka.producing.publisher import Publisher
    from tickwire.wire.books import EpochsOf, KeptEpochs

logger = logging.getLogger(__name__)

_LOOK_S = 0.1
_SETTLED_LOOK_S = 0.01
_LATE_S = 30.0  # a new member has its place in seconds
_END_S = 5.0  # for the event loop to do what the member asks for
_REPEAT_S = (2.0, 5.0)  # after a rebalance: a member that was away may have written old epochs behind newer ones


class PartEpochs:
    """The epochs of the books of one part, kept in Kafka; and on disk, for a later run without a group."""

    def __init__(self, membership: Membership, part: int, disk: "KeptEpochs | None") -> None:
        self._membership, self._part, self._disk = membership, part, disk
        self.last = membership.last(part)

    @property
    def most(self) -> int:
        """The highest clock time that may be given out now."""
        return self._membership.most(self._part)

    def may_begin(self, epoch: int) -> bool:
        """Whether the part is certainly ours, and Kafka has a promise that covers this epoch."""
        return self._membership.may_begin(self._part, epoch, time.monotonic())

    def given(self, epoch: int) -> None:
        """Note an epoch that begins now."""
        self._membership.begun(self._part, epoch)
        if self._disk is not None:
            self._disk.given(epoch)


class Group:
    """A member of the group *name* for feeds that publish through *publisher*.

    For each exchange they keep up to *standby* symbols of other members on standby.
    """

    def __init__(self, name: str, config: KafkaConfig, publisher: "Publisher", standby: int = 0) -> None:
        self._name, self._config, self._publisher = name, config, publisher
        self._sent = publisher.handing_over
        self._membership = Membership()
        self._feeds: Mapping[str, WebSocketDataFeed] = {}
        self._count = 1
        self._standby, self._member_name = standby, uuid4().hex
        self._serving: frozenset[int] | None = None  # nothing was said yet
        self._news = asyncio.Event()
        self._member: Member | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._changes = {how: metrics.GROUP_CHANGES.labels(name, how) for how in metrics.SHARE_CHANGES}
        metrics.GROUP_SHARES.labels(name).set(0)
        metrics.GROUP_CONFIRMED.labels(name).set(0)

    def epochs(self, exchange: str) -> "EpochsOf":
        """The source of epochs for the books of an exchange."""

        def epochs(symbol: Symbol) -> PartEpochs:
            part = part_of(record_key(exchange, symbol.canonical), self._count)
            return PartEpochs(self._membership, part, self._publisher.place.epochs)

        return epochs

    async def join(self, feeds: Mapping[str, "WebSocketDataFeed"]) -> None:
        """Become a member, once an earlier run's records are sent. Raises :exc:`~tickwire.errors.KafkaFailed`."""
        self._feeds, self._loop = feeds, asyncio.get_running_loop()
        self._tasks = [asyncio.create_task(self._tell_if_late())]
        self._count = await asyncio.to_thread(prepare, self._config, self._name)
        self._tasks += [asyncio.create_task(self._begin()), asyncio.create_task(self._look())]

    async def leave(self) -> None:
        """Leave the group; call it when all records are acknowledged or on disk."""
        for task in self._tasks:
            task.cancel()
        if self._member is not None:
            await asyncio.to_thread(self._member.leave)

    def stop(self) -> None:
        """Note that the feeds end."""
        if self._member is not None:
            self._member.stop()

    def waits_for(self) -> str | None:
        """What this member has been waiting for since it was asked to join; None: it is in the group."""
        if self._member is None:
            recovering = self._sent.recovering
            return "records of an earlier run that are on disk" if recovering else "answers about the group's topic"
        return None if self._member.joined else f"a place in the group (the client says: {self._member.client_state})"

    async def _tell_if_late(self) -> None:
        """Log what keeps this member out of the group, less and less often."""
        began, wait = time.monotonic(), _LATE_S
        while True:
            await asyncio.sleep(wait)
            if (what := self.waits_for()) is None:
                return
            logger.warning("group.waiting group=%s seconds=%.0f what=%r", self._name, time.monotonic() - began, what)
            wait *= 2

    async def _begin(self) -> None:
        while self._sent.recovering:  # noqa: ASYNC110 - readers may follow old books until ours are repeated
            await asyncio.sleep(_LOOK_S)
        self._member = Member(self._config, self._name, self._member_name, self._count, self._membership, self)
        self._member.start()

    async def _look(self) -> None:
        """Serve our parts, and update the metrics."""
        confirmed = metrics.GROUP_CONFIRMED.labels(self._name)
        while True:
            try:
                async with asyncio.timeout(_LOOK_S):
                    await self._news.wait()
            except TimeoutError:
                pass
            if self._news.is_set():
                self._news.clear()
                self._serve(self._membership.parts, "given")
            joined = self._member is not None and self._member.joined
            sure = not self._serving or self._membership.sure(time.monotonic())
            confirmed.set(joined and sure)

    def _serve(self, parts: frozenset[int], how: str) -> None:
        """Serve these *parts* from now on."""
        if parts == self._serving:
            return
        before, self._serving = self._serving or frozenset(), parts
        moved = parts ^ before
        self._sent.taken_back(self._of(parts))
        added = removed = 0
        for exchange, feed in self._feeds.items():
            share = GroupShare(
                exchange=exchange, parts=parts, count=self._count, standby=self._standby, member=self._member_name
            )
            change = feed.change_share(share)
            added, removed = added + len(change.added), removed + len(change.removed)
        self._sent.given_away(self._of(before - parts))  # after the ``invalid`` of their books
        metrics.GROUP_SHARES.labels(self._name).set(len(parts))
        self._changes[how].inc(len(moved))
        logger.info(
            "group.%s group=%s moved=%d shares=%d of=%d symbols_added=%d symbols_removed=%d",
            how, self._name, len(moved), len(parts), self._count, added, removed,
        )  # fmt: skip

    def _of(self, parts: frozenset[int]) -> Callable[[bytes], bool]:
        return lambda key: part_of(key, self._count) in parts

    # Called by the member, in its thread

    def outage(self) -> bool:
        """Whether Kafka acknowledges nothing now."""
        return self._sent.outage

    def floor(self) -> int:
        """An upper bound of this machine's epochs."""
        epochs = self._publisher.place.epochs
        return 0 if epochs is None else epochs.last

    def marks(self) -> str:
        """What tells our settings from those of other members."""
        return marks([feed.config for feed in self._feeds.values()], self._config)

    def hand_over(self, parts: frozenset[int], seconds: float) -> None:
        """Stop serving these *parts*, and wait until Kafka has acknowledged their last records."""
        self._do(self._hand_over(parts, seconds), seconds + _END_S)

    def give_up(self, parts: frozenset[int]) -> None:
        """Stop serving these *parts* at once; waiting records of their books are not sent any more."""
        self._do(self._give_up(parts), _END_S)

    def changed(self, *, rebalanced: bool) -> None:
        """Look at what is ours."""
        self._loop.call_soon_threadsafe(self._take_note, rebalanced)

    def failed(self, error: TickwireError) -> None:
        """End the run."""
        self._loop.call_soon_threadsafe(self._publisher.flows.failed, error)

    def _do(self, work: Coroutine[Any, Any, None], seconds: float) -> None:
        try:
            asyncio.run_coroutine_threadsafe(work, self._loop).result(seconds)
        except NotInTime:
            logger.error("group.late group=%s seconds=%g (it goes on)", self._name, seconds)  # noqa: TRY400 - says it all

    def _take_note(self, rebalanced: bool) -> None:
        self._news.set()
        if rebalanced:
            for feed in self._feeds.values():
                feed.repeat_books(*_REPEAT_S)

    async def _hand_over(self, parts: frozenset[int], seconds: float) -> None:
        until = time.monotonic() + seconds
        self._serve((self._serving or frozenset()) - parts, "handed_over")
        while not self._sent.settled(self._of(parts)):
            if time.monotonic() >= until:
                logger.warning("group.not_settled group=%s seconds=%g (the next goes on)", self._name, seconds)
                self._sent.overtaken(self._of(parts))
                return
            await asyncio.sleep(_SETTLED_LOOK_S)

    async def _give_up(self, parts: frozenset[int]) -> None:
        self._sent.overtaken(self._of(parts))  # before the ``invalid`` of their books
        self._serve((self._serving or frozenset()) - parts, "lost")
