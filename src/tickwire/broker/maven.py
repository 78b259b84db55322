"""Apache Kafka as Java libraries from Maven Central, fetched once into a folder."""

import fcntl
import logging
import re
import shutil
import subprocess
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
    lacking = [what for what in (_java_lacking(), _maven_lacking()) if what]
    if not lacking:
        return None
    return (
        f"Apache Kafka needs Java {JAVA_NEEDED} or later and Maven, but {' and '.join(lacking)}: "
        "install them, on Debian and Ubuntu with `apt-get install openjdk-17-jre-headless maven` (or a later JRE)."
    )


def fetch(cache: Path, version: str) -> Path:
    """Return the folder with the libraries of Kafka *version*, fetching them into *cache* when they are not there.

    Safe with any number of processes at a time, and after one was killed in the middle: the folder appears by a rename,
    under a lock. Raises :exc:`UsageError` without Java or Maven or when *cache* cannot be written, and
    :exc:`KafkaFailed` when Maven fails.
    """
    home = cache / "kafka" / version
    libs = home / "libs"
    if libs.is_dir():
        if lacking := _java_lacking():
            raise UsageError(f"Apache Kafka needs Java {JAVA_NEEDED} or later, but {lacking}: install it.")
        return libs
    if sentence := java_and_maven_missing():
        raise UsageError(sentence)
    try:
        home.mkdir(parents=True, exist_ok=True)
        with (home / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not libs.is_dir():
                logger.info("broker.fetch version=%s folder=%s", version, home)
                _fetch_locked(home, version).rename(libs)
    except OSError as error:
        raise UsageError(
            f"Apache Kafka cannot be kept in {str(home)!r} ({error.strerror}): make that folder writable."
        ) from error
    return libs


def _fetch_locked(home: Path, version: str) -> Path:
    part = home / "part"
    shutil.rmtree(part, ignore_errors=True)  # left by a fetch that was killed
    part.mkdir()
    pom = part / "pom.xml"
    pom.write_text(POM.format(kafka=version), encoding="utf-8")
    jars = part / "libs"
    command = ["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={jars}"]
    try:
        done = subprocess.run(  # noqa: S603 - no shell; the command is ours
            [*command, "-DincludeScope=runtime"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=FETCH_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise KafkaFailed(
            f"Maven did not fetch Apache Kafka {version} within {FETCH_SECONDS} s: "
            "check the connection to Maven Central, or the mirror in ~/.m2/settings.xml."
        ) from error
    if done.returncode or not (jars / f"kafka_2.13-{version}.jar").is_file():
        said = (done.stdout + done.stderr).strip().splitlines() or ["nothing"]
        raise KafkaFailed(
            f"Maven could not fetch Apache Kafka {version} (exit code {done.returncode}, it said {said[0][:300]!r}): "
            "check the version and the connection to Maven Central."
        )
    return jars


def _java_lacking() -> str | None:
    if shutil.which("java") is None:
        return "java was not found"
    said = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S607
    found = re.search(r'version "(\d+)', said)
    if found is None:
        return f"`java -version` does not tell its version (it said {said[:100]!r})"
    return f"java is of version {found[1]}" if int(found[1]) < JAVA_NEEDED else None


def _maven_lacking() -> str | None:
    return "mvn was not found" if shutil.which("mvn") is None else None
