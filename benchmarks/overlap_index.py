"""How long it takes to find which benchmark items stand in a training snapshot, and what memory that takes.

Made-up text of the common words' distribution; a part of the items is planted, and all of it must be found.
"""

from __future__ import annotations

import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

from benchmarks import results_file

GOAL = {"seconds": "<= 60", "memory_gib": "<= 1"}
PACKAGES = ("numpy",)
NOTES = [
    "Rows of 200 words, items of 100, from 50,000 words whose frequency falls with their rank; every hundredth row "
    "holds one item whole.",
    "A process of its own for each run: reads the rows from a file, builds the index, and finds every overlap. "
    "Memory is that process's peak, interpreter and libraries included.",
]
ROW_WORDS, ITEM_WORDS, PLANTED, VOCABULARY = 200, 100, 100, 50_000
CHILD = "from benchmarks.overlap_index import measure; import sys; measure(sys.argv[1])"


def make(folder: Path, rows: int, items: int) -> None:
    """Write items.json and rows.jsonl; every hundredth row has an item between its words."""
    draw = random.Random(0)
    words = [f"w{rank:x}" for rank in range(VOCABULARY)]
    weights = list(accumulate(1 / (rank + 10) for rank in range(VOCABULARY)))

    def text(length: int) -> str:
        return " ".join(draw.choices(words, cum_weights=weights, k=length))

    texts = {f"item-{place}": [text(ITEM_WORDS)] for place in range(items)}
    (folder / "items.json").write_text(json.dumps(texts))
    with (folder / "rows.jsonl").open("w") as file:
        for place in range(rows):
            planted = texts[f"item-{place // PLANTED % items}"][0] if place % PLANTED == 0 else text(ITEM_WORDS)
            print(json.dumps({"prompt": text(ROW_WORDS - ITEM_WORDS), "completion": planted}), file=file)


def measure(folder: str) -> None:
    """One run, in this process; prints its figures as JSON."""
    from assay_evaluator.contamination.index import OverlapIndex

    began = time.perf_counter()
    index = OverlapIndex(json.loads(Path(folder, "items.json").read_text()))
    index.scan(_rows(Path(folder, "rows.jsonl")))
    overlaps = index.overlaps()
    seconds = time.perf_counter() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    found = sum(overlap.share(13) == 1.0 for overlap in overlaps)
    print(json.dumps({"seconds": seconds, "memory_gib": memory, "found": found}))


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as lines:
        yield from map(json.loads, lines)


def main() -> None:
    """Measure, write the result and print its figures. Raises SystemExit where a planted item is not found whole."""
    sizes = {"rows": (100_000, "training rows"), "items": (10_000, "benchmark items"), "runs": (5, "runs")}
    run = results_file.begin("overlap_index", __doc__, sizes)
    given = run.given
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), given.rows, given.items)
        done = [
            json.loads(subprocess.run([sys.executable, "-c", CHILD, folder], check=True, capture_output=True).stdout)
            for _ in range(given.runs)
        ]
    planted = min(given.items, -(-given.rows // PLANTED))
    if missed := [one["found"] for one in done if one["found"] != planted]:
        raise SystemExit(f"found {missed[0]} of {planted} planted items whole")
    figures = {
        "seconds": round(statistics.median(one["seconds"] for one in done), 2),
        "memory_gib": round(max(one["memory_gib"] for one in done), 3),
        "items_planted": planted,
        "items_found_whole": planted,
    }
    run.write(figures, goal=GOAL, packages=PACKAGES, notes=NOTES)


if __name__ == "__main__":
    main()
