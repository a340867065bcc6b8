"""Which version of the engine this is, with what it computes, and beside which versions its results may stand.

`python -m assay_trainer.version` says so as JSON. Imports nothing that computes.
"""

from __future__ import annotations

import importlib.metadata
import json
from typing import Any

from assay_schemas.versions import LIBRARIES

ENGINE_VERSION = "1"
COMPARABLE_WITH: tuple[str, ...] = ()


def library_versions() -> dict[str, str]:
    """What computes a training here, with its versions."""
    return {name: importlib.metadata.version(name) for name in LIBRARIES["engine"]}


def described() -> dict[str, Any]:
    """What this environment says of its engine."""
    return {
        "kind": "engine",
        "version": ENGINE_VERSION,
        "libraries": library_versions(),
        "comparable_with": list(COMPARABLE_WITH),
    }


if __name__ == "__main__":
    print(json.dumps(described()))
