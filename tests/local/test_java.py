"""Reading what `java -version` says, and explaining why a Java cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest
from assay_local.errors import JavaUnavailable
from assay_local.java import find_java, parse_version, usable_java, why_unusable


@pytest.mark.parametrize(
    ("text", "major"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "25" 2025-09-16', 25),
        ('java version "1.8.0_392"', 8),
        ("The operation couldn't be completed. Unable to locate a Java Runtime.", 0),
    ],
)
def test_the_major_version_is_read(text: str, major: int) -> None:
    assert parse_version("java", text).major == major


def test_two_builds_of_one_version_are_told_apart() -> None:
    builds = {parse_version("java", f'openjdk version "17.0.15"\nbuild {number}').build for number in (1, 2)}
    assert len(builds) == 2


def test_an_old_java_is_named_with_its_mend() -> None:
    reason = why_unusable(parse_version("/opt/java", 'version "11.0.2"'))
    assert reason is not None
    assert "/opt/java is Java 11: 17 or newer" in reason


def test_a_java_that_does_not_run_is_none_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "bin" / "java"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert find_java() is None
    with pytest.raises(JavaUnavailable, match="KAFKA_BOOTSTRAP_SERVERS"):
        usable_java()


def test_the_java_of_java_home_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "bin" / "java"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho 'openjdk version \"21.0.1\"' >&2\n")
    fake.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    found = find_java()
    assert found is not None
    assert (found.command, found.major) == (str(fake), 21)
