"""The soak in its short form, which says nothing about memory; `make soak` is the long one."""

from pathlib import Path

import pytest

from soak.run import Soak
from tickwire.broker import ApacheCluster


@pytest.mark.slow_fault
@pytest.mark.kafka
@pytest.mark.timeout(600)
def test_a_minute_of_everything_at_once_loses_nothing(three_nodes: ApacheCluster, tmp_path: Path, unique: str) -> None:
    findings = Soak(three_nodes, tmp_path, unique, 60.0, seed=1).run()
    assert findings.violations() == []
    assert len(findings.log) > 5_000
