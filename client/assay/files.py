"""Reads an experiment or a policy from a YAML or JSON file; a file that is neither is a problem, not a traceback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from assay_schemas.problems import WHOLE_DOCUMENT, Problem

from assay.errors import Refused


def read_document(path: Path, what: str = "experiment") -> dict[str, Any]:
    """The document in a file. Raises Refused when it is not a mapping in YAML or JSON."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mend = "Indent with spaces alone, close what is open, and put text with ':' or '#' in quotes."
        problem = Problem(field=WHOLE_DOCUMENT, message=f"is not YAML: {error}.", mend=mend)
        raise Refused([problem], what) from error
    if not isinstance(document, dict):
        mend = f"Write lines of `key: value`, as examples/{'demo' if what == 'experiment' else 'gate'}.yaml does."
        raise Refused([Problem(field=WHOLE_DOCUMENT, message="must be a mapping of keys.", mend=mend)], what)
    return document
