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
from collections.abc import Iterator, Mapping
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
RESUMED_NOTE = "Tried in several sittings (--resume): the time, the load and the state folder are the last one's."


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


def try_seed_sets(folder: Path, sets: int, tried: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The figures after each demo of fresh seeds, `tried` ones included; one that breaks counts as not right."""
    for number in range(len(tried), sets):
        first = FIRST_SEED + SEEDS_A_SET * number
        seeds = list(range(first, first + SEEDS_A_SET))
        try:
            verdicts = demo(folder / "state", seeds)["verdicts"]
            wrong = mistakes(verdicts)
        except RuntimeError as error:
            verdicts, wrong = {}, [str(error)]
        tried.append({"seeds": seeds, "right": not wrong, "mistakes": wrong, "verdicts": verdicts})
        print(f"   seeds {seeds}: {'; '.join(wrong) or 'right'}", flush=True)
        yield {"right": sum(one["right"] for one in tried), "of": len(tried), "sets": tried}


def earlier_sets(folder: Path) -> list[dict[str, Any]]:
    """What an earlier run that was stopped has tried already."""
    path = folder / "demo_seed_sets.json"
    return list(json.loads(path.read_text())["figures"]["sets"]) if path.exists() else []


def main() -> None:
    """Measure, write the result and print its figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.demo", description=__doc__)
    parser.add_argument("--seed-sets", type=int, metavar="N", help="instead of timing: try N fresh seed sets")
    parser.add_argument("--resume", action="store_true", help="with --seed-sets: go on where the result file ends")
    parser.add_argument("--output", type=Path, default=results_file.FOLDER, help="folder of the result file")
    given = parser.parse_args()
    load, began = results_file.load(), time.monotonic()
    folder = Path(tempfile.mkdtemp())

    def write(name: str, figures: dict[str, Any], goal: dict[str, str], command: str, notes: list[str]) -> None:
        results_file.write(
            name,
            figures=figures,
            goal=goal,
            command=command,
            packages=PACKAGES,
            load_before=load,
            notes=notes,
            wall_s=time.monotonic() - began,
            folder=given.output,
        )

    try:
        if given.seed_sets:
            tried = earlier_sets(given.output) if given.resume else []
            command = f"python -m benchmarks.demo --seed-sets {given.seed_sets}"
            notes = SEED_SETS_NOTES + ([RESUMED_NOTE] if given.resume else [])
            for figures in try_seed_sets(folder, given.seed_sets, tried):
                write("demo_seed_sets", figures, SEED_SETS_GOAL, command, notes)
        else:
            write("demo", time_it(folder), GOAL, "python -m benchmarks.demo", NOTES)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
