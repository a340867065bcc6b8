"""Writes the arms' prompts with the answers that completions are checked against, and the benchmark's items.

Never writes a solution: the policy has to find those itself.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

from examples.wordproblems.__main__ import write_jsonl
from examples.wordproblems.problems import Problem, generate
from examples.wordproblems.rows import Row, generation_item

WRONG_SHARE = 0.5
EXAMPLE = "example: python -m examples.grpo.prepare --out examples/grpo/data"


def noisy(problems: list[Problem], seed: int) -> list[Row]:
    """The same prompts, half of them with the answer of another problem."""
    draw = random.Random(seed)
    rows = [generation_item(problem) for problem in problems]
    for row in rows:
        if draw.random() < WRONG_SHARE:
            row["answer"] = str(draw.choice(problems).answer)
    return rows


def write_all(folder: Path, train: int, items: int, seed: int) -> list[Path]:
    """Two arms of the same prompts, and the items of held-out problems."""
    problems = generate("train", train, seed)
    files = {
        "right.jsonl": [generation_item(problem) for problem in problems],
        "noisy.jsonl": noisy(problems, seed),
        "items.jsonl": [generation_item(problem) for problem in generate("held_out", items, seed)],
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in files.items():
        write_jsonl(folder / name, rows)
    return [folder / name for name in files]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m examples.grpo.prepare", description=(__doc__ or "").splitlines()[0], epilog=EXAMPLE
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write to; made when missing")
    parser.add_argument("--train", type=int, default=2000, help="prompts in each arm (default 2000)")
    parser.add_argument("--items", type=int, default=200, help="held-out benchmark items (default 200)")
    parser.add_argument("--seed", type=int, default=1, help="which problems (default 1)")
    given = parser.parse_args()
    for path in write_all(given.out, given.train, given.items, given.seed):
        print(path)


if __name__ == "__main__":
    main()
