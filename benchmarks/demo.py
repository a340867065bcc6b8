"""How long the demo takes from nothing and again, and for how many fresh seed sets its verdicts come out right.

Runs the demo as a user does, each time as a process of its own; knows nothing of how it works.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import results_file

GOAL = {"cold_s": "<= 180", "again_s": "<= 15, every job reused"}
SEED_SETS_GOAL = {"right": ">= 9 of 10"}
PACKAGES = ("torch", "transformers", "lm_eval", "aiokafka")
RIGHT = {
    "clean on numeric": {"better"},
    "clean on perplexity": {"better"},
    "wrong on numeric": {"worse"},
    "wrong on perplexity": {"worse"},
    "placebo": {"tied", "underpowered"},
}
"""The verdicts that a right demo gives: the placebo must not be told from the arm whose data it has."""
SEEDS_A_SET = 3
FIRST_SEED = 1000
NOTES = [
    "cold_s: a state folder that is not there yet, the environment installed and Kafka's jars fetched; whole wall "
    "time of python -m examples.demo, from data to verdict, the system's start and stop included.",
    "again_s: the same command on the same state folder.",
]
SEED_SETS_NOTES = [
    "Each set trains three seeds that no earlier set had, on one running state folder, so that only what does not "
    "depend on the seeds is reused.",
    "Right means " + ", ".join(f"{name}: {' or '.join(sorted(words))}" for name, words in RIGHT.items()) + ".",
]


def demo(state: Path, seeds: list[int] | None = None) -> dict[str, Any]:
    """One demo's summary. Raises RuntimeError when it ends badly."""
    command = [sys.executable, "-m", "examples.demo", "--json", "--state", str(state)]
    if seeds:
        command += ["--seeds", *map(str, seeds)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the demo ended with code {done.returncode}: {done.stdout}")
    summary: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return summary


def mistakes(verdicts: Mapping[str, str]) -> list[str]:
    """What is not as it must be, in words."""
    found = []
    for about, right in RIGHT.items():
        given = {name: word for name, word in verdicts.items() if name == about or name.startswith(f"{about} on ")}
        found += [f"{name}: {word}" for name, word in given.items() if word not in right]
        found += [] if given else [f"{about}: no verdict"]
    return found


def time_it(folder: Path) -> dict[str, Any]:
    """The demo from nothing, and again."""
    figures: dict[str, Any] = {}
    for name in ("cold", "again"):
        began = time.monotonic()
        summary = demo(folder / "state")
        figures[f"{name}_s"] = round(time.monotonic() - began, 1)
        figures[name] = summary | {"mistakes": mistakes(summary["verdicts"])}
        print(f"   {name}: {figures[f'{name}_s']} s, {summary['reused']} of {summary['jobs']} jobs reused", flush=True)
    return figures


def try_seed_sets(folder: Path, sets: int) -> dict[str, Any]:
    """Demos of fresh seeds, as far as they came; one that breaks counts as not right."""
    tried = []
    for number in range(sets):
        first = FIRST_SEED + SEEDS_A_SET * number
        seeds = list(range(first, first + SEEDS_A_SET))
        try:
            summary = demo(folder / "state", seeds)
            wrong = mistakes(summary["verdicts"])
        except RuntimeError as error:
            summary, wrong = {"verdicts": {}}, [str(error)]
        tried.append({"seeds": seeds, "right": not wrong, "mistakes": wrong, "verdicts": summary["verdicts"]})
        print(f"   seeds {seeds}: {'; '.join(wrong) or 'right'}", flush=True)
    return {"right": sum(one["right"] for one in tried), "of": sets, "sets": tried}


def main() -> None:
    """Measure, write the result and print its figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.demo", description=__doc__)
    parser.add_argument("--seed-sets", type=int, metavar="N", help="instead of timing: try N fresh seed sets")
    parser.add_argument("--output", type=Path, default=results_file.FOLDER, help="folder of the result file")
    given = parser.parse_args()
    load, began = results_file.load(), time.monotonic()
    folder = Path(tempfile.mkdtemp())
    try:
        figures = try_seed_sets(folder, given.seed_sets) if given.seed_sets else time_it(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    results_file.write(
        "demo_seed_sets" if given.seed_sets else "demo",
        figures=figures,
        goal=SEED_SETS_GOAL if given.seed_sets else GOAL,
        command=f"python -m benchmarks.demo{f' --seed-sets {given.seed_sets}' if given.seed_sets else ''}",
        packages=PACKAGES,
        load_before=load,
        notes=SEED_SETS_NOTES if given.seed_sets else NOTES,
        wall_s=time.monotonic() - began,
        folder=given.output,
    )


if __name__ == "__main__":
    main()
