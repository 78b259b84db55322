"""The command line itself: version, help, and one form for everything that is wrong with the arguments."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tickwire import __version__, compiled
from tickwire.cli import consume, produce
from tickwire.cli.main import main


def run(*arguments: str) -> int | str | None:
    """Run the command line and return its exit code."""
    with pytest.raises(SystemExit) as ended:
        main(arguments, name="tickwire")
    return ended.value.code


def test_the_version_says_that_the_compiled_part_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compiled, "missing", "no compiler")
    assert run("--version") == 0
    assert capsys.readouterr().out == f"tickwire {__version__} (not compiled: no compiler)\n"


def test_the_version_says_that_the_compiled_part_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tickwire._native", reason="installed where no compiler was")
    assert run("--version") == 0
    assert capsys.readouterr().out == f"tickwire {__version__} (compiled)\n"


@pytest.mark.parametrize("missing", [True, False])
def test_consume_says_at_its_start_that_the_compiled_part_is_missing(
    missing: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compiled, "missing", "no compiler" if missing else "")
    monkeypatch.setenv("KAFKA_ENABLED", "true")
    assert run("consume", "--reset") == 2  # the next thing that it looks at
    *before, error = capsys.readouterr().err.splitlines()
    assert error.startswith("error: ")
    assert len(before) == missing


@pytest.mark.parametrize("columns", ["160", "80", "40"])
@pytest.mark.parametrize("group", ["", "dlq", "schemas", "smoke", "spill"])
def test_no_command_is_described_in_half_a_sentence(
    group: str, columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert run(*group.split(), "--help") == 0
    commands = capsys.readouterr().out.partition("Commands:\n")[2]
    assert re.match(r"  \w", commands)
    assert all(said.rstrip().endswith(".") for said in re.split(r"\n(?=  \w)", commands))
    assert "..." not in commands


def test_the_usage_of_topics_names_what_it_can_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("topics", "--help") == 0
    usage = " ".join(capsys.readouterr().out.partition("\n\n")[0].split())
    assert usage.startswith("Usage: tickwire topics --list | --create NAME | --describe NAME | --delete NAME")


@pytest.mark.parametrize(
    "arguments",
    ["--nope", "nope", "produce --workers x", "produce --workers 0", "exchanges x y", "dlq nope", "demo --seconds"],
)
def test_wrong_usage_is_said_like_every_other_error(arguments: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments.split()) == 2
    shown = capsys.readouterr()
    [line] = shown.err.splitlines()
    assert line.startswith("error: ")
    assert "--help" in line
    assert shown.out == ""


@pytest.mark.parametrize(
    ("command", "names"),
    [
        (["produce", "--exchange", "nowhere"], ["'nowhere': expected one of binance,", "kraken"]),
        (["produce", "--exchange", "bianance"], ["'bianance'; the closest are binance, binance_usdm:"]),
        (["produce", "--channels", "ticker,prices"], ["prices", "orderbook"]),
        (["produce", "--channels", "tickr"], ["'tickr' for binance; the closest is ticker:"]),
        (["produce", "--set", "KAFKA_LINGER_MS=soon"], ["KAFKA_LINGER_MS", "soon"]),
        (["produce", "--set", "FEED_BINANCE_WS_URL=http://127.0.0.1"], ["FEED_BINANCE_WS_URL", "ws://"]),
        (["produce", "--set", "KAFKA_SASL_PASSWORD=x"], ["KAFKA_SASL_PASSWORD_FILE"]),
        (["produce", "--group", "a b"], ["'a b'", "'.', '_' and '-'"]),
        (["produce", "--group", "a", "--workers", "2"], ["--group", "--workers", "each is a member"]),
        (["produce", "--standby", "3"], ["--standby", "--group"]),
        (["produce", "--group", "a", "--offline-start"], ["--group", "--offline-start"]),
        (["consume", "--handler", "no_such_module:handle"], ["no_such_module"]),
        (["consume", "--handler", "json:nothing"], ["nothing"]),
        (["consume", "--handler", "json"], ["json"]),
        (["consume", "--from", "yesterday"], ["yesterday", "beginning"]),
        (["topics", "--list", "--create", "a"], ["--list", "--create"]),
        (["topics"], ["--list"]),
        (["simulate", "--exchange", "nowhere"], ["nowhere"]),
        (["simulate", "--fault", "gremlins=1s"], ["gremlins"]),
        (["simulate", "--exchange", "karken"], ["'karken' cannot be simulated; the closest is kraken:"]),
        (["demo", "--exchange", "nowhere"], ["nowhere"]),
        (["demo", "--channels", "candles"], ["candles", "trade"]),
        (["demo", "--symbols", "BTCUSDT"], ["BTCUSDT", "LIVE=1"]),
        (["broker", "--nodes", "3"], ["--apache"]),
        (["export", "--from", "2026-01-31", "--symbols", ""], ["--symbols '' names nothing"]),
        (["export", "--from", "2026-01-31", "--channels", " , "], ["--channels ' , ' names nothing"]),
        (["watch", "--symbols", ","], ["--symbols ',' names nothing"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) and value[0].islower() else "",
)
def test_wrong_usage_is_one_sentence_and_exit_2(
    command: list[str], names: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(produce, "give_memory_back", lambda: None)  # the memory here is of the tests
    monkeypatch.setattr(consume, "give_memory_back", lambda: None)
    monkeypatch.setenv("KAFKA_ENABLED", "true")
    monkeypatch.setenv("KAFKA_BROKERS", "127.0.0.1:1")
    assert run(*command) == 2
    shown = capfd.readouterr()
    [said] = shown.err.splitlines()
    assert said.startswith("error: ")
    assert all(name in said for name in names), said
    assert shown.out == ""


def test_what_reads_exchanges_is_imported_by_the_commands_that_do() -> None:
    """It would be half of the time that every other command takes to start."""
    code = "import sys, tickwire.cli.main; sys.exit(bool({'aiohttp', 'picows'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


@pytest.mark.parametrize("arguments", ["", "dlq"])
def test_no_command_shows_the_commands(arguments: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments.split()) == 2
    assert "Commands:" in capsys.readouterr().err


def test_help_uses_a_wide_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    assert run("--help") == 0
    shown = capsys.readouterr().out
    assert "publish it to Kafka until Ctrl-C." in shown


def test_help_and_version_need_no_settings_that_can_be_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TICKWIRE_LOG_LEVEL", "loud")
    assert run("produce", "--help") == 0
    assert run("--version") == 0
    assert run("exchanges") == 2
    assert "TICKWIRE_LOG_LEVEL" in capsys.readouterr().err


def test_a_shell_completes_commands() -> None:
    asked = """
        eval "$(tickwire --show-completion)"
        COMP_WORDS=(tickwire dlq re) COMP_CWORD=2
        _tickwire_completion tickwire
        echo "${COMPREPLY[@]}"
    """
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    done = subprocess.run(["bash", "-c", asked], env={"PATH": path}, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("replay\n", "")
