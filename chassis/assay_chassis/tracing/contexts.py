"""Trace contexts as events carry them (W3C `traceparent`), and the trace of an experiment by its id.

Pure: every process computes the same context for the same experiment, so that nothing has to be kept.
"""

from __future__ import annotations

import re
from hashlib import sha256

_TRACEPARENT = re.compile(r"00-(?P<trace>(?!0{32})[0-9a-f]{32})-(?P<span>(?!0{16})[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def trace_of(correlation: str) -> str:
    """The trace id of what belongs to `correlation`, 32 hex digits: an experiment's id without its hyphens."""
    if _UUID.fullmatch(correlation) and correlation.strip("0-"):
        return correlation.replace("-", "")
    return sha256(correlation.encode()).hexdigest()[:32]


def root_of(correlation: str) -> str:
    """The context of the span that stands for the whole experiment."""
    span = sha256(f"assay.root\x1f{correlation}".encode()).hexdigest()[:16]
    return f"00-{trace_of(correlation)}-{span}-01"


def parsed(traceparent: str) -> tuple[str, str] | None:
    """(trace id, span id) in hex digits; None for what is no context. Anybody may have written it."""
    found = _TRACEPARENT.fullmatch(traceparent)
    return (found["trace"], found["span"]) if found else None


def belongs(traceparent: str, correlation: str) -> bool:
    """Whether a context is of the trace of `correlation`; with none, any context is."""
    found = parsed(traceparent)
    return found is not None and (not correlation or found[0] == trace_of(correlation))
