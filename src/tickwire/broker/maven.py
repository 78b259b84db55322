"""Fetches Apache Kafka and Apicurio from Maven Central, once, into a folder."""

import fcntl
import logging
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from tickwire.errors import KafkaFailed, UsageError

logger = logging.getLogger(__name__)

JAVA_NEEDED = 17  # https://kafka.apache.org/43/documentation.html#java
FETCH_SECONDS = 900

POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>tickwire</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{kafka}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
"""


def java_and_maven_missing() -> str | None:
    """Say in one sentence what Apache Kafka needs and this machine lacks, and how to install it; None if nothing."""
    lacking = [what for what in (_java_lacking(), _lacking("mvn")) if what]
    if not lacking:
        return None
    return (
        f"Apache Kafka needs Java {JAVA_NEEDED} or later and Maven, but {' and '.join(lacking)}: "
        "install them, on Debian and Ubuntu with `apt-get install openjdk-17-jre-headless maven` (or a later JRE)."
    )


def fetch(cache: Path, version: str) -> Path:
    """Return the folder with the libraries of Kafka *version*, fetching them into *cache* when they are not there.

    Safe with several processes at a time, and after one was killed: the folder is renamed into place under a lock.
    Raises :exc:`UsageError` without Java or Maven or when *cache* cannot be written, and :exc:`KafkaFailed` when Maven
    fails.
    """
    libs = cache / "kafka" / version / "libs"
    if libs.is_dir():
        if lacking := _java_lacking():
            raise UsageError(f"Apache Kafka needs Java {JAVA_NEEDED} or later, but {lacking}: install it.")
        return libs
    if sentence := java_and_maven_missing():
        raise UsageError(sentence)
    _appear(libs, "Apache Kafka", lambda part: _fetch_kafka(part, version))
    return libs


def fetch_apicurio(cache: Path, version: str) -> Path:
    """Return the jar of Apicurio *version*, among its libraries. Does not check Java; otherwise as :func:`fetch`."""
    folder = cache / "apicurio" / version / "app"
    if not folder.is_dir():
        if lacking := _lacking("mvn") or _lacking("tar"):
            raise UsageError(f"Apicurio needs Maven and tar, but {lacking}: install it.")
        _appear(folder, "Apicurio", lambda part: _fetch_apicurio(part, version))
    return next(path for pattern in ("*-runner.jar", "quarkus-run.jar") for path in folder.glob(pattern))


def _appear(folder: Path, what: str, make: Callable[[Path], Path]) -> None:
    """Let *make* fill a folder, then rename it to *folder*."""
    home = folder.parent
    try:
        home.mkdir(parents=True, exist_ok=True)
        with (home / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.is_dir():
                logger.info("broker.fetch version=%s folder=%s", home.name, home)
                part = home / "part"
                shutil.rmtree(part, ignore_errors=True)  # of a fetch that was killed
                part.mkdir()
                make(part).rename(folder)
    except OSError as error:
        raise UsageError(
            f"{what} cannot be kept in {str(home)!r} ({error.strerror}): make that folder writable."
        ) from error


def _fetch_kafka(part: Path, version: str) -> Path:
    pom = part / "pom.xml"
    pom.write_text(POM.format(kafka=version), encoding="utf-8")
    jars = part / "libs"
    goal = ["-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={jars}", "-DincludeScope=runtime"]
    _maven(goal, f"Apache Kafka {version}", jars / f"kafka_2.13-{version}.jar")
    return jars


def _fetch_apicurio(part: Path, version: str) -> Path:
    archive = part / f"apicurio-registry-app-{version}-all.tar.gz"
    artefact = f"io.apicurio:apicurio-registry-app:{version}:tar.gz:all"
    _maven(["dependency:copy", f"-Dartifact={artefact}", f"-DoutputDirectory={part}"], f"Apicurio {version}", archive)
    app = part / "app"
    app.mkdir()
    # Python before 3.11.4 has no safe tarfile.extractall(), and dependency:unpack (2.8) cuts names of 100 characters.
    done = subprocess.run(  # noqa: S603 - no shell; the command is ours
        ["tar", "-xzf", str(archive), "-C", str(app)],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise KafkaFailed(
            f"The archive of Apicurio {version} could not be unpacked (tar said {done.stderr.strip()[:300]!r}): "
            "check the room on the disk, then try again."
        )
    archive.unlink()
    return app


def _maven(goal: list[str], what: str, wanted: Path) -> None:
    """Run Maven, after which *wanted* must be there."""
    try:
        done = subprocess.run(  # noqa: S603 - no shell; the command is ours
            ["mvn", "-q", "-B", *goal],  # noqa: S607
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=FETCH_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise KafkaFailed(
            f"Maven did not fetch {what} within {FETCH_SECONDS} s: "
            "check the connection to Maven Central, or the mirror in ~/.m2/settings.xml."
        ) from error
    if done.returncode or not wanted.is_file():
        said = (done.stdout + done.stderr).strip().splitlines() or ["nothing"]
        raise KafkaFailed(
            f"Maven could not fetch {what} (exit code {done.returncode}, it said {said[0][:300]!r}): "
            "check the version and the connection to Maven Central."
        )


def find_java(needed: int) -> str:
    """Find a ``java`` of this version or later: on the path, or below /usr/lib/jvm.

    Raises :exc:`UsageError` where there is none.
    """
    for java in ("java", *sorted(map(str, Path("/usr/lib/jvm").glob("*/bin/java")))):
        if _java_lacking(java, needed) is None:
            return java
    raise UsageError(f"No Java {needed} or later was found on the path or in /usr/lib/jvm: install one.")


def _java_lacking(java: str = "java", needed: int = JAVA_NEEDED) -> str | None:
    if lacking := _lacking(java):
        return lacking
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S603
    found = re.search(r'version "(\d+)', said)
    if found is None:
        return f"`java -version` does not tell its version (it said {said[:100]!r})"
    return f"java is of version {found[1]}" if int(found[1]) < needed else None


def _lacking(program: str) -> str | None:
    return f"{program} was not found" if shutil.which(program) is None else None
