"""How long it takes to judge stored responses again, from one Parquet file to another.

Made-up worked solutions; no model and no service runs.
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from assay_evaluator.samples import samples_to_parquet
from assay_schemas.results import Sample

from benchmarks import results_file

GOAL = {"numeric_s": "<= 30", "exact_match_s": "<= 30"}
PACKAGES = ("pyarrow", "pydantic")
NOTES = [
    "Responses of 60 words that end in an answer, four to an item; the command `assay rescore` runs, in a process of "
    "its own: its start, reading, judging, and writing the new file are counted."
]
SENTENCE = "so there are many apples and each of them costs 3 dollars which makes"
SCORERS: dict[str, list[str]] = {
    "numeric": ["--set", "tolerance=0.5"],
    "exact_match": ["--set", r"extract=#### (\S+)"],
}


def samples(count: int) -> list[Sample]:
    """Four responses to each item, of which some are right."""
    draw = random.Random(0)
    made = []
    for place in range(count):
        right = place // 4 % 97
        reasoning = " ".join(draw.choices(SENTENCE.split(), k=60))
        made.append(
            Sample(
                item_id=f"item-{place // 4}",
                item_index=place // 4,
                sample_index=place % 4,
                prompt=f"Question {place // 4}: how many?",
                target=str(right),
                response=f"{reasoning}\n#### {right if draw.random() < 0.4 else right + 1}",
                score=0.0,
                details=json.dumps({"answer": f"because\n#### {right}"}),
            )
        )
    return made


def seconds(path: Path, scorer: str, folder: Path) -> float:
    command = [sys.executable, "-m", "assay_evaluator.rescoring", str(path), "--scorer", scorer, *SCORERS[scorer]]
    began = time.perf_counter()
    subprocess.run([*command, "--output", str(folder)], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    """Measure, write the result and print its figures."""
    run = results_file.begin("rescoring", __doc__, {"samples": (100_000, "stored samples"), "runs": (5, "runs")})
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "samples.parquet")
        path.write_bytes(samples_to_parquet(samples(run.given.samples)))
        for scorer in SCORERS:
            measured = [seconds(path, scorer, Path(name, f"{scorer}-{place}")) for place in range(run.given.runs)]
            figures[f"{scorer}_s"] = round(statistics.median(measured), 2)
    run.write(figures, goal=GOAL, packages=PACKAGES, notes=NOTES)


if __name__ == "__main__":
    main()
