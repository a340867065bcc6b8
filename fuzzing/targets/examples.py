"""Inputs that are right, as a start for those that are not."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pydantic_core
import yaml

ROOT = Path(__file__).parents[2]


@cache
def event_examples() -> dict[str, dict[str, Any]]:
    """One golden event of each type, by its topic."""
    found = {}
    for path in sorted((ROOT / "schemas" / "examples").glob("*.json")):
        found[path.name.rpartition("-")[0]] = pydantic_core.from_json(path.read_bytes())
    return found


@cache
def specification_examples() -> list[dict[str, Any]]:
    """The contract's cases, valid and not, and the examples people start from."""
    cases = ROOT / "tests" / "contract"
    found = [
        entry["spec"] for name in ("valid", "invalid") for entry in yaml.safe_load((cases / f"{name}.yaml").read_text())
    ]
    found += [yaml.safe_load(path.read_text()) for path in sorted((ROOT / "examples").glob("*.yaml"))]
    return [one for one in found if isinstance(one, dict)]
