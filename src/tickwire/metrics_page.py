"""Metrics of several processes as one page."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

Labels = tuple[tuple[str, str], ...]

_GREATEST = {"feed_last_frame_age_seconds", "kafka_outage_seconds"}  # the maximum counts, not the sum
_CUMULATIVE = ("counter", "histogram")
# Of the process_* and python_* metrics only these can be added up; the others are those of the serving process.
_OF_PROCESS = ("process_", "python_")
_ADDED = {"process_resident_memory_bytes", "process_virtual_memory_bytes", "process_cpu_seconds", "process_open_fds"}


@dataclass
class Family:
    """One metric: its type, its help text, and its values by sample name and labels."""

    kind: str
    help: str
    values: dict[tuple[str, Labels], float] = field(default_factory=dict)


Page = Mapping[str, Family]


def read_page(text: str) -> dict[str, Family]:
    """Parse the text that an exporter serves."""
    return page_of(text_string_to_metric_families(text))


def page_of(metrics: Iterable[Metric]) -> dict[str, Family]:
    """The page of these *metrics*, without going through text."""
    page: dict[str, Family] = {}
    for metric in metrics:
        family = page[metric.name] = Family(metric.type, metric.documentation)
        for sample in metric.samples:
            family.values[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
    return page


def only_counts(page: Page) -> dict[str, Family]:
    """The counters of a page, which stay true after its process has ended."""
    return {
        name: family for name, family in page.items() if family.kind in _CUMULATIVE and not name.startswith(_OF_PROCESS)
    }


def add_up(own: Page, others: Iterable[Page]) -> dict[str, Family]:
    """Add up all pages; *own* is that of the serving process."""
    total = {name: Family(family.kind, family.help, dict(family.values)) for name, family in own.items()}
    for page in others:
        for name, family in page.items():
            if name.startswith(_OF_PROCESS) and name not in _ADDED:
                continue
            into = total.setdefault(name, Family(family.kind, family.help)).values
            for sample, value in family.values.items():
                before = into.get(sample, 0.0)
                into[sample] = max(before, value) if name in _GREATEST else before + value
    return total


def exported(page: Page) -> Iterator[Metric]:
    """The page as metrics for an exporter."""
    for name, family in page.items():
        metric = Metric(name, family.help, family.kind)
        for (sample, labels), value in family.values.items():
            metric.add_sample(sample, dict(labels), value)
        yield metric


def total(page: Page, sample: str, **labels: str) -> int:
    """Sum the values of a sample that have these labels."""
    return int(sum(by_label(page, sample, None, **labels).values()))


def by_label(page: Page, sample: str, label: str | None, **labels: str) -> dict[str, int]:
    """Sum the values of a sample that have these *labels*, for each value of *label*."""
    found: dict[str, int] = {}
    wanted = labels.items()
    for family in page.values():
        for (name, pairs), value in family.values.items():
            if name == sample and wanted <= dict(pairs).items():
                of = dict(pairs).get(label or "", "")
                found[of] = found.get(of, 0) + int(value)
    return found
