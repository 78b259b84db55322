"""A run of ``tickwire dlq replay``: alone, at its rate, told in the audit file, and stopped before it does harm."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError

from consumer_support import committed, config_for, create, read_all
from dead_letter_support import DOWN, WRONG_PRICE, bury, dlq_config, run, source
from kafka.dead_letters.replay_support import replay, values
from kafka.mock_cluster import OFFSET_FETCH, MockCluster
from support import eventually
from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import KafkaFailed
from tickwire.kafka.dead_letters.replay.group import GROUP, ReplayBusy, ReplayGroup
from tickwire.kafka.dead_letters.replay.routes import ReplayRules
from tickwire.kafka.dead_letters.replay.run import Replay, ReplayFull
from tickwire.kafka.dead_letters.selection import Selection

Output = pytest.CaptureFixture[str]


@pytest.mark.parametrize("code", [KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS])
def test_a_coordinator_that_is_only_being_made_is_waited_for(code: int) -> None:
    with MockCluster() as mock:
        config = config_for(mock.bootstrap, "x")
        mock.create_topic(config.dlq_topic, 1)
        mock.push_request_errors(OFFSET_FETCH, *[code] * 5)
        group = ReplayGroup(config, config.dlq_topic)
        assert group.handled({0: (3, 9)})[0].position == 3
        group.close()


@pytest.mark.kafka
def test_it_stops_at_the_first_record_that_cannot_be_sent(
    kafka: Any, unique: str, monkeypatch: pytest.MonkeyPatch, capsys: Output, state: Path
) -> None:
    config = dlq_config(kafka.bootstrap, unique, monkeypatch)
    create(config, config.dlq_topic)
    create(config, config.ticker_topic, settings={"max.message.bytes": "1000"})
    big = os.urandom(3000)
    bury(config, [source(config, 0, b"first")])
    bury(config, [source(config, 1, big)], DOWN)
    bury(config, [source(config, i, b"x") for i in range(2, 150)])
    assert run("replay", "--execute", "--rate", "1000") == 1
    assert "partition 0 offset 1 could not be sent" in capsys.readouterr().err
    [line] = [json.loads(text) for text in state.read_text().splitlines()]
    assert (line["ended"], "could not be sent" in line["error"]) == ("failure", True)
    assert 1 <= len(values(config)) < 150
    assert committed(config, config.dlq_topic, 1, GROUP) == [1]
    assert run("replay", "--execute", "--error-type", "validate") == 0
    assert Counter(values(config)) == Counter([b"first", *[b"x"] * 148])
    assert committed(config, config.dlq_topic, 1, GROUP) == [1]  # the big one is still there to be dealt with


@pytest.mark.kafka
def test_it_stops_before_it_forgets_what_it_left_out(config: KafkaConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tickwire.kafka.dead_letters.replay.group.METADATA_BYTES", 60)
    failures = [DOWN if os.urandom(1)[0] % 2 else WRONG_PRICE for _ in range(800)]
    bury(config, [source(config, i, b"%d" % i) for i in range(800)], *failures)
    with pytest.raises(ReplayFull):
        replay(config, selection=Selection(error_type="process"))
    sent = values(config)
    assert len(sent) % 100 == 0
    assert replay(config).sent.total() == 800 - len(sent)
    assert Counter(values(config)) == Counter(b"%d" % i for i in range(800))


@pytest.mark.kafka
def test_the_rate_is_kept(config: KafkaConfig) -> None:
    bury(config, [source(config, i) for i in range(40)])
    began = time.monotonic()
    assert replay(config, rate=20.0).sent.total() == 40
    assert time.monotonic() - began >= 1.0  # the first batch goes at once


@pytest.mark.kafka
def test_a_run_leaves_one_audit_line(config: KafkaConfig, state: Path, capsys: Output) -> None:
    bury(config, [source(config, i) for i in range(4)])
    assert run("replay", "--execute", "--key", "kraken|BTC-USD") == 0
    assert run("purge", "--all", "--topic-name-again", config.dlq_topic) == 0
    assert "sent 4 to" in capsys.readouterr().out
    first, second = (json.loads(line) for line in state.read_text().splitlines())
    assert (first["action"], first["topic"], first["sent"]) == ("replay", config.dlq_topic, {config.ticker_topic: 4})
    assert first["rules"]["selection"]["key"] == "kraken|BTC-USD"
    assert (first["ended"], first["error"], sum(first["positions"].values())) == ("end", None, 4)
    assert first["user"]
    assert (second["action"], sum(part["to"] - part["from"] for part in second["removed"])) == ("purge", 4)
    assert stat.S_IMODE(state.stat().st_mode) == 0o600


@pytest.mark.kafka
def test_without_an_audit_nothing_is_done(config: KafkaConfig, state: Path, capsys: Output) -> None:
    state.parent.write_text("a file, where the folder should be")
    bury(config, [source(config, 0)])
    assert run("replay", "--execute") == 1
    assert run("purge", "--all", "--topic-name-again", config.dlq_topic) == 1
    assert "audit file" in capsys.readouterr().err
    assert values(config) == []
    assert len(read_all(config, config.dlq_topic)) == 1


@pytest.mark.kafka
def test_a_second_one_is_refused_while_the_first_is_at_work(config: KafkaConfig, tmp_path: Path) -> None:
    bury(config, [source(config, i, b"%d" % i) for i in range(200)])
    first = start(tmp_path / "first", "--rate", "3")
    try:
        eventually(lambda: len(values(config)) >= 5, "the first one at work", 40)
        second = start(tmp_path / "second")
        assert second.wait(40) == 1
        assert "Another replay is at work" in (tmp_path / "second").read_text()
        assert first.poll() is None
    finally:
        first.terminate()
        first.wait(30)
    assert "Stopped by a signal" in (tmp_path / "first").read_text()
    replay(config)
    assert Counter(values(config)) == Counter(b"%d" % i for i in range(200))


@pytest.mark.kafka
def test_one_that_was_frozen_and_replaced_commits_nothing(config: KafkaConfig, tmp_path: Path) -> None:
    bury(config, [source(config, i, b"%d" % i) for i in range(60)])
    first = start(tmp_path / "first", "--rate", "10")
    try:
        eventually(lambda: len(values(config)) >= 5, "the first one at work", 40)
        first.send_signal(signal.SIGSTOP)
        assert start(tmp_path / "second").wait(40) == 0
        first.send_signal(signal.SIGCONT)
        assert first.wait(30) == 1
    finally:
        first.kill()
        first.wait()
    assert "Another replay is at work" in (tmp_path / "first").read_text()
    sent = values(config)
    assert set(sent) == {b"%d" % i for i in range(60)}
    assert len(sent) <= 60 + 2 * 10  # what was unacknowledged when it froze, and one batch when it woke
    assert replay(config).sent.total() == 0


@pytest.mark.kafka
def test_who_loses_the_place_in_the_group_stops_and_commits_nothing(config: KafkaConfig) -> None:
    """Both found the group empty, and joined at the same moment."""
    bury(config, [source(config, i, b"%d" % i) for i in range(250)])
    other = ReplayGroup(config, config.dlq_topic)
    joined: list[bool] = []

    def looked(done: int, _total: int) -> None:
        if done == 150 and not joined:
            joined.append(True)
            other._consumer.subscribe([config.dlq_topic], on_assign=other._on_assign, on_revoke=other._on_revoke)
            deadline = time.monotonic() + 5
            while time.monotonic() < deadline:  # the first learns of it with a heartbeat
                other._poll(0.1)

    try:
        with pytest.raises((ReplayBusy, KafkaFailed)):
            Replay(config, ReplayRules(), execute=True, replay_id="x", looked=looked).run()
    finally:
        other.close()
    assert replay(config).ended == "end"
    assert set(values(config)) == {b"%d" % i for i in range(250)}


def start(log: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    with log.open("wb") as file:
        command = [sys.executable, "-m", "tickwire", "dlq", "replay", "--execute", *arguments]
        return subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
