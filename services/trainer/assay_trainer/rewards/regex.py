"""regex: the pattern is found somewhere in the completion.

A pattern that backtracks for ever costs its sample alone: it runs in the verifiers' process, under a time limit.
"""

from __future__ import annotations

import re
from typing import Any

from assay_schemas.algorithms import VerifierReward


def score(completion: str, truth: Any, options: VerifierReward) -> float:  # noqa: ARG001
    """1.0 or 0.0; anchor the pattern where the whole completion is meant."""
    return float(re.search(options.pattern or "", completion) is not None)
