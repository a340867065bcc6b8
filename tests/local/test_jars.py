"""Fetching Kafka's jars with a stand-in for Maven."""

from __future__ import annotations

from pathlib import Path

import pytest
from assay_local import jars
from assay_local.broker_choice import choose_broker
from assay_local.errors import JarsUnavailable
from assay_local.mock import MockKafka
from assay_local.state import StateFolder

WORKING = """#!/bin/sh
echo run >> "$0.runs"
cp "$4" "$0.pom"
folder="${6#-DoutputDirectory=}"
mkdir -p "$folder"
touch "$folder/kafka_2.13-4.1.1.jar"
"""
FAILING = "#!/bin/sh\necho 'Could not resolve host' >&2\nexit 1\n"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the whole path, with a new enough Java in it; the cache is empty."""
    folder = tmp_path / "programs"
    folder.mkdir()
    install(folder, "java", "#!/bin/sh\necho 'openjdk version \"17.0.1\"' >&2\n")
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    return folder


def install(folder: Path, name: str, script: str) -> Path:
    program = folder / name
    program.write_text(script)
    program.chmod(0o755)
    return program


def test_jars_are_fetched_once(programs: Path) -> None:
    maven = install(programs, "mvn", WORKING)
    first = jars.ensure_jars()
    assert jars.ensure_jars() == first == jars.cache_folder() / "jars"
    assert Path(f"{maven}.runs").read_text() == "run\n"


def test_the_pom_names_no_repository(programs: Path) -> None:
    maven = install(programs, "mvn", WORKING)
    jars.ensure_jars()
    pom = Path(f"{maven}.pom").read_text()
    assert "kafka_2.13" in pom
    assert "repositor" not in pom


def test_a_failed_fetch_leaves_no_jars_and_tells_what_maven_said(programs: Path) -> None:
    install(programs, "mvn", FAILING)
    with pytest.raises(JarsUnavailable, match="Could not resolve host"):
        jars.ensure_jars()
    assert not jars.complete()
    install(programs, "mvn", WORKING)
    jars.ensure_jars()
    assert jars.complete()


def test_without_its_jars_the_system_takes_the_mock_and_says_why(programs: Path, tmp_path: Path) -> None:
    install(programs, "mvn", FAILING)
    lines: list[str] = []
    broker = choose_broker(StateFolder(tmp_path / "state"), "auto", lines.append)
    assert isinstance(broker, MockKafka)
    assert "memory only" in lines[-1]
    assert "Could not resolve host" in lines[-1]


def test_an_old_java_makes_the_system_take_the_mock_and_say_why(programs: Path, tmp_path: Path) -> None:
    install(programs, "java", "#!/bin/sh\necho 'openjdk version \"11.0.1\"' >&2\n")
    lines: list[str] = []
    assert isinstance(choose_broker(StateFolder(tmp_path / "state"), "auto", lines.append), MockKafka)
    assert "is Java 11" in lines[-1]
