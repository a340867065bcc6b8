"""json_schema: the completion, or the last fenced block in it, is JSON that the row's schema accepts.

Never fetches a schema from elsewhere: a reference has to be within the schema itself.
"""

from __future__ import annotations

import json
import re
from typing import Any

from assay_schemas.algorithms import VerifierReward

FENCED = re.compile(r"```(?:json)?[ \t]*\n(.*?)```", re.DOTALL)


def score(completion: str, truth: Any, options: VerifierReward) -> float:  # noqa: ARG001
    """1.0 or 0.0. Raises ValueError for a row without a schema, and jsonschema's own error for a wrong one."""
    from jsonschema.validators import validator_for
    from referencing import Registry

    schema = json.loads(truth) if isinstance(truth, str) else truth
    if not isinstance(schema, dict | bool):
        raise ValueError("the row's schema is no JSON schema; give a mapping, or its JSON text")
    validator = validator_for(schema)
    validator.check_schema(schema)
    try:
        value = json.loads(_document(completion))
    except (ValueError, RecursionError):
        return 0.0
    return float(validator(schema, registry=Registry()).is_valid(value))


def _document(completion: str) -> str:
    blocks = FENCED.findall(completion)
    return str(blocks[-1]) if blocks else completion
