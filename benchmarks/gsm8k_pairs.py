"""Real solutions by language models to GSM8K's test problems: a right one beside a wrong one to the same problem.

Reads the file that lies with GSM8K; writes nothing.
"""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILE = "example_model_solutions.jsonl"
SOLVERS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
Pair = dict[str, str]


def folder() -> Path:
    """Where GSM8K lies. Raises SystemExit where it does not."""
    found = Path(os.environ.get("ASSAY_GSM8K", ROOT.parent / "shared" / "data" / "gsm8k"))
    if not (found / FILE).is_file():
        raise SystemExit(f"GSM8K is not here; set ASSAY_GSM8K to the folder with its {FILE}")
    return found


def pairs(of_a_problem: int) -> list[Pair]:
    """`problem`, `prompt`, `chosen` (right) and `rejected` (wrong), at most so many of each problem that has both."""
    found = []
    for number, line in enumerate((folder() / FILE).read_text(encoding="utf-8").splitlines()):
        row = json.loads(line)
        solutions = [row[solver] for solver in SOLVERS]
        right = [each["solution"] for each in solutions if each["is_correct"]]
        wrong = [each["solution"] for each in solutions if not each["is_correct"]]
        for chosen, rejected in itertools.islice(itertools.product(right, wrong), of_a_problem):
            prompt = f"{row['question']}\n"
            found.append({"problem": f"problem-{number}", "prompt": prompt, "chosen": chosen, "rejected": rejected})
    return found
