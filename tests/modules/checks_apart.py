"""Checks that fork, run as a script in a process of their own: what they found, as a test reads it.

pytest's own process has threads, which a fork would not survive.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

PATIENCE_S = 400


def found_apart(checks: Path, folder: Path) -> dict[str, Any]:
    """The JSON object that the script writes to its first argument, with its last words as `log`; its second is a
    folder for its own use. Fails where it wrote nothing."""
    target = folder / "found.json"
    command = [sys.executable, str(checks), str(target), str(folder / "scratch")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert target.exists(), done.stderr[-3000:]
    return {**json.loads(target.read_text()), "log": done.stderr[-6000:]}
