"""The parts that adapters share: subscriptions and their answers, and ways to keep a book in step.

An adapter adds its wire types, the texts of its requests, and small pure functions: how events follow each other
(:mod:`.continuity`), and a checksum. :class:`.adapter.KitAdapter` joins them.
"""

from tickwire.exchanges.kit.adapter import KitAdapter
from tickwire.exchanges.kit.books import StreamedBook, WholeBook
from tickwire.exchanges.kit.bridged import BridgedBook
from tickwire.exchanges.kit.compressed import gunzipped
from tickwire.exchanges.kit.continuity import (
    NO_NUMBER,
    BookEvent,
    Follows,
    Verdict,
    by_first,
    by_previous,
    by_range,
    by_step,
    by_time,
    chained,
    chained_on_snapshot,
    spans,
)
from tickwire.exchanges.kit.derived import DerivedAdapter
from tickwire.exchanges.kit.either import EitherBook
from tickwire.exchanges.kit.pages import pages
from tickwire.exchanges.kit.requested import RequestedBook
from tickwire.exchanges.kit.requests import Item, Method, Requests

__all__ = [
    "NO_NUMBER", "BookEvent", "BridgedBook", "DerivedAdapter", "EitherBook", "Follows", "Item", "KitAdapter",
    "Method", "RequestedBook", "Requests", "StreamedBook", "Verdict", "WholeBook", "by_first", "by_previous",
    "by_range", "by_step", "by_time", "chained", "chained_on_snapshot", "gunzipped", "pages", "spans",
]  # fmt: skip
