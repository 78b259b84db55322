"""A strict reader of OpenMetrics."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families


def read_strictly(registry: CollectorRegistry) -> list[Metric]:
    """The metrics that a reader gets from an exporter of *registry*. Raises :exc:`ValueError` for invalid ones."""
    families: Iterable[Metric] = text_string_to_metric_families(generate_latest(registry).decode())  # type: ignore[no-untyped-call]
    return list(families)
