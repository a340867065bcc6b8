"""The Java on this machine: where it is, how old it is.
Never installs one.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass

from assay_local.errors import JavaUnavailable

OLDEST = 17
_TIMEOUT_S = 30


@dataclass(frozen=True)
class Java:
    """A `java` command; `build` tells this exact build from others."""

    command: str
    major: int
    build: str


def find_java() -> Java | None:
    """The Java of `$JAVA_HOME`, otherwise of the path; None when there is none that runs."""
    home = os.environ.get("JAVA_HOME")
    command = (shutil.which("java", path=f"{home}/bin") if home else None) or shutil.which("java")
    if command is None:
        return None
    try:
        done = subprocess.run([command, "-version"], capture_output=True, text=True, timeout=_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return parse_version(command, done.stderr + done.stdout)


def parse_version(command: str, text: str) -> Java:
    """What `java -version` says; the major version is 0 when it cannot be read."""
    found = re.search(r'version "(?:1\.)?(\d+)', text)
    return Java(command, int(found.group(1)) if found else 0, hashlib.sha256(text.encode()).hexdigest()[:12])


def why_unusable(java: Java | None) -> str | None:
    """Why Kafka cannot run on this Java, or None when it can."""
    if java is None:
        return f"no Java was found: install {OLDEST} or newer"
    if java.major < OLDEST:
        return f"{java.command} is Java {java.major}: {OLDEST} or newer is needed (JAVA_HOME may name it)"
    return None


def usable_java() -> Java:
    """The Java that Kafka runs on; raises JavaUnavailable when it is missing or too old."""
    java = find_java()
    if reason := why_unusable(java):
        raise JavaUnavailable(f"{reason}; or name a broker in KAFKA_BOOTSTRAP_SERVERS")
    assert java is not None
    return java
