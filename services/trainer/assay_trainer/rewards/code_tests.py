"""code_tests: the program in the completion passes the row's tests, run in a sandbox.

Never runs a line of it in this process; see the chassis's sandbox for what a program can do there.
"""

from __future__ import annotations

from typing import Any

from assay_chassis.sandbox import run_program
from assay_schemas.algorithms import VerifierReward
from assay_schemas.answers import program_in


def score(completion: str, truth: Any, options: VerifierReward) -> float:
    """1.0 where every test passes, else 0.0. `truth`: Python source with assertions, or a list of such.

    Raises ValueError for a row without tests.
    """
    tests = [truth] if isinstance(truth, str) else truth
    if not isinstance(tests, list) or not tests or not all(isinstance(test, str) for test in tests):
        raise ValueError("the row's tests are neither Python source nor a list of it; give assertions")
    return float(run_program(program_in(completion), "\n".join(tests), options.timeout_s))
