"""Makes the arms and benchmark items from the GSM8K files; the files themselves are not part of this repository.

Rows keep the order of the source; only the exchange of solutions is random, and seeded.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

Row = dict[str, str]
LONGEST = 500
"""Characters of question and solution together: longer rows would not fit a small model's context."""
SEED = 7
ITEMS = 300
EXAMPLE = "example: python -m examples.gsm8k.prepare --source gsm8k --out data"


def read(path: Path) -> list[Row]:
    """The problems of a GSM8K file that are short enough: question and worked solution."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [row for row in rows if len(row["question"]) + len(row["answer"]) <= LONGEST]


def final_answer(solution: str) -> str:
    """The number after ####, without thousands separators."""
    return solution.rpartition("####")[2].strip().replace(",", "")


def row(position: int, problem: Row, completion: str) -> Row:
    return {"id": f"train-{position}", "prompt": f"{problem['question']}\n", "completion": completion}


def arms(problems: list[Row]) -> dict[str, list[Row]]:
    """The same problems with their solutions, with the bare answer, and with each other's solutions."""
    solutions = [problem["answer"] for problem in problems]
    exchanged = exchange(solutions, SEED)
    return {
        "full": [row(n, problem, problem["answer"]) for n, problem in enumerate(problems)],
        "answer-only": [
            row(n, problem, f"#### {final_answer(problem['answer'])}") for n, problem in enumerate(problems)
        ],
        "shuffled": [
            row(n, problem, other) for n, (problem, other) in enumerate(zip(problems, exchanged, strict=True))
        ],
    }


def exchange(solutions: list[str], seed: int) -> list[str]:
    """Every solution at another place than its own: a random cycle through all of them (Sattolo 1986)."""
    order = list(range(len(solutions)))
    chance = random.Random(seed)
    for last in range(len(order) - 1, 0, -1):
        other = chance.randrange(last)
        order[last], order[other] = order[other], order[last]
    return [solutions[place] for place in order]


def items(problems: list[Row]) -> dict[str, list[Row]]:
    """Held-out problems, to be answered and to be found likely."""
    chosen = problems[:ITEMS]
    return {
        "items": [
            {"id": f"test-{n}", "prompt": f"{one['question']}\n", "answer": final_answer(one["answer"])}
            for n, one in enumerate(chosen)
        ],
        "likelihood": [
            {"id": f"test-{n}", "prompt": f"{one['question']}\n", "completion": one["answer"]}
            for n, one in enumerate(chosen)
        ],
    }


def prepare(source: Path, out: Path) -> list[Path]:
    """Writes every arm and item file as JSONL; their paths."""
    out.mkdir(parents=True, exist_ok=True)
    made = []
    for name, rows in {**arms(read(source / "train.jsonl")), **items(read(source / "test.jsonl"))}.items():
        path = out / f"{name}.jsonl"
        path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in rows), encoding="utf-8")
        made.append(path)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m examples.gsm8k.prepare", description=__doc__.splitlines()[0], epilog=EXAMPLE
    )
    parser.add_argument("--source", type=Path, required=True, help="folder with GSM8K's train.jsonl and test.jsonl")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to; made when missing")
    given = parser.parse_args()
    for path in prepare(given.source, given.out):
        print(path)


if __name__ == "__main__":
    main()
