"""Figures, sums and problems of a running system, from metrics pages and the offsets of groups. Pure."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tickwire.metrics_page import Page, add_up, by_label, total

KEPT = 900  # points of each line
GROUP_IS_BEHIND = 10_000  # records behind, from which a problem is shown
_SILENT_S = 60
_LATENCY = "kafka_producer_delivery_seconds"
_LOST = ("dropped", "failed")


@dataclass(frozen=True, slots=True)
class Group:
    """How many records a consumer group is behind the ends of our topics, by topic."""

    name: str
    state: str
    lag: Mapping[str, int]


@dataclass(slots=True)
class Figures:
    """The latest metrics pages and groups, and the lines made of them.

    ``pages`` has None for an address that does not answer. ``groups_unknown`` says why groups are unknown.
    """

    pages: dict[str, Page | None] = field(default_factory=dict)
    groups: Sequence[Group] = ()
    groups_unknown: str | None = None
    kafka_away_since_us: int | None = None
    behind: int = 0  # records not yet read here
    # For each second: time, records read, acknowledged, in the queue, on disk, latency of 50 % and of 99 %.
    lines: deque[list[float | None]] = field(default_factory=lambda: deque(maxlen=KEPT))
    _page: Page | None = None
    _before: Page | None = None
    _seconds: float = 0.0
    _losses: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=KEPT))  # second and total of losses

    def scraped(self, pages: dict[str, Page | None], seconds: float) -> None:
        """Take the current pages, *seconds* after the last ones."""
        same = [url for url in pages if pages[url]] == [url for url in self.pages if self.pages[url]]
        self.pages = pages
        known = [page for page in pages.values() if page is not None]
        self._before = self._page if same else None  # without a page there is no rate
        self._page = add_up(known[0], known[1:]) if known else None
        self._seconds = seconds

    def second(self, now_s: int, read: int) -> list[float | None]:
        """Add a point to each line: *read* records were read here in this second."""
        page = self._page
        point: list[float | None] = [now_s, read, None, None, None, None, None]
        if page is not None:
            point[3] = total(page, "kafka_producer_queue_messages")
            point[4] = total(page, "kafka_spill_records")
            if self._before is not None and self._seconds > 0:
                published = total(page, "kafka_messages_published_total")
                gone = published - total(self._before, "kafka_messages_published_total")
                point[2] = max(0, round(gone / self._seconds))
                point[5], point[6] = (quantile(self._before, page, share) for share in (0.5, 0.99))
            self._losses.append((now_s, sum(_outcomes(page).get(name, 0) for name in _LOST)))
        self.lines.append(point)
        return point

    def accounting(self) -> dict[str, Any] | None:
        """The outcomes of all messages by the metrics, and whether the sum is right; None without a page."""
        page = self._page
        if page is None:
            return None
        events = by_label(page, "feed_events_total", "type")
        outcomes = _outcomes(page)
        in_flight = total(page, "kafka_records_in_flight")
        return {
            "frames": total(page, "feed_frames_received_total"),
            "rejected": by_label(page, "feed_frames_rejected_total", "reason"),
            "events": events,
            "outcomes": outcomes,
            "in_flight": in_flight,
            "recovered": by_label(page, "kafka_spill_recovered_total", "outcome"),
            "consumed": by_label(page, "kafka_consumer_records_total", "result"),
            "gaps": total(page, "feed_gaps_total"),
            "resyncs": by_label(page, "feed_resyncs_total", "reason"),
            "reconnects": by_label(page, "feed_reconnects_total", "reason"),
            "left": sum(events.values()),
            "right": sum(outcomes.values()) + in_flight,
        }

    def words(self, now_us: int, rate: int) -> list[str]:
        """The problems, a sentence each; *rate* is the number of records read here per second."""
        said = []
        if self.kafka_away_since_us is not None:
            said.append(f"Kafka does not answer since {max(0, now_us - self.kafka_away_since_us) // 1_000_000} s")
        elif self.behind > max(20_000, 5 * rate):
            said.append(f"This page is {self.behind} records behind Kafka")
        said += [f"The metrics page {url} does not answer" for url, page in self.pages.items() if page is None]
        said += [
            f"The group {group.name} is {lag} records behind"
            for group in self.groups
            if (lag := sum(group.lag.values())) > GROUP_IS_BEHIND
        ]
        return said if self._page is None else said + self._of_page(self._page)

    def _of_page(self, page: Page) -> list[str]:
        said = []
        for exchange, age in by_label(page, "feed_last_frame_age_seconds", "exchange").items():
            if age > _SILENT_S and total(page, "feed_running", exchange=exchange):
                said.append(f"A connection to {exchange} has been silent for {age} s")
        if waiting := total(page, "kafka_spill_records"):
            said.append(f"{waiting} records wait on disk for Kafka")
        if self._losses and (lost := self._losses[-1][1] - self._losses[max(0, len(self._losses) - 60)][1]) > 0:
            said.append(f"{lost} records were dropped or failed in the last minute")
        found = self.accounting()
        if found is not None and found["left"] and found["left"] != found["right"] and len(self.pages) == 1:
            said.append(f"The sum is wrong: {found['left']} events, {found['right']} accounted for")
        return said


def _outcomes(page: Page) -> dict[str, int]:
    return by_label(page, "kafka_records_total", "outcome")


def quantile(before: Page, page: Page, share: float) -> float | None:
    """The latency in milliseconds below which a *share* of the acknowledgements between two pages came.

    Within a bucket it is interpolated linearly, as Prometheus does
    (https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile). None without
    acknowledgements.
    """
    old, new = _buckets(before), _buckets(page)
    counts = [(limit, count - old.get(limit, 0.0)) for limit, count in sorted(new.items())]
    if not counts or counts[-1][1] <= 0:
        return None
    wanted = share * counts[-1][1]
    low = below = 0.0
    for limit, count in counts:
        if count >= wanted:
            if limit == float("inf"):
                break
            inside = (wanted - below) / (count - below) if count > below else 1.0
            return round((low + (limit - low) * inside) * 1000, 2)
        low, below = limit, count
    return round(low * 1000, 2)


def _buckets(page: Page) -> dict[float, float]:
    family = page.get(_LATENCY)
    if family is None:
        return {}
    found: dict[float, float] = {}
    for (name, labels), value in family.values.items():
        if name == f"{_LATENCY}_bucket":
            limit = float(dict(labels).get("le", "inf"))
            found[limit] = found.get(limit, 0.0) + value
    return found
