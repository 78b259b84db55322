"""``tickwire init``: a settings file with every setting, and nothing set."""

import re
from pathlib import Path

import pytest

from tickwire.cli.main import main
from tickwire.config.feed_config import FeedConfig
from tickwire.config.kafka_config import KafkaConfig
from tickwire.config.loading import load_feed, load_kafka, load_log
from tickwire.config.log_config import LogConfig


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TICKWIRE_CONFIG", raising=False)
    return tmp_path / "tickwire.toml"


def run(*arguments: str) -> int | str | None:
    with pytest.raises(SystemExit) as ended:
        main(["init", *arguments], name="tickwire")
    return ended.value.code


def test_nothing_is_set_in_it_and_every_setting_is_named_with_its_meaning(file: Path) -> None:
    assert run() == 0
    text = file.read_text()
    assert (load_kafka(), load_feed(), load_log()) == (KafkaConfig(), FeedConfig(), LogConfig())
    flat = " ".join(text.replace("\n# ", " ").split())
    for model in (KafkaConfig, FeedConfig, LogConfig):
        for name, field in model.model_fields.items():
            written = "kraken_ws_url" if name == "urls" else name + "_file" * (name in model.secrets())
            assert re.search(rf"^#{written} = ", text, re.MULTILINE), written
            assert (field.description or "").replace("`", "") in flat
    assert max(map(len, text.splitlines())) <= 120


def test_every_default_in_it_is_what_it_stands_for(file: Path) -> None:
    assert run() == 0
    text = re.sub(r'^#(\w+ = (?!"").)', r"\1", file.read_text(), flags=re.MULTILINE)
    text = re.sub(r"^kraken_\w+ = .*$", "", text, flags=re.MULTILINE)
    file.write_text(text)
    assert len(re.findall(r"^\w+ = ", text, re.MULTILINE)) > 40
    assert (load_kafka(), load_feed(), load_log()) == (KafkaConfig(), FeedConfig(), LogConfig())


def test_a_file_that_is_there_is_left_as_it_is(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("[feed]\n")
    assert run() == 2
    assert file.read_text() == "[feed]\n"
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: 'tickwire.toml' is there already")


def test_a_folder_that_is_not_there_is_a_sentence(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("nowhere/tickwire.toml") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: Cannot write ")
