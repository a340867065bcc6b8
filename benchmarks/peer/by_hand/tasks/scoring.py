"""How the two tasks score an answer; loaded by lm-eval from the tasks' files.

Never sees more than one item at a time.
"""

from __future__ import annotations

import math
import re
from typing import Any

ANSWER = re.compile(r"#### (-?[0-9]+)")


def numeric(document: dict[str, Any], results: list[str]) -> dict[str, float]:
    """1 when the last number after #### is the item's answer."""
    found = ANSWER.findall(results[0])
    return {"numeric": float(bool(found) and int(found[-1]) == int(document["answer"]))}


def bits_per_byte(document: dict[str, Any], results: list[tuple[float, bool]]) -> dict[str, float]:
    """lm-eval scores the prompt's trailing whitespace with the completion, so its bytes count too."""
    prompt = document["prompt"]
    scored = prompt[len(prompt.rstrip()) :] + document["completion"]
    likelihood, _ = results if isinstance(results, tuple) else results[0]
    return {"bits_per_byte": -likelihood / len(scored.encode()) / math.log(2)}
