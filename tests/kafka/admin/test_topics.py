"""Topics are created, compared, described, listed and deleted; the command says clearly what it did."""

import json
from dataclasses import replace

import pytest

from brokers import Kafka
from support import free_port
from tickwire.broker import EmbeddedBroker
from tickwire.cli.main import main
from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import KafkaFailed
from tickwire.kafka.admin.topics import ForeignTopic, TopicDiffers, Topics, TopicSpec, UnknownTopic, ensure_topics
from tickwire.kafka.clients import ClusterView


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run ``tickwire topics``: exit code, standard output, standard error."""
    with pytest.raises(SystemExit) as ended:
        main(["topics", *arguments])
    out, err = capsys.readouterr()
    code = ended.value.code
    assert isinstance(code, int)
    return code, out, err


def life_of_a_topic(bootstrap: str, name: str) -> Topics:
    topics = Topics(KafkaConfig(brokers=bootstrap, topic_partitions=2))
    spec = TopicSpec(name, partitions=3, replication=1, settings={"retention.ms": "86400000"})
    assert topics.create(spec) is True
    assert topics.create(spec) is False
    assert topics.create(TopicSpec(name)) is False
    details = topics.describe(name)
    assert (details.view.partitions, details.view.leaderless) == (3, ())
    assert details.retention_ms == 86_400_000
    assert name in [topic.name for topic in topics.list()]
    with pytest.raises(TopicDiffers, match=r"partitions 3 instead of 4 and retention\.ms 86400000 instead of 1000"):
        topics.create(TopicSpec(name, partitions=4, settings={"retention.ms": "1000"}))
    topics.delete(name)
    assert name not in [topic.name for topic in topics.list()]
    with pytest.raises(UnknownTopic, match=name):
        topics.delete(name)
    with pytest.raises(UnknownTopic, match=name):
        topics.describe(name)
    return topics


@pytest.mark.kafka
def test_a_topics_life(kafka: Kafka, unique: str) -> None:
    topics = life_of_a_topic(kafka.bootstrap, f"life.{unique}")
    topics.create(TopicSpec(f"plain.{unique}"))
    assert topics.describe(f"plain.{unique}").view.partitions == 2, "without a number the settings decide"


def test_a_topics_life_on_the_embedded_broker(embedded: EmbeddedBroker, unique: str) -> None:
    life_of_a_topic(embedded.bootstrap, f"life.{unique}")


@pytest.mark.kafka
def test_a_topic_that_another_process_makes_at_the_same_time_is_waited_for(
    kafka: Kafka, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka says that the name is taken before every answer lists the topic."""
    name, looks = f"race.{unique}", iter(range(3))
    config = KafkaConfig(brokers=kafka.bootstrap, topic_partitions=2)
    Topics(config).create(TopicSpec(name, partitions=5))
    view = Topics.view

    def late(topics: Topics, seconds: float = 5.0) -> ClusterView:
        seen = view(topics, seconds)
        if next(looks, None) is None:
            return seen
        return replace(seen, topics={other: there for other, there in seen.topics.items() if other != name})

    monkeypatch.setattr(Topics, "view", late)
    Topics(config).ensure([name])
    assert next(looks, None) is None
    assert Topics(config).describe(name).view.partitions == 5


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("spec", "advice"),
    [
        (TopicSpec("x" * 20, replication=99), "no more copies than there are brokers"),
        (TopicSpec("a b"), "choose a name"),
    ],
)
def test_what_kafka_refuses_is_explained(spec: TopicSpec, advice: str, kafka: Kafka) -> None:
    with pytest.raises(KafkaFailed, match=advice):
        Topics(KafkaConfig(brokers=kafka.bootstrap)).create(spec)


@pytest.mark.kafka
def test_missing_topics_are_created_at_start_unless_that_is_forbidden(kafka: Kafka, unique: str) -> None:
    names = [f"one.{unique}", f"two.{unique}"]
    with pytest.raises(KafkaFailed, match=rf"--create one\.{unique}.*--create two\.{unique}"):
        ensure_topics(KafkaConfig(brokers=kafka.bootstrap, create_topics=False), names)
    config = KafkaConfig(brokers=kafka.bootstrap, topic_partitions=5)
    assert ensure_topics(config, names) == dict.fromkeys(names, 1_048_588)  # Kafka's max.message.bytes
    topics = Topics(config).view().topics
    assert [topics[name].partitions for name in names] == [5, 5]
    ensure_topics(KafkaConfig(brokers=kafka.bootstrap, create_topics=False), names)


@pytest.fixture
def on_embedded(embedded: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_ENABLED", "true")
    monkeypatch.setenv("KAFKA_BROKERS", embedded.bootstrap)


@pytest.mark.usefixtures("on_embedded")
def test_the_command_creates_lists_describes_and_deletes(unique: str, capsys: pytest.CaptureFixture[str]) -> None:
    name = f"ticks.{unique}"
    asked = ("--create", name, "--partitions", "6", "--retention-ms", "86400000")
    assert run(capsys, *asked) == (0, f"created {name}\n", "")
    assert run(capsys, *asked) == (0, f"{name} exists already, as asked\n", "")
    code, _, err = run(capsys, "--create", name, "--partitions", "7")
    assert code == 1
    assert "partitions 6 instead of 7" in err
    assert name in run(capsys, "--list")[1]
    listed = {topic["topic"]: topic for topic in json.loads(run(capsys, "--list", "--json")[1])}
    assert listed[name]["partitions"] == 6
    described = json.loads(run(capsys, "--describe", name, "--json")[1])
    assert (described["partitions"], described["retention_ms"]) == (6, 86_400_000)
    assert "retention_ms: 86400000" in run(capsys, "--describe", name)[1]
    assert run(capsys, "--delete", name, "--yes") == (0, f"deleted {name}\n", "")
    code, _, err = run(capsys, "--delete", name, "--yes", "--json")
    assert code == 1
    assert f"no topic '{name}'" in err


@pytest.mark.usefixtures("on_embedded")
def test_deleting_needs_a_yes_where_nobody_can_be_asked(unique: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "--delete", f"ticks.{unique}")
    assert code == 2
    assert "--yes" in err


@pytest.mark.usefixtures("on_embedded")
@pytest.mark.parametrize(("typed", "code"), [("ticks", 0), ("tocks", 2)])
def test_deleting_on_a_terminal_needs_the_typed_name(
    typed: str, code: int, unique: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"ticks.{unique}"
    run(capsys, "--create", name)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: name.replace("ticks", typed))
    assert run(capsys, "--delete", name)[0] == code
    assert (name in run(capsys, "--list")[1]) is (code == 2)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "none was given"),
        (("--list", "--create", "a"), "--list and --create were given"),
        (("--list", "--partitions", "3"), "--partitions belongs to --create, not to --list"),
        (("--delete", "a", "--retention-ms", "3"), "--retention-ms belongs to --create"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert says in err


@pytest.mark.parametrize("name", ["__consumer_offsets", "__transaction_state", "__share_group_state", "_schemas"])
def test_what_belongs_to_kafka_is_neither_deleted_nor_made(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (("--delete", name, "--yes"), ("--delete", name), ("--create", name)):
        code, _, err = run(capsys, *arguments)
        assert code == 2
        assert err.count("\n") == 1
        assert f"'{name}' belongs to Kafka itself" in err
    with pytest.raises(ForeignTopic):
        Topics(KafkaConfig()).delete(name)


@pytest.mark.parametrize(
    ("words", "form"),
    [
        (("list",), "tickwire topics --list"),
        (("delete", "ticks"), "tickwire topics --delete ticks"),
        (("ls",), "tickwire topics --list"),
    ],
)
def test_a_word_for_an_option_is_answered_with_the_right_form(
    words: tuple[str, ...], form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, *words)
    assert code == 2
    assert f"`{form}`" in err


@pytest.mark.usefixtures("on_embedded")
def test_it_runs_where_nothing_says_whether_kafka_is_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAFKA_ENABLED")
    assert run(capsys, "--list")[0] == 0


def test_it_respects_that_kafka_is_switched_off(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_ENABLED", "false")
    code, _, err = run(capsys, "--list")
    assert code == 2
    assert "KAFKA_ENABLED" in err


def test_a_broker_that_is_not_there(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_ENABLED", "true")
    monkeypatch.setattr("tickwire.kafka.admin.topics.CONNECT_SECONDS", 0.1)
    code, _, err = run(capsys, "--list", "--brokers", f"nosuch.invalid:{free_port()}")
    assert code == 1
    assert err.count("\n") == 1
    assert "KAFKA_BROKERS" in err
