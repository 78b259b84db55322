"""Fetching Apache Kafka, and saying what is missing for it. Maven and Java are played by small scripts here."""

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tickwire.broker import ApacheCluster, java_and_maven_missing
from tickwire.broker.maven import fetch, fetch_apicurio
from tickwire.errors import KafkaFailed, UsageError

# Takes -DoutputDirectory=X and puts the jar there; says that it ran.
MVN = """#!/bin/sh
echo run >> {log}
for word in "$@"; do case "$word" in -DoutputDirectory=*) out="${{word#*=}}";; esac; done
sleep 0.3
mkdir -p "$out" && echo jar > "$out/kafka_2.13-9.9.9.jar"
"""


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("sh", "mkdir", "sleep", "echo"):
        (folder / tool).symlink_to(f"/bin/{tool}")
    monkeypatch.setenv("PATH", str(folder))
    return folder


def tool(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(script, encoding="utf-8")
    (folder / name).chmod(0o755)


def java(folder: Path, version: str) -> None:
    tool(folder, "java", f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-04-15' >&2\n")


def test_nothing_is_missing_with_both(bin_folder: Path) -> None:
    java(bin_folder, "17.0.15")
    tool(bin_folder, "mvn", "#!/bin/sh\n")
    assert java_and_maven_missing() is None


def test_the_sentence_says_what_to_install(bin_folder: Path) -> None:
    sentence = java_and_maven_missing()
    assert sentence is not None
    assert "java was not found and mvn was not found" in sentence
    assert "apt-get install openjdk-17-jre-headless maven" in sentence


@pytest.mark.parametrize(("version", "major"), [("1.8.0_402", "1"), ("11.0.2", "11"), ("16", "16")])
def test_an_older_java_is_named(bin_folder: Path, version: str, major: str) -> None:
    java(bin_folder, version)
    tool(bin_folder, "mvn", "#!/bin/sh\n")
    assert f"java is of version {major}:" in str(java_and_maven_missing())


@pytest.mark.parametrize("version", ["17", "21.0.2", "25-ea"])
def test_a_later_java_will_do(bin_folder: Path, version: str) -> None:
    java(bin_folder, version)
    tool(bin_folder, "mvn", "#!/bin/sh\n")
    assert java_and_maven_missing() is None


def test_starting_without_java_is_a_usage_error(bin_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="java was not found"):
        ApacheCluster(1, tmp_path / "data", tmp_path / "cache").start()


FETCH = """
import sys
from pathlib import Path
from tickwire.broker.maven import fetch
print(fetch(Path(sys.argv[1]), "9.9.9"))
"""


def test_processes_that_fetch_at_the_same_time_fetch_once(bin_folder: Path, tmp_path: Path) -> None:
    java(bin_folder, "17")
    tool(bin_folder, "mvn", MVN.format(log=tmp_path / "log"))
    command = [sys.executable, "-c", FETCH, str(tmp_path / "cache")]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    answers = {child.communicate()[0].strip() for child in children}
    assert answers == {str(tmp_path / "cache/kafka/9.9.9/libs")}
    assert (tmp_path / "log").read_text() == "run\n"
    assert (tmp_path / "cache/kafka/9.9.9/libs/kafka_2.13-9.9.9.jar").is_file()


def test_a_fetch_that_was_killed_in_the_middle_is_done_again(bin_folder: Path, tmp_path: Path) -> None:
    java(bin_folder, "17")
    tool(bin_folder, "mvn", MVN.format(log=tmp_path / "log"))
    rest = tmp_path / "cache/kafka/9.9.9/part/libs"
    rest.mkdir(parents=True)
    (rest / "half.jar").write_text("ha")
    libs = fetch(tmp_path / "cache", "9.9.9")
    assert [jar.name for jar in libs.iterdir()] == ["kafka_2.13-9.9.9.jar"]


def test_what_is_fetched_needs_no_maven(bin_folder: Path, tmp_path: Path) -> None:
    java(bin_folder, "17")
    libs = tmp_path / "kafka/9.9.9/libs"
    libs.mkdir(parents=True)
    assert fetch(tmp_path, "9.9.9") == libs


def test_mavens_first_words_are_in_the_error_and_nothing_is_kept(bin_folder: Path, tmp_path: Path) -> None:
    java(bin_folder, "17")
    tool(bin_folder, "mvn", "#!/bin/sh\necho '[ERROR] no such version'\nexit 1\n")
    with pytest.raises(KafkaFailed, match=r"exit code 1.*no such version"):
        fetch(tmp_path, "9.9.9")
    assert not (tmp_path / "kafka/9.9.9/libs").exists()


def test_apicurios_archive_is_unpacked_with_its_long_names(bin_folder: Path, tmp_path: Path) -> None:
    """On Python 3.11.2, too, whose tarfile has no safe way to do it."""
    packed = tmp_path / "packed"
    (packed / "lib").mkdir(parents=True)
    (packed / "quarkus-run.jar").write_text("jar")
    (packed / "lib" / f"{'n' * 120}.jar").write_text("lib")
    with tarfile.open(tmp_path / "app.tar.gz", "w:gz", format=tarfile.PAX_FORMAT) as archive:
        archive.add(packed, ".")
    for name in ("tar", "gzip", "cp"):
        (bin_folder / name).symlink_to(f"/bin/{name}")
    put = f'cp {tmp_path}/app.tar.gz "$out/apicurio-registry-app-9.9.9-all.tar.gz"'
    tool(bin_folder, "mvn", MVN.format(log=tmp_path / "log").replace('echo jar > "$out/kafka_2.13-9.9.9.jar"', put))
    jar = fetch_apicurio(tmp_path / "cache", "9.9.9")
    assert jar.read_text() == "jar"
    assert [path.name for path in (jar.parent / "lib").iterdir()] == [f"{'n' * 120}.jar"]


def test_an_archive_that_is_none_is_said_and_nothing_is_kept(bin_folder: Path, tmp_path: Path) -> None:
    for name in ("tar", "gzip"):
        (bin_folder / name).symlink_to(f"/bin/{name}")
    said = 'echo jar > "$out/apicurio-registry-app-9.9.9-all.tar.gz"'
    tool(bin_folder, "mvn", MVN.format(log=tmp_path / "log").replace('echo jar > "$out/kafka_2.13-9.9.9.jar"', said))
    with pytest.raises(KafkaFailed, match="could not be unpacked"):
        fetch_apicurio(tmp_path / "cache", "9.9.9")
    assert not (tmp_path / "cache/apicurio/9.9.9/app").exists()


def test_a_cache_that_cannot_be_written_is_named(bin_folder: Path, tmp_path: Path) -> None:
    java(bin_folder, "17")
    tool(bin_folder, "mvn", "#!/bin/sh\n")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="Not a directory"):
        fetch(tmp_path / "file", "9.9.9")
