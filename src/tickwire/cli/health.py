"""``/health/live`` and ``/health/ready`` beside ``/metrics``, for liveness and readiness probes.

Readiness follows from the metrics, so a process that serves the metrics of all workers answers for all.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from tickwire.metrics_page import Page, by_label, page_of, total

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_STUCK_S = 60.0  # a consumer whose partitions are revoked may wait 20 s for its handlers and the last commit
_TEXT = [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")]

Troubles = Callable[[Page], Iterable[str]]


class Health:
    """Answers both probes of a process; *troubles* derives from its metrics why it is not ready."""

    def __init__(
        self, registry: CollectorRegistry, troubles: Troubles, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._registry, self._troubles, self._clock = registry, troubles, clock
        self._beat_at: float | None = None

    def beat(self) -> None:
        """Note a turn of the main loop; after the first call the process is live only while calls continue."""
        self._beat_at = self._clock()

    def beside(self, metrics: "WSGIApplication") -> "WSGIApplication":
        """A WSGI application that answers the two paths, and passes all others to *metrics*."""
        answers = {"/health/live": self._stuck, "/health/ready": self._not_ready}

        def serve(environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
            ask = answers.get(environ["PATH_INFO"])
            if ask is None:
                return metrics(environ, start)
            wrong = list(ask())
            start("503 Service Unavailable" if wrong else "200 OK", [*_TEXT])
            return [("\n".join(wrong or ["ok"]) + "\n").encode()]

        return serve

    def _stuck(self) -> Iterator[str]:
        if self._beat_at is not None and (seconds := self._clock() - self._beat_at) > _STUCK_S:
            yield f"The main loop has not gone round for {seconds:.0f} s."

    def _not_ready(self) -> Iterable[str]:
        yield from self._stuck()
        yield from self._troubles(page_of(self._registry.collect()))


def producer_troubles(page: Page, with_books: Collection[str]) -> Iterator[str]:
    """Why a producer is not ready: a feed or worker that does not run, an invalid book, its group, Kafka.

    *with_books* are the exchanges whose order books are read.
    """
    for state, workers in by_label(page, "feed_workers", "state").items():
        if workers and state != "running":
            yield f"Workers that are {state}: {workers}."
    group = by_label(page, "feed_group_confirmed", "group")  # members of a group may have no symbols
    for name in (name for name, confirmed in group.items() if not confirmed):
        yield f"The group {name} has not confirmed lately what this member serves."
    for exchange, feeds in by_label(page, "feed_running", "exchange").items():
        books, valid = (total(page, "feed_books", exchange=exchange, **of) for of in ({}, {"state": "valid"}))
        if not feeds:
            yield f"The feed of {exchange} does not run."
        elif valid < books:
            yield f"Order books of {exchange} that are not valid: {books - valid} of {books}."
        elif not books and exchange in with_books and not group:
            yield f"The symbols of {exchange} are not known yet."
    yield from _not_written(page, idle=bool(group) and not total(page, "feed_group_shares"))


def _not_written(page: Page, *, idle: bool) -> Iterator[str]:
    if seconds := total(page, "kafka_outage_seconds"):
        yield f"Kafka has acknowledged nothing for {seconds} s."
    elif not idle and not total(page, "kafka_messages_published_total"):
        yield "Kafka has acknowledged no record yet."


def consumer_troubles(page: Page) -> Iterator[str]:
    """Why a consumer is not ready: no assignment yet, or records whose schema the registry does not give."""
    if not total(page, "kafka_consumer_joined"):
        yield "The group has given this member no answer yet."
    if waiting := total(page, "kafka_consumer_partitions", state="waiting_for_registry"):
        yield f"Partitions that wait for the schema registry: {waiting}."
