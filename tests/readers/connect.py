"""Kafka Connect's libraries, fetched once into the cache of the tests as the broker's are."""

import fcntl
import shutil
import subprocess
from pathlib import Path

from brokers import CACHE
from tickwire.broker.apache import VERSION

_ARTEFACTS = (f"org.apache.kafka:connect-runtime:{VERSION}", f"org.apache.kafka:connect-file:{VERSION}")
_POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>tickwire</groupId><artifactId>connect</artifactId><version>1</version>
  <dependencies>{}</dependencies>
</project>
"""


def libraries() -> Path:
    """The folder with the libraries; it appears whole, by a rename under a lock."""
    home = CACHE / "connect" / VERSION
    libs, part = home / "libs", home / "part"
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not libs.is_dir():
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            (part / "pom.xml").write_text(_POM.format("".join(map(_dependency, _ARTEFACTS))))
            command = ["mvn", "-q", "-B", "-f", str(part / "pom.xml"), "dependency:copy-dependencies"]
            subprocess.run([*command, f"-DoutputDirectory={part / 'libs'}", "-DincludeScope=runtime"], check=True)
            (part / "libs").rename(libs)
    return libs


def _dependency(name: str) -> str:
    group, artefact, version = name.split(":")
    names = f"<groupId>{group}</groupId><artifactId>{artefact}</artifactId><version>{version}</version>"
    return f"<dependency>{names}</dependency>"
