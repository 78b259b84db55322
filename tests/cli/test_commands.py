"""Every command as a process: help, wrong usage, trouble at run time. One sentence each, never a traceback."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted(path.stem for path in (ROOT / "scripts").glob("[a-z]*.py"))
KAFKA_COMMANDS = [["produce"], ["consume"], ["topics", "--list"], ["check"], ["dlq", "inspect"], ["smoke", "e2e"]]


def run(*arguments: str, env: dict[str, str] | None = None, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | (env or {}),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def tickwire(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return run("-m", "tickwire", *arguments, env=env)


def one_sentence(done: subprocess.CompletedProcess[str], code: int) -> str:
    """Check that *done* ended with *code* and one error line, and return that line."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    errors = [line for line in done.stderr.splitlines() if line.lower().startswith("error: ")]
    assert len(errors) == 1, done.stderr
    return errors[0]


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_explains_itself(script: str) -> None:
    done = run("-m", f"scripts.{script}", "--help")
    assert done.returncode == 0, done.stderr
    assert f"python -m scripts.{script}" in done.stdout


@pytest.mark.parametrize("command", KAFKA_COMMANDS, ids=" ".join)
def test_kafka_commands_refuse_to_run_while_kafka_is_off(command: list[str]) -> None:
    assert "KAFKA_ENABLED" in one_sentence(tickwire(*command, KAFKA_ENABLED="false"), 2)


@pytest.mark.parametrize("command", [["topics", "--list"], ["produce"], ["consume", "--max", "1"]], ids=" ".join)
def test_an_unreachable_broker_is_named(command: list[str]) -> None:
    said = one_sentence(tickwire(*command, KAFKA_BROKERS="127.0.0.1:1"), 1)
    assert "127.0.0.1:1" in said
    assert "KAFKA_BROKERS" in said


@pytest.mark.parametrize("command", [["produce"], ["consume"]], ids=" ".join)
def test_a_taken_metrics_port_is_named_with_its_setting(command: list[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        env = {"KAFKA_ENABLED": "true", "KAFKA_METRICS_ENABLED": "true", "KAFKA_METRICS_PORT": port}
        said = one_sentence(tickwire(*command, **env), 1)
    assert port in said
    assert "KAFKA_METRICS_PORT" in said


def test_an_unwritable_report_is_named_before_anything_runs(tmp_path: Path) -> None:
    path = str(tmp_path / "missing" / "report.json")
    said = one_sentence(tickwire("produce", "--report", path, KAFKA_ENABLED="true"), 1)
    assert "--report" in said


def test_the_wiring_smoke_prints_what_the_specification_expects() -> None:
    done = run("scripts/validate_kafka_smoke.py", env={"PYTHONPATH": "."})
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["Publisher-disabled-ok", "Callbacks: 1", "Metrics-server-ok"]


def test_without_the_kafka_library_the_wiring_smoke_counts_no_callback(tmp_path: Path) -> None:
    blocker = "import sys\nsys.modules['confluent_kafka'] = None\n"
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as u\nfind = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'confluent_kafka' else find(name, *a)\n" + blocker
    )
    done = run("scripts/validate_kafka_smoke.py", env={"PYTHONPATH": f"{tmp_path}:."})
    assert done.returncode == 0, done.stderr
    assert "Callbacks: 0" in done.stdout.splitlines()
    said = one_sentence(run("-m", "tickwire", "produce", env={"PYTHONPATH": str(tmp_path), "KAFKA_ENABLED": "true"}), 2)
    assert "confluent-kafka" in said


@pytest.mark.parametrize("command", ["tickwire", "scripts.kafka_check"])
def test_ctrl_c_while_libraries_are_imported_ends_without_a_word(command: str, tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nraise SystemExit(3)\n")
    done = run("-m", command, env={"PYTHONPATH": str(tmp_path)})
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_ctrl_c_before_a_command_begins_ends_without_a_word() -> None:
    done = run("-c", "import os, signal\nimport tickwire.cli.main as cli\nfrom tickwire.__main__ import main\n"
               "cli.load_log = lambda: os.kill(os.getpid(), signal.SIGINT)\nmain(['exchanges'])")  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_a_reader_that_leaves_early_is_no_traceback() -> None:
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m tickwire config show | head -1"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["produce", "consume", "demo", "topics", "broker", "simulate", "dlq replay"])
def test_the_examples_in_the_help_stand_one_a_line(command: str) -> None:
    lines = [line.strip() for line in tickwire(*command.split(), "--help").stdout.splitlines()]
    assert not [line for line in lines if "\\b" in line]
    first = next(i for i, line in enumerate(lines) if line.startswith("Example"))
    assert f"tickwire {command}" in lines[first if ": " in lines[first] else first + 1]


def test_a_terminal_without_utf_8_gets_escapes_and_no_traceback() -> None:
    done = tickwire("config", "show", PYTHONIOENCODING="ascii", KAFKA_CLIENT_ID="币é")
    assert done.returncode == 0, done.stderr
    assert "KAFKA_CLIENT_ID\t\\u5e01\\u00e9\t" in done.stdout
