"""The scores of both sides beside each other, and whether they are the same within noise.

Never measures time.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

from benchmarks.peer.experiment import ARMS, BENCHMARKS

Scores = dict[tuple[str, str], list[float]]
"""(arm, benchmark) to each seed's mean."""


def hand_scores(results: Path, seeds: int) -> Scores:
    """Out of lm_eval's result files."""
    scores: Scores = {}
    names = {"control": ["control"], **{arm: [f"{arm}-{seed}" for seed in range(seeds)] for arm in ARMS}}
    for arm, folders in names.items():
        for name in folders:
            (file,) = (results / name).rglob("results_*.json")
            found = json.loads(file.read_text(encoding="utf-8"))["results"]
            for benchmark, metric in zip(BENCHMARKS, ("numeric", "bits_per_byte"), strict=True):
                score = found[f"assay_peer_{benchmark}"][f"{metric},none"]
                scores.setdefault((arm, benchmark), []).append(score)
    return scores


def compared(ours: Scores, theirs: Scores) -> list[dict[str, Any]]:
    """Both sides' scores and whether they are the same within noise."""
    rows = []
    for benchmark in BENCHMARKS:
        spread = pooled_sd([side[arm, benchmark] for side in (ours, theirs) for arm in ARMS])
        for arm in ("control", *ARMS):
            left, right = ours[arm, benchmark], theirs[arm, benchmark]
            delta = statistics.mean(left) - statistics.mean(right)
            error = spread * (1 / len(left) + 1 / len(right)) ** 0.5
            same = abs(delta) <= (1e-3 if arm == "control" else max(1e-3, 3 * error))
            rows.append(
                {
                    "arm": arm,
                    "benchmark": benchmark,
                    "assay": round(statistics.mean(left), 4),
                    "by_hand": round(statistics.mean(right), 4),
                    "standard_error": None if arm == "control" else round(error, 4),
                    "same": same,
                }
            )
    return rows


def pooled_sd(groups: list[list[float]]) -> float:
    """Of the seeds within each group, over all groups; 0 where no group has two seeds."""
    squares = sum(statistics.variance(group) * (len(group) - 1) for group in groups if len(group) > 1)
    freedom = sum(len(group) - 1 for group in groups)
    return float((squares / freedom) ** 0.5) if freedom else 0.0
