"""Kinds of benchmark items: by the category that the item names, by the length of its prompt; and what hangs together.

Splits items; compares nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from assay_schemas.datasets import CATEGORY_COLUMNS, CLUSTER_COLUMN

from assay_reporter.diagnosis.columns import Column
from assay_reporter.diagnosis.contamination import question_of

PARTS = ("short", "middling", "long")
_CLUSTER = f'"{CLUSTER_COLUMN}"'


def categories(column: Column) -> dict[str, str]:
    """By item id: the first of `category`, `subject`, `domain`, … that the sample's details name; else, for a
    group of harness tasks, the task that the id begins with."""
    found: dict[str, str] = {}
    for (item, _), text in zip(column.place, column.texts("details"), strict=True):
        if not any(f'"{name}"' in text for name in CATEGORY_COLUMNS):
            if "/" in item:
                found[item] = item.split("/", 1)[0]
            continue
        details = json.loads(text)
        named = next((details[name] for name in CATEGORY_COLUMNS if isinstance(details.get(name), str | int)), None)
        if named is not None:
            found[item] = str(named)
    return found


def clusters(items: Sequence[str], details: Sequence[str]) -> dict[str, str]:
    """By item id: the cluster that its samples' details name; nothing for items that stand by themselves."""
    named = ((item, json.loads(text)) for item, text in zip(items, details, strict=True) if _CLUSTER in text)
    return {item: str(found[CLUSTER_COLUMN]) for item, found in named if found.get(CLUSTER_COLUMN)}


def prompt_lengths(column: Column) -> dict[str, str]:
    """By item id: which third of the benchmark's questions, by words; nothing where they hardly differ."""
    words = {
        item: len(question_of(prompt).split())
        for (item, _), prompt in zip(column.place, column.texts("prompt"), strict=True)
    }
    if not words:
        return {}
    low, high = np.quantile(list(words.values()), [1 / 3, 2 / 3])
    if high <= low:
        return {}
    return {item: PARTS[int(count > low) + int(count > high)] for item, count in words.items()}
