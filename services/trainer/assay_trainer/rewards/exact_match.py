"""exact_match: the completion, or the answer that `pattern` finds in it, is the row's answer letter for letter.

Whitespace around either never counts.
"""

from __future__ import annotations

import re
from typing import Any

from assay_schemas.algorithms import VerifierReward
from assay_schemas.answers import last_match


def score(completion: str, truth: Any, options: VerifierReward) -> float:
    """1.0 or 0.0. With a pattern, its last match counts, in the row's answer too where it matches there."""
    answer = str(truth)
    if options.pattern is None:
        return float(completion.strip() == answer.strip())
    pattern = re.compile(options.pattern)
    wanted = last_match(pattern, answer)
    return float(last_match(pattern, completion) == (answer.strip() if wanted is None else wanted))
