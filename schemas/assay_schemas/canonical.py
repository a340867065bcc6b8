"""Canonical JSON and digests: equal values give equal bytes, on every machine and Python version.

Never touches files; callers hand in values or bytes.
"""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

from pydantic import BaseModel


def canonical_json(value: Any) -> bytes:
    """JSON with sorted keys, no spaces and UTF-8 text, in the spirit of RFC 8785.

    Whole floats are written as integers (``1.0`` and ``1`` are the same declared input), so that a
    value keeps its digest when it passes through a YAML or JSON reader that changes its type.
    Raises ValueError for NaN and infinities, which have no JSON form.
    """
    return _written(_settled(_plain(value)))


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


def _written(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _settled(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _settled(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_settled(item) for item in value]
    if isinstance(value, float) and math.isfinite(value) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def _rounded(value: Any) -> Any:
    """Whole numbers that a float cannot tell apart as floats: PostgreSQL gives 1e30 back as an integer."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    if isinstance(value, int) and 2**53 <= abs(value) < 10**300:
        return float(value)
    return value


def sha256_hex(data: bytes) -> str:
    """The lower-case hexadecimal SHA-256 of bytes."""
    return hashlib.sha256(data).hexdigest()


def digest_of(value: Any) -> str:
    """SHA-256 over the canonical JSON of a value, in which whole numbers from 2**53 on count as floats."""
    return sha256_hex(_written(_rounded(_settled(_plain(value)))))
