"""Responses that changed: items where an arm's score moved away from control's in most seeds, losses first."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from difflib import SequenceMatcher
from typing import Any

import numpy as np
from assay_schemas.experiments import CONTROL

from assay_reporter.blocks import Answer, AnyBlock, Item, Nearest, Paragraph, Part, Responses, Section
from assay_reporter.diagnosis.columns import Column
from assay_reporter.diagnosis.contamination import question_of
from assay_reporter.diagnosis.neighbours import Neighbours
from assay_reporter.sections.findings import Findings
from assay_reporter.statistics import BenchmarkScores

SHOWN_PER_BENCHMARK = 6
MOST_SHOWN = 30
MOST_ANSWERS = 15
CONSISTENT_SHARE = 0.5
LONGEST_TEXT = 1200
LEAST_ALIKE = 0.3
NEAREST = 2
Near = Callable[[str, str], list[Nearest]]
# A word with the space behind it: spaces by themselves are so common that matching them takes most of the time.
WORDS = re.compile(r"\w+\s*|[^\w\s]\s*|\s+")


def flips(findings: Findings) -> Section | None:
    """For each benchmark, the items that changed in the same direction in most seeds, with all responses."""
    found = {one.id: by_item(consistent_flips(findings.scores[one.id])) for one in findings.evidence.plan.benchmarks}
    each = min(SHOWN_PER_BENCHMARK, max(1, MOST_SHOWN // max(1, len(found))))
    shown = {benchmark: dict(list(changed.items())[:each]) for benchmark, changed in found.items() if changed}
    responses = {benchmark: _responses(findings, benchmark, set(changed)) for benchmark, changed in shown.items()}
    near = _nearest(findings, [
        (arm, responses[benchmark][item][0]["prompt"])
        for benchmark, changed in shown.items()
        for item, moved in changed.items()
        for arm in moved
    ])  # fmt: skip
    blocks: list[AnyBlock] = []
    for benchmark, changed in shown.items():
        total = len(found[benchmark])
        blocks.append(
            Paragraph(text=f"{benchmark}: {_changed(total)} the same way in most seeds of an arm; losses first.")
        )
        blocks.append(Responses(items=_items(responses[benchmark], changed, near), shown_of=total))
    return Section(title="Responses that changed", anchor="responses", blocks=blocks) if blocks else None


def by_item(changes: list[tuple[str, str, float]]) -> dict[str, dict[str, float]]:
    """The change of every arm that changed on an item, by item and arm, in the order of the changes."""
    found: dict[str, dict[str, float]] = {}
    for item, arm, change in changes:
        found.setdefault(item, {})[arm] = change
    return found


def consistent_flips(scores: BenchmarkScores) -> list[tuple[str, str, float]]:
    """(item, arm, mean change) where more than half of an arm's seeds moved the same way; losses first.

    Only for shares of 1, where a change is a flip; the change has the metric's direction in it.
    """
    control = scores.arms.get(CONTROL)
    if control is None or not scores.proportion:
        return []
    base = dict(zip(control.items, control.scores[0] if control.seeds else [], strict=False))
    found: list[tuple[str, str, float]] = []
    for name, arm in scores.arms.items():
        if name == CONTROL or not arm.seeds:
            continue
        change = arm.scores - np.array([base.get(item, np.nan) for item in arm.items])
        mean = change.mean(axis=0)
        agreeing = (np.sign(change) == np.sign(mean)).mean(axis=0)
        for column in np.flatnonzero(np.isfinite(mean) & (mean != 0) & (agreeing > CONSISTENT_SHARE)):
            moved = float(mean[column])
            found.append((arm.items[column], name, moved if scores.higher_is_better else -moved))
    return sorted(found, key=lambda flip: (flip[2], flip[1], flip[0]))


def _changed(items: int) -> str:
    return f"{items:,} {'item' if items == 1 else 'items'} changed"


def _items(responses: dict[str, list[dict[str, Any]]], shown: dict[str, dict[str, float]], near: Near) -> list[Item]:
    return [
        Item(
            id=item,
            prompt=_short(responses[item][0]["prompt"]),
            target=_short(responses[item][0]["target"]),
            images=responses[item][0]["images"],
            answers=_answers(_beside(responses[item], set(moved))),
            note=_note(moved),
            nearest=[row for arm in moved for row in near(arm, responses[item][0]["prompt"])],
        )
        for item, moved in shown.items()
    ]


def _note(moved: dict[str, float]) -> str:
    """`lost against control: clean, placebo; won: wrong`."""
    sides = {
        "lost": [arm for arm, change in moved.items() if change < 0],
        "won": [arm for arm, change in moved.items() if change > 0],
    }
    return "; ".join(f"{side} against control: {', '.join(arms)}" for side, arms in sides.items() if arms)


def _beside(responses: list[dict[str, Any]], changed: set[str]) -> list[dict[str, Any]]:
    """All responses to an item; of very many, those of the first arm that changed and the first of each other arm."""
    if len(responses) <= MOST_ANSWERS:
        return responses
    first = {one["arm"]: one["who"] for one in reversed(responses)}
    whole = next((one["arm"] for one in responses if one["arm"] in changed), None)
    return [one for one in responses if one["arm"] == whole or one["who"] == first[one["arm"]]]


def _nearest(findings: Findings, asked: list[tuple[str, str]]) -> Near:
    """Looks up the training rows of an arm that are most like a question; every (arm, prompt) is known beforehand."""
    rows = findings.examined.rows_by_arm
    found = {
        arm: Neighbours(rows[arm].rows, rows[arm].words, [question_of(prompt) for who, prompt in asked if who == arm])
        for arm in dict.fromkeys(arm for arm, _ in asked)
        if arm in rows
    }

    def near(arm: str, prompt: str) -> list[Nearest]:
        neighbours = found[arm].nearest(question_of(prompt), NEAREST) if arm in found else []
        return [
            Nearest(arm=arm, likeness=one.likeness, text=_short(f"{one.prompt}\n{one.answer}".strip()))
            for one in neighbours
        ]

    return near


def _responses(findings: Findings, benchmark: str, wanted: set[str]) -> dict[str, list[dict[str, Any]]]:
    """The first sample of every wanted item from every replicate, control first."""
    found: dict[str, list[dict[str, Any]]] = {item: [] for item in wanted}
    for arm, columns in findings.examined.columns[benchmark].items():
        for column in columns:
            who = arm if column.seed is None else f"{arm}, seed {column.seed}"
            there = {item: row for item in wanted if (row := column.place.get((item, 0))) is not None}
            for item, read in zip(there, _read(column, [*there.values()]), strict=True):
                found[item].append({**read, "who": who, "arm": arm})
    return found


def _read(column: Column, rows: list[int]) -> Iterator[dict[str, Any]]:
    names = ("prompt", "target", "response", "extracted")
    for row, *texts in zip(rows, *(column.texts_of(name, rows) for name in names), strict=True):
        read = dict(zip(names, texts, strict=True))
        score = float(column.scores[row])
        yield {
            **read,
            "images": column.images(row),
            "extracted": read["extracted"] or None,
            "seed": column.seed,
            "score": None if np.isnan(score) else score,
        }


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
    plain = [[word.removesuffix(" ") for word in words] for words in (first, second)]
    matcher = SequenceMatcher(None, plain[0], plain[1], autojunk=False)
    if before == after or matcher.ratio() < LEAST_ALIKE:
        return []
    return [
        Part(text="".join(second[start:end]), changed=kind != "equal")
        for kind, _, _, start, end in matcher.get_opcodes()
        if end > start
    ]


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]} … ({len(text)} characters)"
