"""Java libraries of readers, fetched once into the cache of the tests as the broker's are."""

import fcntl
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from brokers import CACHE

_POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>tickwire</groupId><artifactId>readers</artifactId><version>1</version>
  <dependencies>{}</dependencies>
</project>
"""


def libraries(name: str, version: str, artefacts: Iterable[str]) -> Path:
    """The folder with *artefacts* and what they need; it appears whole, by a rename under a lock.

    Each is ``group:artefact:version``, or ``group:artefact:version:type:classifier``.
    """
    home = CACHE / name / version
    libs, part = home / "libs", home / "part"
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not libs.is_dir():
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            (part / "pom.xml").write_text(_POM.format("".join(map(_dependency, artefacts))))
            command = ["mvn", "-q", "-B", "-f", str(part / "pom.xml"), "dependency:copy-dependencies"]
            subprocess.run([*command, f"-DoutputDirectory={part / 'libs'}", "-DincludeScope=runtime"], check=True)
            (part / "libs").rename(libs)
    return libs


def _dependency(name: str) -> str:
    tags = ("groupId", "artifactId", "version", "type", "classifier")
    parts = "".join(f"<{tag}>{part}</{tag}>" for tag, part in zip(tags, name.split(":"), strict=False))
    return f"<dependency>{parts}</dependency>"
