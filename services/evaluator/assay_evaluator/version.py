"""Which version of the harness this environment has, and with what it evaluates.

`python -m assay_evaluator.version` says so as JSON. Imports nothing that computes.
"""

from __future__ import annotations

import importlib
import json
from importlib.metadata import version
from typing import Any

from assay_schemas.versions import LIBRARIES

COMPARABLE_WITH: tuple[str, ...] = ()


def harness_version() -> str:
    """The version that is installed here, as a specification names it."""
    return f"lm-eval-{version('lm_eval')}"


def library_versions(engine: str = "transformers") -> dict[str, str]:
    """What computes an evaluation here, with its versions."""
    found = {name: version(name) for name in LIBRARIES["harness"]}
    if engine == "vllm":
        found["vllm"] = str(importlib.import_module("vllm").__version__)
    return found


def described() -> dict[str, Any]:
    """What this environment says of its harness."""
    return {
        "kind": "harness",
        "version": harness_version(),
        "libraries": library_versions(),
        "comparable_with": list(COMPARABLE_WITH),
    }


if __name__ == "__main__":
    print(json.dumps(described()))
