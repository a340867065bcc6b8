"""Responses that changed: items where an arm's score moved away from control's in most seeds, losses first."""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import SequenceMatcher
from typing import Any

import numpy as np
from assay_schemas.experiments import CONTROL
from assay_schemas.results import PlannedBenchmark

from assay_reporter.blocks import Answer, AnyBlock, Item, Nearest, Paragraph, Part, Responses, Section
from assay_reporter.diagnosis.columns import Column
from assay_reporter.diagnosis.contamination import question_of
from assay_reporter.diagnosis.neighbours import Neighbours
from assay_reporter.sections.findings import Findings
from assay_reporter.statistics import BenchmarkScores

SHOWN_PER_BENCHMARK = 6
CONSISTENT_SHARE = 0.5
LONGEST_TEXT = 1200
LEAST_ALIKE = 0.3
NEAREST = 2
WORDS = re.compile(r"\s+|\w+|[^\w\s]")


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
    responses = _responses(findings, benchmark, {item for item, _, _ in shown})
    near = _nearest(findings, {arm: [responses[item][0]["prompt"] for item, who, _ in shown if who == arm]
                               for _, arm, _ in shown})  # fmt: skip
    return [
        Item(
            id=item,
            prompt=_short(responses[item][0]["prompt"]),
            target=_short(responses[item][0]["target"]),
            answers=_answers(responses[item]),
            note=f"{arm}: {'lost' if change < 0 else 'won'} against control",
            nearest=near(arm, responses[item][0]["prompt"]),
        )
        for item, arm, change in shown
    ]


def _nearest(findings: Findings, prompts: dict[str, list[str]]) -> Callable[[str, str], list[Nearest]]:
    """Looks up the training rows of an arm that are most like a question."""
    rows = findings.examined.rows_by_arm
    found = {arm: Neighbours(rows[arm].rows, map(question_of, asked)) for arm, asked in prompts.items() if arm in rows}

    def near(arm: str, prompt: str) -> list[Nearest]:
        neighbours = found[arm].nearest(question_of(prompt), NEAREST) if arm in found else []
        return [
            Nearest(arm=arm, likeness=one.likeness, text=_short(f"{one.prompt}\n{one.answer}".strip()))
            for one in neighbours
        ]

    return near


def _responses(findings: Findings, benchmark: PlannedBenchmark, wanted: set[str]) -> dict[str, list[dict[str, Any]]]:
    """The first sample of every wanted item from every replicate, control first."""
    found: dict[str, list[dict[str, Any]]] = {item: [] for item in wanted}
    for arm, columns in findings.examined.columns[benchmark.id].items():
        for column in columns:
            who = arm if column.seed is None else f"{arm}, seed {column.seed}"
            for item in wanted:
                row = column.place.get((item, 0))
                if row is not None:
                    found[item].append(_row(column, row, who))
    return found


def _row(column: Column, row: int, who: str) -> dict[str, Any]:
    score = float(column.scores[row])
    texts = {name: column.text(name, row) for name in ("prompt", "target", "response")}
    return {**texts, "extracted": column.text("extracted", row) or None, "who": who, "seed": column.seed,
            "score": None if np.isnan(score) else score}  # fmt: skip


def _answers(rows: list[dict[str, Any]]) -> list[Answer]:
    """Every response, those of trained arms with what control's has not marked."""
    control = next((_short(row["response"]) for row in rows if row["seed"] is None), None)
    found = []
    for row in rows:
        text = _short(row["response"])
        parts = [] if row["seed"] is None or control is None else marked(control, text)
        found.append(Answer(who=row["who"], text=text, extracted=row["extracted"], score=row["score"], parts=parts))
    return found


def marked(before: str, after: str) -> list[Part]:
    """`after` in pieces, what `before` has not marked, word by word; nothing where they are the same or too
    different for marks to help."""
    first, second = WORDS.findall(before), WORDS.findall(after)
    matcher = SequenceMatcher(None, first, second, autojunk=False)
    if before == after or matcher.ratio() < LEAST_ALIKE:
        return []
    return [
        Part(text="".join(second[start:end]), changed=kind != "equal")
        for kind, _, _, start, end in matcher.get_opcodes()
        if end > start
    ]


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]} … ({len(text)} characters)"
