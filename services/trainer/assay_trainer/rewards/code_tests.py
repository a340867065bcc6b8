"""code_tests: the program in the completion passes the row's tests, run in a sandbox.

Never runs a line of it in this process; see sandbox.py for what a program can do there.
"""

from __future__ import annotations

import re
from typing import Any

from assay_schemas.algorithms import VerifierReward

from assay_trainer.rewards.sandbox import run_program

FENCED = re.compile(r"```(?:python|py)?[ \t]*\n(.*?)```", re.DOTALL)


def score(completion: str, truth: Any, options: VerifierReward) -> float:
    """1.0 where every test passes, else 0.0. `truth`: Python source with assertions, or a list of such.

    Raises ValueError for a row without tests.
    """
    tests = [truth] if isinstance(truth, str) else truth
    if not isinstance(tests, list) or not tests or not all(isinstance(test, str) for test in tests):
        raise ValueError("the row's tests are neither Python source nor a list of it; give assertions")
    return float(run_program(program_in(completion), "\n".join(tests), options.timeout_s))


def program_in(completion: str) -> str:
    """The last fenced block, or the whole completion where there is none."""
    blocks = FENCED.findall(completion)
    return str(blocks[-1]) if blocks else completion
