"""`python -m assay_evaluator.regression`: every row of the table, as JSON; `assay regress` calls it.

Ends with 1 where a row that ran is off its figure.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from assay_evaluator.regression.running import Machine, outcome_of
from assay_evaluator.regression.table import table
from assay_evaluator.settings import EvaluatorSettings


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m assay_evaluator.regression")
    parser.add_argument("--only", default="", help="rows whose name contains this")
    given = parser.parse_args(arguments)
    folder = os.environ.get("ASSAY_GSM8K")
    machine = Machine(Path(folder) if folder else None, EvaluatorSettings().cache_folder)
    outcomes = [outcome_of(row, machine) for row in table() if given.only in row.name]
    print(json.dumps([asdict(outcome) for outcome in outcomes], ensure_ascii=False))
    return int(any(outcome.status == "failed" for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
