"""One experiment on real rows, by Assay and by hand: TRL's SFTTrainer and the lm_eval command line in scripts.

Same model, rows, steps and items on the same cores, in turn: by hand, by Assay, by hand, and so on; the wall time and
processor time of each, and the scores of both beside each other.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, median
from typing import Any

from benchmarks import results_file
from benchmarks.peer.experiment import ARMS, Size, gsm8k, write_data
from benchmarks.peer.scores import compared
from benchmarks.peer.sides import Taken, by_assay, by_hand
from benchmarks.processes import adopt_orphans

GOAL = {"ratio": "<= 0.33", "scores": "within noise: the difference less than three of its own standard errors"}
PACKAGES = ("torch", "transformers", "trl", "lm_eval", "datasets")
NOTES = [
    "A round is a run by Assay between two by hand; neighbours share the one between them. Its ratio is Assay's "
    "seconds by the mean of both, so that a machine whose pace changes is in both sides. Above the rounds stand their "
    "medians.",
    "assay_s: `assay up` on a new state folder, then `assay submit --wait` until the report is there; the stop of the "
    "system is not counted. running_s is the part after `assay up`.",
    "by_hand_s: benchmarks/peer/by_hand/run.sh, a process for each training (TRL's SFTTrainer) and each evaluated "
    "model (lm_eval run, both tasks at once), two at a time with one thread each.",
    "cpu_s: user and system time over the same span of all processes of that side; of Assay with broker, database and "
    "services, which outlive the commands that start them.",
    "Rows are cut from GSM8K by examples/gsm8k/prepare.py, which is not counted. Both see all rows, in different "
    "orders; every model is asked the same items, greedily. Scores are means over seeds.",
    "noise: per arm and benchmark, both sides' seed means; the standard error of their difference has the seeds' "
    "pooled spread over all arms. control has no seeds: its scores must be equal to 1e-3. The scores shown are those "
    "of the last round; same_scores is of all.",
]


def measure(folder: Path, size: Size, rounds: int) -> dict[str, Any]:
    """The sides in turn, beginning and ending by hand, and the figures."""
    data = folder / "data"
    write_data(gsm8k(), data, size)
    adopt_orphans()
    hand = [_said("by hand", by_hand(folder / "by_hand", data, size))]
    ours: list[Taken] = []
    for _ in range(rounds):
        ours.append(_said("by Assay", by_assay(folder / "by_assay", data, size)))
        hand.append(_said("by hand", by_hand(folder / "by_hand", data, size)))
    return {**figures(ours, hand), "size": {**vars(size), "arms": len(ARMS)}}


def _said(who: str, taken: Taken) -> Taken:
    print(f"   {who}: {taken.seconds:.0f} s, {taken.cpu_s:.0f} s of processor time", flush=True)
    return taken


def figures(ours: Sequence[Taken], hand: Sequence[Taken]) -> dict[str, Any]:
    """Every round and the medians; `hand` has the run before each of ours, and one after the last."""
    rounds = [round_of(one, *around) for one, around in zip(ours, itertools.pairwise(hand), strict=True)]
    middle = {name: round(median(each[name] for each in rounds), 3) for name in rounds[0] if name.startswith("ratio")}
    scores = [compared(one.scores, other.scores) for one, other in zip(ours, hand[1:], strict=True)]
    return {
        **middle,
        "assay_s": median(each["assay_s"] for each in rounds),
        "by_hand_s": median(round(one.seconds, 1) for one in hand),
        "rounds": rounds,
        "same_scores": all(row["same"] for rows in scores for row in rows),
        "scores": scores[-1],
    }


def round_of(ours: Taken, before: Taken, after: Taken) -> dict[str, Any]:
    """One run by Assay against the mean of the runs by hand right before and after it."""
    hand = (before, after)
    hand_s, hand_cpu_s = mean(one.seconds for one in hand), mean(one.cpu_s for one in hand)
    return {
        "ratio": round(ours.seconds / hand_s, 3),
        "ratio_running": round(ours.running_s / hand_s, 3),
        "ratio_cpu": round(ours.cpu_s / hand_cpu_s, 3),
        "assay_s": round(ours.seconds, 1),
        "running_s": round(ours.running_s, 1),
        "assay_cpu_s": round(ours.cpu_s, 1),
        "by_hand_s": [round(one.seconds, 1) for one in hand],
        "by_hand_cpu_s": [round(one.cpu_s, 1) for one in hand],
    }


def main() -> None:
    """Measure, write the result and print its figures."""
    sizes = {
        "steps": (100, "of each training"),
        "items": (100, "of each benchmark"),
        "seeds": (2, "of each arm"),
        "rounds": (1, "runs by Assay, each between two by hand"),
    }
    run = results_file.begin("peer", __doc__, sizes)
    folder = Path(tempfile.mkdtemp()).resolve()
    try:
        size = Size(run.given.steps, run.given.items, run.given.seeds)
        found = measure(folder, size, max(1, run.given.rounds))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    run.write(found, goal=GOAL, packages=PACKAGES, notes=NOTES)


if __name__ == "__main__":
    main()
