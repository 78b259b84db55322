"""Which compiled part is used: one that was built from the sources beside it, and no other."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tickwire import compiled
from tickwire.stamp import INTERFACE, mismatch, stamp

SOURCES = Path(compiled.__file__).with_name("native")


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    (tmp_path / "a.c").write_text("int a;")
    (tmp_path / "a.h").write_text("int b;")
    return tmp_path


def test_a_part_that_was_built_from_these_sources_is_used(sources: Path) -> None:
    assert mismatch(stamp(sources), sources) == ""


@pytest.mark.parametrize("changed", ["a.c", "a.h", "b.c"])
def test_a_part_that_was_built_from_other_sources_is_not(changed: str, sources: Path) -> None:
    built = stamp(sources)
    (sources / changed).write_text("int c;")
    assert stamp(sources) in mismatch(built, sources)


@pytest.mark.parametrize(
    ("built", "used"), [(f"{INTERFACE} 0a1b2c3d", True), (f"{INTERFACE + 1} 0a1b2c3d", False), ("", False)]
)
def test_where_there_are_no_sources_the_interface_counts(built: str, used: bool, tmp_path: Path) -> None:
    assert (mismatch(built, tmp_path / "none") == "") is used


def test_after_a_change_of_its_sources_a_part_is_not_used_and_that_is_said_once(tmp_path: Path) -> None:
    if compiled.native is None:
        pytest.skip("the compiled part was not built")
    shutil.copytree(SOURCES.parent, tmp_path / "tickwire")
    with (tmp_path / "tickwire/native/times.c").open("a") as source:
        source.write("/* more */\n")
    code = "from tickwire.cli.main import main; main(['--version'])"
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=True)
    assert "(not compiled: built from other sources" in run.stdout
    assert run.stderr.count("compiled part is not used") == 1
