"""How long it took, after each trouble, until all was well again. Pure."""

from collections.abc import Iterator, Sequence
from statistics import median
from typing import NamedTuple


class Recovery(NamedTuple):
    """One trouble that is over: from when it happened, or from when its cause ended, until all was well."""

    kind: str
    what: str
    seconds: float


def table(recoveries: Sequence[Recovery]) -> Iterator[str]:
    """Give a line for each trouble: how often, the slowest recovery and the median; slowest kinds first."""
    found: dict[tuple[str, str], list[float]] = {}
    for recovery in recoveries:
        found.setdefault(recovery[:2], []).append(recovery.seconds)
    yield f"  {'trouble':<34}{'times':>6}{'slowest s':>11}{'median s':>10}"
    for (kind, what), times in sorted(found.items(), key=lambda item: (item[0][0], -max(item[1]))):
        yield f"  {f'{kind}: {what}':<34}{len(times):>6}{max(times):>11.1f}{median(times):>10.1f}"
