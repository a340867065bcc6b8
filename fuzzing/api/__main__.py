"""`python -m fuzzing.api`: both HTTP interfaces against their OpenAPI descriptions.

Exits 1 where an answer was a server's error or not described, and shows the request that made it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import results_file
from fuzzing.api.explore import Explored, explore
from fuzzing.api.ground import ground

FULL_SIZE = 1000


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when every answer was one that is described."""
    parser = argparse.ArgumentParser(prog="python -m fuzzing.api", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requests", type=int, default=100, help="how many to each operation (100)")
    parser.add_argument("--first", type=int, default=0, help="another number gives other requests (0)")
    parser.add_argument("--result", action="store_true", help="write benchmarks/results/http_fuzzing.json")
    options = parser.parse_args(arguments)
    load_before, began = results_file.load(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="assay-api-") as folder, ground(Path(folder)) as made:
        found = explore(made, options.requests, options.first)
    wrong = _shown(found)
    if options.result:
        _write(found, options.requests, load_before, time.monotonic() - began)
    return 1 if wrong else 0


def _shown(found: Sequence[Explored]) -> bool:
    for one in found:
        told = ", ".join(f"{count} × {status}" for status, count in sorted(one.statuses.items()))
        print(f"{one.operation:58} {one.requests:6} requests: {told}")
        for words, request in one.wrong.items():
            print(f"  WRONG {words}\n    " + request.replace("\n", "\n    "))
    return any(one.wrong for one in found)


def _write(found: Sequence[Explored], requests: int, load_before: float, wall_s: float) -> None:
    if requests < FULL_SIZE:
        print(f"No result is written for fewer than {FULL_SIZE} requests to an operation.")
        return
    statuses: dict[str, int] = {}
    for one in found:
        for status, count in one.statuses.items():
            statuses[str(status)] = statuses.get(str(status), 0) + count
    results_file.write(
        "http_fuzzing",
        figures={
            "operations": len(found),
            "requests": sum(one.requests for one in found),
            "wrong_answers": sum(len(one.wrong) for one in found),
            "statuses": dict(sorted(statuses.items())),
        },
        goal={"wrong_answers": "0"},
        command="make fuzz-api",
        packages=("schemathesis", "hypothesis", "fastapi"),
        load_before=load_before,
        notes=(
            "Requests as each operation's OpenAPI description allows them and as it does not, half of them about "
            "things that exist; a wrong answer is a server's error, a status or a media type that is not described, "
            "or a body of another shape.",
        ),
        wall_s=wall_s,
    )


if __name__ == "__main__":
    sys.exit(main())
