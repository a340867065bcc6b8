"""How long a page of the responses browser takes over a million samples, and how long its table takes to make.

Random words as responses, one benchmark, eight arms of five seeds and control; nothing is trained.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from assay_reporter.web.response_table import ResponseTable, Wanted

from benchmarks import results_file

ARMS, SEEDS = 8, 5
REPLICATES = ARMS * SEEDS + 1
WORDS = np.array(
    ["the", "answer", "is", "because", "we", "add", "then", "divide", "by", "total", "each", "therefore", "so"]
)
GOAL = {"page_ms": "<= 500"}
NOTES = [
    "Each page once more than --times, the first left out; page_ms is the slowest median of pages without a search.",
    "Made once for each benchmark of an experiment, when its responses are first looked at; the page waits or says so.",
]
PAGES = {
    "changed": Wanted(),
    "changed_late": Wanted(page=100),
    "losses_of_one_arm": Wanted(only="losses", arms=("arm-3",)),
    "all": Wanted(only="all", page=100),
    "one_item": Wanted(item="item-99"),
    "search_found_once": Wanted(search="question 7777"),
    "search_found_often": Wanted(only="all", search="total therefore so"),
}


def samples(items: int, random: np.random.Generator) -> pa.Table:
    """One replicate's samples: responses of 60 words."""
    texts = [" ".join(row) for row in WORDS[random.integers(0, len(WORDS), (items, 60))]]
    return pa.table(
        {
            "item_id": [f"item-{number}" for number in range(items)],
            "sample_index": [0] * items,
            "prompt": [f"Question {number}: {texts[number][:200]}" for number in range(items)],
            "target": [str(number) for number in range(items)],
            "response": texts,
            "score": random.integers(0, 2, items).astype(float),
        }
    )


def filled(table: ResponseTable, items: int) -> float:
    """Seconds that the table took to be made, without the making of the samples."""
    random, spent = np.random.default_rng(1), 0.0
    for replicate in range(REPLICATES):
        made = samples(items, random)
        arm = "control" if replicate == 0 else f"arm-{(replicate - 1) // SEEDS}"
        began = time.perf_counter()
        table.add(replicate, arm, f"{arm}, seed {replicate % SEEDS}", made)
        spent += time.perf_counter() - began
    began = time.perf_counter()
    table.arrange(higher_is_better=True, may_flip=True)
    return spent + time.perf_counter() - began


def page_ms(table: ResponseTable, wanted: Wanted, times: int) -> float:
    """The median, after a first that does not count."""
    taken = []
    for _ in range(times + 1):
        began = time.perf_counter()
        table.page(wanted)
        taken.append(1000 * (time.perf_counter() - began))
    return round(statistics.median(taken[1:]), 1)


def main() -> None:
    """Measure, write the result and print its figures."""
    sizes = {"samples": (1_000_000, "samples in all"), "times": (10, "readings of each page")}
    run = results_file.begin("responses_page", __doc__, sizes)
    with tempfile.TemporaryDirectory() as folder:
        table = ResponseTable(Path(folder) / "responses.duckdb")
        made_s = filled(table, -(-run.given.samples // REPLICATES))
        pages = {f"{name}_ms": page_ms(table, wanted, run.given.times) for name, wanted in PAGES.items()}
        table.close()
        size = (Path(folder) / "responses.duckdb").stat().st_size
    slowest = max(value for name, value in pages.items() if not name.startswith("search"))
    figures: dict[str, Any] = {"page_ms": slowest, **pages, "made_s": round(made_s, 1), "table_mb": round(size / 1e6)}
    run.write(figures, goal=GOAL, packages=("duckdb", "pyarrow"), notes=NOTES)


if __name__ == "__main__":
    main()
