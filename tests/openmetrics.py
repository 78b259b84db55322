"""A strict reader of metrics."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families


def read_strictly(registry: CollectorRegistry) -> list[Metric]:
    """What a reader of OpenMetrics gets from an exporter of *registry*. Raises :exc:`ValueError` for what is none."""
    families: Iterable[Metric] = text_string_to_metric_families(generate_latest(registry).decode())  # type: ignore[no-untyped-call]
    return list(families)
