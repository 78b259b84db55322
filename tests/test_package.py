"""The built wheel is complete: it installs elsewhere and its command runs from there."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import tickwire

ROOT = Path(__file__).parents[1]


def test_the_wheel_installs_and_its_command_runs(tmp_path: Path) -> None:
    def run(*arguments: str, **env: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env=os.environ | env,
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("-m", "build", "--wheel", "--outdir", str(tmp_path), str(ROOT))
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = archive.namelist()
    assert "tickwire/py.typed" in held
    assert any(name.endswith("licenses/LICENSE") for name in held)
    assert not any(name.startswith(("tests/", "scripts/")) for name in held)

    site = tmp_path / "site"
    run("-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site), str(wheel))
    here = run("-c", "import tickwire; print(tickwire.__file__)", PYTHONPATH=str(site)).strip()
    assert Path(here).is_relative_to(site)
    command = (site / "bin" / "tickwire").read_text()
    assert "from tickwire.__main__ import main" in command
    assert "produce" in run(str(site / "bin" / "tickwire"), "--help", PYTHONPATH=str(site))


def test_what_programs_import_is_at_the_top_and_costs_nothing_until_it_is_asked_for() -> None:
    program = """
import sys
import tickwire
assert not [name for name in sys.modules if name.startswith("tickwire.")]
assert set(tickwire.__all__) <= set(dir(tickwire))
sys.modules["confluent_kafka"] = None  # as where it is not installed
for name in tickwire.__all__:
    getattr(tickwire, name)
from tickwire import KafkaConfig, WebSocketDataFeed
WebSocketDataFeed(kafka=KafkaConfig(enabled=False))
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Tickers"):
        tickwire.Tickers  # type: ignore[attr-defined]  # noqa: B018
