"""The units of systemd: it understands every line of them."""

import re
import sys
from pathlib import Path
from subprocess import run as start

import pytest

from deploy.tools import DEPLOY, ROOT, need

UNITS = sorted((DEPLOY / "systemd").glob("*.service"))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_takes_it_without_a_word(unit: Path, tmp_path: Path) -> None:
    program = need("systemd-analyze", "systemd")
    installed = str(Path(sys.executable).with_name("tickwire"))
    (tmp_path / unit.name).write_text(unit.read_text().replace("/opt/tickwire/bin/tickwire", installed))
    done = start([program, "verify", str(tmp_path / unit.name)], capture_output=True, text=True, check=False)
    # Warnings do not change the exit code.
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_they_end_in_order_and_their_settings_are_ours() -> None:
    assert len(UNITS) == 2
    documented = (ROOT / "docs/settings.md").read_text()
    for unit in UNITS:
        text = unit.read_text()
        assert "KillMode=mixed" in text
        for name in re.findall(r"\b(KAFKA_[A-Z_]+)=", text):
            assert f"| `{name}` |" in documented
