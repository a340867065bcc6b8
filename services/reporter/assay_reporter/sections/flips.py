"""Responses that changed: items where an arm's score moved away from control's in most seeds, losses first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from assay_schemas.experiments import CONTROL
from assay_schemas.results import PlannedBenchmark

from assay_reporter.blocks import Answer, AnyBlock, Item, Paragraph, Responses, Section
from assay_reporter.sections.findings import Findings
from assay_reporter.statistics import BenchmarkScores

SHOWN_PER_BENCHMARK = 6
CONSISTENT_SHARE = 0.5
LONGEST_TEXT = 1200


def flips(findings: Findings) -> Section | None:
    """For each benchmark, the items that changed in the same direction in most seeds, with all responses."""
    blocks: list[AnyBlock] = []
    for benchmark in findings.evidence.plan.benchmarks:
        found = consistent_flips(findings.scores[benchmark.id])
        if not found:
            continue
        changed = f"{len(found)} items changed the same way in most seeds of an arm; losses first."
        blocks.append(Paragraph(text=f"{benchmark.id}: {changed}"))
        shown = found[:SHOWN_PER_BENCHMARK]
        blocks.append(Responses(items=_items(findings, benchmark, shown), shown_of=len(found)))
    return Section(title="Responses that changed", anchor="responses", blocks=blocks) if blocks else None


def consistent_flips(scores: BenchmarkScores) -> list[tuple[str, str, float]]:
    """(item, arm, mean change) where more than half of an arm's seeds moved the same way; losses first.

    Only for shares of 1, where a change is a flip; the change has the metric's direction in it.
    """
    control = scores.arms.get(CONTROL)
    if control is None or not scores.proportion:
        return []
    base = dict(zip(control.items, control.scores[0] if control.seeds else [], strict=False))
    found = []
    for name, arm in scores.arms.items():
        if name == CONTROL:
            continue
        for column, item in enumerate(arm.items):
            change = arm.scores[:, column] - base.get(item, np.nan)
            mean = float(np.mean(change))
            if np.isfinite(change).all() and np.mean(np.sign(change) == np.sign(mean)) > CONSISTENT_SHARE and mean:
                found.append((item, name, mean if scores.higher_is_better else -mean))
    return sorted(found, key=lambda flip: (flip[2], flip[1], flip[0]))


def _items(findings: Findings, benchmark: PlannedBenchmark, shown: list[tuple[str, str, float]]) -> list[Item]:
    wanted = {item for item, _, _ in shown}
    responses = _responses(findings, benchmark, wanted)
    return [
        Item(
            id=item,
            prompt=_short(responses[item][0]["prompt"]),
            target=_short(responses[item][0]["target"]),
            answers=[_answer(row) for row in responses[item]],
            note=f"{arm}: {'lost' if change < 0 else 'won'} against control",
        )
        for item, arm, change in shown
    ]


def _responses(findings: Findings, benchmark: PlannedBenchmark, wanted: set[str]) -> dict[str, list[dict[str, Any]]]:
    """The first sample of every wanted item from every replicate, control first."""
    found: dict[str, list[dict[str, Any]]] = {item: [] for item in wanted}
    for replicate, evaluated in findings.evidence.evaluated(benchmark):
        who = replicate.arm if replicate.seed is None else f"{replicate.arm}, seed {replicate.seed}"
        for row in _rows(evaluated.samples):
            if row["item_id"] in wanted and row["sample_index"] == 0:
                found[row["item_id"]].append({**row, "who": who})
    return found


def _rows(samples: Any) -> Iterable[dict[str, Any]]:
    columns = ["item_id", "sample_index", "prompt", "target", "response", "extracted", "score"]
    rows: list[dict[str, Any]] = samples.select(columns).to_pylist()
    return rows


def _answer(row: dict[str, Any]) -> Answer:
    return Answer(who=row["who"], text=_short(row["response"]), extracted=row["extracted"], score=row["score"])


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]} … ({len(text)} characters)"
