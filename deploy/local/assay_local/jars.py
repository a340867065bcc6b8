"""Apache Kafka's jars: fetched once with the user's own Maven into a cache folder.
Never names a repository: Maven's settings decide where jars come from.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay_local.errors import JarsUnavailable
from assay_local.java import find_java, why_unusable

KAFKA_VERSION = "4.1.1"
_SCALA_VERSION = "2.13"
_SLF4J_VERSION = "1.7.36"
_FETCH_TIMEOUT_S = 600

_POM = f"""\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>assay</groupId>
  <artifactId>kafka-jars</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_{_SCALA_VERSION}</artifactId>
      <version>{KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-simple</artifactId>
      <version>{_SLF4J_VERSION}</version>
    </dependency>
  </dependencies>
</project>
"""


def cache_folder() -> Path:
    """`$ASSAY_CACHE`, by default `~/.cache/assay`, with this Kafka version's folder in it."""
    root = os.environ.get("ASSAY_CACHE") or str(Path.home() / ".cache" / "assay")
    return Path(root) / f"kafka-{KAFKA_VERSION}"


def why_unavailable() -> str | None:
    """The reason why real Kafka cannot run on this machine, or None when it can."""
    if reason := why_unusable(find_java()):
        return reason
    if not complete() and shutil.which("mvn") is None:
        return "Maven (mvn) was not found, which fetches Kafka's jars"
    return None


def ensure_jars() -> Path:
    """The folder with Kafka's jars, fetched on first use (43 MB, about ten seconds).

    Raises JarsUnavailable when Maven is missing or fails.
    """
    folder = cache_folder()
    jars = folder / "jars"
    if complete():
        return jars
    with cache_lock():
        if not complete():
            _fetch(folder, jars)
    return jars


@contextmanager
def cache_lock() -> Iterator[None]:
    """Only one process at a time changes the cache folder, which is made when it is missing."""
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def complete() -> bool:
    """Whether the jars are in the cache."""
    return (cache_folder() / "jars" / f"kafka_{_SCALA_VERSION}-{KAFKA_VERSION}.jar").exists()


def _fetch(folder: Path, jars: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise JarsUnavailable("Maven (mvn) was not found; install it, or name a broker in KAFKA_BOOTSTRAP_SERVERS")
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        pom = Path(scratch) / "pom.xml"
        pom.write_text(_POM)
        fetched = Path(scratch) / "jars"
        _run_maven([maven, "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={fetched}"])
        shutil.rmtree(jars, ignore_errors=True)
        fetched.rename(jars)


def _run_maven(arguments: list[str]) -> None:
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=_FETCH_TIMEOUT_S)
    except subprocess.TimeoutExpired as late:
        raise JarsUnavailable(f"Maven did not fetch Kafka's jars within {_FETCH_TIMEOUT_S} s") from late
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-5:])
        raise JarsUnavailable(f"Maven could not fetch Kafka's jars; see its settings (~/.m2/settings.xml):\n{tail}")
