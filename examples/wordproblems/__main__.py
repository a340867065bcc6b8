"""Writes the arms' training files and the benchmarks' item files to a folder.

The only part that writes; the same arguments give the same bytes.
"""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

from examples.wordproblems.problems import generate
from examples.wordproblems.rows import Row, choice_item, generation_item, likelihood_item, training_row

EXAMPLE = "example: python -m examples.wordproblems --out wordproblems --train 4000 --items 300 --seed 1"


def write_jsonl(path: Path, rows: Iterable[Row]) -> None:
    """One JSON object a line, keys in the order of the row."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def write_all(folder: Path, train: int, items: int, seed: int) -> list[Path]:
    """Two arms of the same `train` prompts, and three benchmark files of the same `items` problems."""
    rows = generate("train", train, seed)
    held_out = generate("held_out", items, seed)
    files = {
        "clean.jsonl": [training_row(problem, "clean") for problem in rows],
        "wrong.jsonl": [training_row(problem, "wrong", seed) for problem in rows],
        "items.jsonl": [generation_item(problem) for problem in held_out],
        "likelihood.jsonl": [likelihood_item(problem) for problem in held_out],
        "choices.jsonl": [choice_item(problem, seed) for problem in held_out],
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        write_jsonl(folder / name, content)
    return [folder / name for name in files]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m examples.wordproblems", description=__doc__.splitlines()[0], epilog=EXAMPLE
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write to; made when missing")
    parser.add_argument("--train", type=int, default=4000, help="rows in each arm (default 4000)")
    parser.add_argument("--items", type=int, default=300, help="held-out benchmark items (default 300)")
    parser.add_argument("--seed", type=int, default=1, help="which problems (default 1)")
    arguments = parser.parse_args()
    for path in write_all(arguments.out, arguments.train, arguments.items, arguments.seed):
        print(path)


if __name__ == "__main__":
    main()
