"""Recorded responses against found ones, value by value; every difference is a sentence that names it.

Pure. Numbers may differ by rounding, texts by nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

RELATIVE, ABSOLUTE = 1e-3, 1e-5
SHOWN = 60
Responses = Mapping[str, Sequence[Mapping[str, Any]]]


def changes(recorded: Responses, found: Responses) -> list[str]:
    """A line for each value that is not as recorded, with benchmark, item and field; none where all are."""
    listed = [f"{name}: was not recorded; record it" for name in found if name not in recorded]
    for name, samples in recorded.items():
        if name not in found:
            listed.append(f"{name}: gave no responses")
            continue
        ids = [sample["item_id"] for sample in found[name]]
        if ids != [sample["item_id"] for sample in samples]:
            listed.append(f"{name}: asks other items: {', '.join(ids)[:SHOWN]}")
            continue
        for before, after in zip(samples, found[name], strict=True):
            listed += [f"{name}, item {before['item_id']}, {change}" for change in _differences("", before, after)]
    return listed


def _differences(where: str, before: Any, after: Any) -> Iterator[str]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted(before.keys() | after.keys()):
            yield from _differences(f"{where}.{key}".strip("."), before.get(key), after.get(key))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for place, pair in enumerate(zip(before, after, strict=True)):
            yield from _differences(f"{where}.{place}", *pair)
    elif not _same(before, after):
        yield f"{where}: {_shown(before)} became {_shown(after)}"


def _same(before: Any, after: Any) -> bool:
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (before, after))
    return math.isclose(before, after, rel_tol=RELATIVE, abs_tol=ABSOLUTE) if numbers else bool(before == after)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
