"""One export: writes messages to files, and notes records that were left out."""

from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import RecordRejected
from tickwire.events.types import MarketEvent
from tickwire.export.columns import Unfit, rows, rows_of_events
from tickwire.export.depth import Depth
from tickwire.export.files import Writer
from tickwire.kafka.consuming.unread_books import unread_book
from tickwire.kafka.received import ReceivedRecord, value_reader
from tickwire.records.kinds import KIND_OF, topics_by_kind

_AHEAD = 2  # batches that may wait while one is written


class Export:
    """Writes batches of messages to one file for each kind, while the next batch is read; *files* closes them.

    *exact*: numbers as decimals instead of text. *levels*: books as their best levels after each message; 0: as one row
    for each level change. *symbols*: only these, as ``BTC-USD`` or ``kraken:BTC-USD``; None: all.
    """

    def __init__(
        self,
        config: KafkaConfig,
        files: ExitStack,
        folder: Path,
        form: str,
        *,
        exact: bool = False,
        levels: int = 0,
        symbols: Sequence[str] | None = None,
    ) -> None:
        self._folder, self._form, self._exact = folder, form, exact
        self._kinds = {topic: kind for kind, topic in topics_by_kind(config).items()}
        self._reader = value_reader(config)
        self._depth = Depth(levels, exact=exact) if levels else None
        self._symbols = None if symbols is None else pa.array(sorted(symbols), pa.string())
        self.writers: dict[str, Writer] = {}
        self.records = 0
        self.unreadable = 0
        self.first_unreadable = ""
        self._files = files

    def write(self, batches: Iterable[Sequence[Any]]) -> None:
        """Write everything. Raises ``OSError``, and what reading raises."""
        with ThreadPoolExecutor(1, "tickwire-export") as pool:
            waiting: list[Future[None]] = []
            for batch in batches:
                waiting.append(pool.submit(self._take, batch))
                if len(waiting) > _AHEAD:
                    waiting.pop(0).result()
            for future in waiting:
                future.result()

    def _take(self, messages: Sequence[Any]) -> None:
        by_kind: dict[str, list[Any]] = {}
        for message in messages:
            by_kind.setdefault(self._kinds[message.topic()], []).append(message)
        for kind, some in by_kind.items():
            self.records += len(some)
            table = self._depths(some) if kind == "orderbook" and self._depth else self._table(kind, some)
            if table is not None:
                self._write(kind, table)

    def _write(self, kind: str, table: pa.Table) -> None:
        if self._symbols is not None:
            names = pc.binary_join_element_wise(table["exchange"], table["symbol"], ":")
            wanted = pc.or_(pc.is_in(table["symbol"], self._symbols), pc.is_in(names, self._symbols))
            table = table.filter(wanted)
        if table.num_rows == 0:
            return
        writer = self.writers.get(kind)
        if writer is None:
            writer = self._files.enter_context(Writer(self._folder, kind, self._form, table.schema))
            self.writers[kind] = writer
        writer.write(table)

    def _table(self, kind: str, messages: Sequence[Any]) -> pa.Table | None:
        table = rows(kind, messages, exact=self._exact)
        return table if table is not None else self._one_by_one(kind, messages)

    def _one_by_one(self, kind: str, messages: Sequence[Any]) -> pa.Table | None:
        good: list[tuple[Any, MarketEvent]] = []
        for message in messages:
            try:
                event = ReceivedRecord.from_message(message, self._reader).event
            except RecordRejected as e:
                self._refuse(message, str(e))
                continue
            if KIND_OF[type(event)].name == kind:
                good.append((message, event))
            else:
                self._refuse(message, f"it is no {kind} message")
        return self._fitting(kind, good)

    def _fitting(self, kind: str, good: Sequence[tuple[Any, MarketEvent]]) -> pa.Table | None:
        """Make a table without records whose values do not fit."""
        if not good:
            return None
        messages, events = zip(*good, strict=True)
        try:
            return rows_of_events(kind, messages, events, exact=self._exact)
        except Unfit as e:
            if len(good) == 1:
                self._refuse(messages[0], f"no column has room for it ({e.__cause__})")
                return None
        half = len(good) // 2
        parts = (self._fitting(kind, good[:half]), self._fitting(kind, good[half:]))
        there = [part for part in parts if part is not None]
        return pa.concat_tables(there) if there else None

    def _depths(self, messages: Sequence[Any]) -> pa.Table:
        assert self._depth is not None  # noqa: S101 - see _take
        found = []
        for message in messages:
            record = unread_book(message) or ReceivedRecord.from_message(message, self._reader)
            try:
                found.append(self._depth.row(record))
            except RecordRejected as e:
                self._refuse(message, str(e))
        return self._depth.table([row for row in found if row is not None])

    def _refuse(self, message: Any, why: str) -> None:
        self.unreadable += 1
        if not self.first_unreadable:
            place = f"{message.topic()} partition {message.partition()} offset {message.offset()}"
            self.first_unreadable = f"{place}: {why}"
