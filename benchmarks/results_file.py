"""The file a benchmark leaves behind: figures, goal, command, versions, and the machine in words.

Never measures; names neither hosts nor folders. `begin` reads a benchmark's options and keeps what the file says.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "results"


def machine() -> str:
    """This machine in words: its cores, memory and GPU."""
    memory_gb = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9)
    gpu = "with a GPU" if shutil.which("nvidia-smi") else "no GPU"
    return f"{os.cpu_count()} cores, {memory_gb} GB, {gpu}"


def load() -> float:
    """The load average of the last minute: near 0 before a measurement that can be trusted."""
    return round(os.getloadavg()[0], 2)


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Python's version and those of installed packages."""
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in packages}}


def figures(name: str, folder: Path = FOLDER) -> dict[str, Any]:
    """The figures of the result `name`; none where it was never written."""
    path = folder / f"{name}.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["figures"] if path.is_file() else {}
    return found


def write(
    name: str,
    *,
    figures: Mapping[str, Any],
    goal: Mapping[str, str],
    command: str,
    packages: Sequence[str],
    load_before: float,
    notes: Sequence[str],
    wall_s: float,
    folder: Path = FOLDER,
) -> Path:
    """Write the result `name`.json and print its figures; `load_before` is `load()` from before the measurement."""
    document = {
        "name": name,
        "goal": dict(goal),
        "figures": dict(figures),
        "command": command,
        "notes": list(notes),
        "versions": versions(packages),
        "machine": machine(),
        "load_before": load_before,
        "wall_s": round(wall_s, 1),
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps(document["figures"], indent=2, ensure_ascii=False), flush=True)
    return path


@dataclass(frozen=True)
class Run:
    """One run of a benchmark: its options, and the load and the time when it began."""

    name: str
    given: argparse.Namespace
    command: str
    load_before: float = field(default_factory=load)
    began: float = field(default_factory=time.monotonic)

    def write(
        self, figures: Mapping[str, Any], *, goal: Mapping[str, str], packages: Sequence[str], notes: Sequence[str]
    ) -> Path:
        """Write the result into the folder that was asked for, and print its figures."""
        return write(
            self.name,
            figures=figures,
            goal=goal,
            command=self.command,
            packages=packages,
            load_before=self.load_before,
            notes=notes,
            wall_s=time.monotonic() - self.began,
            folder=self.given.output,
        )


Sizes = Mapping[str, tuple[int, str]]
"""Whole numbers that a benchmark is given: by option, the default and what it means."""


def begin(name: str, purpose: str | None, sizes: Sizes, arguments: Sequence[str] | None = None) -> Run:
    """Read the command line; the sizes are part of the result's command."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=(purpose or "").split("\n")[0])
    for option, (default, meaning) in sizes.items():
        parser.add_argument(f"--{option}", type=int, default=default, help=f"{meaning} (default {default})")
    parser.add_argument("--output", type=Path, default=FOLDER, help="folder of the result file")
    given = parser.parse_args(arguments)
    command = " ".join([parser.prog, *(f"--{option} {getattr(given, option)}" for option in sizes)])
    return Run(name, given, command)
