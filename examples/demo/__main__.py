"""Runs the demo: starts the system, submits the experiment, shows progress and the verdict, stops what it started.

Uses nothing but the commands the README names, and prints each before it runs it.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from assay_local.commands import Condition, status
from assay_local.state import StateFolder

from examples.wordproblems.__main__ import write_all

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
EXPERIMENT = HERE.parent / "demo.yaml"
ROWS, ITEMS, DATA_SEED = 4000, 300, 1
EXAMPLE = "example: python -m examples.demo --seeds 10 11 12"


class Commands:
    """Runs `assay` commands against one state folder, telling what it runs; `quiet` tells nothing."""

    def __init__(self, state: Path, quiet: bool) -> None:
        self._environment = {**os.environ, "ASSAY_HOME": str(state)}
        self._quiet = quiet

    def tell(self, line: str) -> None:
        if not self._quiet:
            print(line, flush=True)

    def run(self, *arguments: str, capture: bool = False) -> subprocess.CompletedProcess[str]:
        self.tell(f"\n$ assay {shlex.join(arguments)}")
        command = [sys.executable, "-m", "assay", *arguments]
        stdout = subprocess.PIPE if capture else None
        return subprocess.run(command, env=self._environment, stdout=stdout, text=True, check=False)


def experiment_file(state: Path, seeds: list[int] | None) -> Path:
    """Writes the demo's data; the experiment as it stands, or a copy of it with other seeds."""
    write_all(HERE / "data", ROWS, ITEMS, DATA_SEED)
    if not seeds:
        return EXPERIMENT
    document = yaml.safe_load(EXPERIMENT.read_text(encoding="utf-8"))
    document["seeds"] = seeds
    document["base_model"] = str(EXPERIMENT.parent / document["base_model"])
    for holder in (*document["arms"], *(one["parameters"] for one in document["benchmarks"])):
        holder["dataset"] = str(EXPERIMENT.parent / holder["dataset"])
    path = state / "experiment.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return path


def demonstrate(state: Path, seeds: list[int] | None, keep: bool, as_json: bool) -> int:
    """The whole demo; the exit code of the experiment."""
    began = time.monotonic()
    commands = Commands(state, quiet=as_json)
    state.mkdir(parents=True, exist_ok=True)
    file = experiment_file(state, seeds)
    was_up = status(StateFolder(state))[0] is Condition.RUNNING
    if not was_up and (started := commands.run("up", "--detach", capture=as_json)).returncode:
        return started.returncode
    try:
        answer = commands.run("submit", str(file), "--wait", *(["--json"] if as_json else []), capture=as_json)
    finally:
        if not was_up and not keep:
            commands.run("down", capture=as_json)
    seconds = time.monotonic() - began
    if as_json:
        report = json.loads(answer.stdout) if answer.returncode == 0 else {}
        print(json.dumps(summary(report, seconds)))
    else:
        commands.tell(f"\nThe demo took {seconds:.0f} s. Run it again: what was done is reused.")
        assay = shlex.quote(str(Path(sys.executable).with_name("assay")))
        commands.tell(f"Look around: export ASSAY_HOME={shlex.quote(str(state))}; {assay} up --detach; {assay} list")
    return answer.returncode


def summary(report: dict[str, Any], seconds: float) -> dict[str, Any]:
    """What a script wants to know of a demo: how long, how much was reused, and every declared verdict."""
    verdicts = {
        f"{one['arm']} on {one['benchmark']}": one["verdict"]
        for one in report.get("verdicts", [])
        if one["family"] in ("primary", "check")
    }
    known = ("experiment_id", "sentence", "jobs", "reused", "outcome")
    return {"seconds": round(seconds, 1), "verdicts": verdicts, **{key: report.get(key) for key in known}}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m examples.demo", description=__doc__.splitlines()[0], epilog=EXAMPLE
    )
    parser.add_argument("--state", type=Path, default=ROOT / ".assay", help="state folder (default: .assay here)")
    parser.add_argument("--seeds", type=int, nargs="+", help="training seeds (default: those of examples/demo.yaml)")
    parser.add_argument("--keep", action="store_true", help="leave the system running")
    parser.add_argument("--json", action="store_true", help="print one JSON document only")
    given = parser.parse_args()
    return demonstrate(given.state.resolve(), given.seeds, given.keep, given.json)


if __name__ == "__main__":
    sys.exit(main())
