"""Keeps the view up to date: one event loop reads Kafka, the groups and the metrics pages."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence

import aiohttp
from confluent_kafka import KafkaException

from tickwire.config.kafka_config import KafkaConfig
from tickwire.kafka.causes import said
from tickwire.metrics_page import Page, read_page
from tickwire.ui.figures import Figures
from tickwire.ui.reading import Groups, Onlooker
from tickwire.ui.state import Screen

logger = logging.getLogger(__name__)

MOST_BYTES = 8 * 1024 * 1024  # of a metrics page
_SCRAPE_S = 2.0
_GROUPS_S = 5.0
_TIMEOUT = aiohttp.ClientTimeout(total=2.0)
_LETTERS_S = 60  # dead letters of this last time are shown as a problem


class View:
    """The shown state, kept up to date by :meth:`run`; ``ticks`` counts seconds.

    Raises what :class:`~tickwire.ui.reading.Onlooker` raises.
    """

    def __init__(self, config: KafkaConfig, metrics: Sequence[str]) -> None:
        self.screen, self.figures = Screen(), Figures()
        self.ticks = 0
        self.rate = 0  # records read per second
        self.second_counts: list[int] = []
        self.point: list[float | None] = []
        self._metrics = tuple(metrics)
        self._kafka, self._groups = Onlooker(config), Groups(config)
        self._read = 0
        self._letters: deque[int] = deque([0] * _LETTERS_S, maxlen=_LETTERS_S)

    def words(self) -> list[str]:
        """The problems, a sentence each."""
        now = now_us()
        said_ = self.figures.words(now, self.rate) + self.screen.words(now)
        said_ += filter(None, (self._kafka.trouble, self._kafka.no_token))
        if letters := sum(self._letters):
            said_.append(f"{letters} dead letters came in the last minute")
        return said_

    async def run(self) -> None:
        """Run until cancelled."""
        works = (self._reading(), self._grouping(), self._scraping(), self._counting())
        tasks = [asyncio.create_task(work) for work in works]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            self._kafka.close()

    async def _reading(self) -> None:
        while True:
            batch = await asyncio.to_thread(self._kafka.read)
            self.screen.take(batch.records, batch.counts)
            self._read += batch.messages
            self._letters[-1] += batch.dead_letters
            if not self._kafka.away:
                self.figures.kafka_away_since_us = None
            elif self.figures.kafka_away_since_us is None:
                self.figures.kafka_away_since_us = now_us()

    async def _grouping(self) -> None:
        while True:
            try:
                self.figures.groups = await asyncio.to_thread(self._groups.ask)
                self.figures.groups_unknown = None
            except KafkaException as e:
                self.figures.groups, self.figures.groups_unknown = (), said(e)
            await asyncio.sleep(_GROUPS_S)

    async def _scraping(self) -> None:
        if not self._metrics:
            return
        before = 0.0
        async with aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=False) as session:
            while True:
                pages = await asyncio.gather(*(_page(session, url) for url in self._metrics))
                now = time.monotonic()
                self.figures.scraped(dict(zip(self._metrics, pages, strict=True)), now - before if before else 0.0)
                before = now
                await asyncio.sleep(_SCRAPE_S)

    async def _counting(self) -> None:
        due = time.monotonic()
        while True:
            due += 1.0
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self.rate, self._read = self._read, 0
            self.figures.behind = self._kafka.behind()
            self.second_counts = self.screen.second()
            self.point = self.figures.second(now_us() // 1_000_000, self.rate)
            self._letters.append(0)
            self.ticks += 1


async def _page(session: aiohttp.ClientSession, url: str) -> Page | None:
    try:
        async with session.get(url) as answer:
            if answer.status != 200:
                return None
            text = bytearray()
            async for part in answer.content.iter_any():
                text += part
                if len(text) > MOST_BYTES:
                    return None
            return read_page(text.decode("utf-8", "replace"))
    except (aiohttp.ClientError, TimeoutError, ValueError) as e:  # ValueError: not a metrics page
        logger.debug("ui.no_metrics url=%r error=%r", url, str(e))
        return None


def now_us() -> int:
    """Unix microseconds."""
    return time.time_ns() // 1000
