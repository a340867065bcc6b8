"""numeric: the last number of the completion, or the one that `pattern` finds, equals the one in the row's answer.

Compared as decimals, never as floating point; a completion without a number scores 0.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from assay_schemas.algorithms import VerifierReward
from assay_schemas.answers import last_match, last_number, number


def score(completion: str, truth: Any, options: VerifierReward) -> float:
    """1.0 or 0.0. Raises ValueError for a row whose answer holds no number."""
    pattern = re.compile(options.pattern) if options.pattern else None
    answer = str(truth)
    wanted = (last_match(pattern, answer) if pattern else None) or last_number(answer)
    right = number(wanted or "")
    if right is None:
        raise ValueError(f"the answer {answer[:80]!r} holds no number; give one, or use exact_match")
    given = number((last_match(pattern, completion) if pattern else last_number(completion)) or "")
    return float(given is not None and abs(given - right) <= Decimal(str(options.tolerance)))
