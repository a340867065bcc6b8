"""Arms with interventions, and the index of spurious correlation that reward models with them give.

Says in words what an arm shows that lost its true signal on purpose.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from assay_schemas.experiments import ArmSpec
from assay_schemas.results import PlannedBenchmark

from assay_reporter.blocks import AnyBlock, Paragraph, Section, TableBlock
from assay_reporter.interventions import base_arm, in_words
from assay_reporter.sections.findings import Findings
from assay_reporter.statistics.spurious import Accuracy, Index, spurious_index

SIGNAL_DESTROYED = {"swap_chosen", "drop_prompt", "shuffle_prompt"}
EXTERNAL = {"preference"}
FIRES_ABOVE = 0.3
WIDE = 0.8
VALIDATION_ACCURACY = "validation_accuracy"
EXPLANATION = (
    "An arm whose answers no longer fit their prompts has lost what makes an answer better. What it still predicts on "
    "held-out rows changed alike, it reads from the surface: that is the share kept on validation. An external "
    "benchmark has other surfaces: what is kept there is real. The index is the first less the second: near 0, nothing "
    "points to a shortcut; near 1, the reward model needs no more than the shortcut."
)


@dataclass(frozen=True)
class Shown:
    """One arm with an intervention against its untouched one; `index` None where nothing was learned."""

    arm: str
    base: str
    benchmark: str
    validation: tuple[Accuracy, Accuracy]
    external: tuple[Accuracy, Accuracy]
    index: Index | None


def shortcuts(findings: Findings) -> Section | None:
    """Nothing where no arm has an intervention."""
    changed = [arm for arm in findings.evidence.plan.spec.arms if arm.interventions]
    if not changed:
        return None
    blocks: list[AnyBlock] = [_changed(findings, changed)]
    shown = [one for arm in changed for one in _shown(findings, arm)]
    found = [_said(one) for one in shown if fires(one)]
    if shown:
        blocks = [*(Paragraph(text=one, tone="warning") for one in found), *blocks, _indices(shown)]
        blocks += [Paragraph(text=_in_words(one)) for one in shown]
        blocks.append(Paragraph(text=EXPLANATION))
    return Section(title="Arms changed on purpose", anchor="interventions", blocks=blocks, findings=found)


def _changed(findings: Findings, changed: list[ArmSpec]) -> TableBlock:
    plan = findings.evidence.plan
    rows = [[arm.name, in_words(arm.interventions), base_arm(plan, arm) or "–"] for arm in changed]
    caption = "Rows are chosen by their id and the seed; held-out rows are split off first and changed alike."
    return TableBlock(columns=["arm", "its rows", "untouched arm"], rows=rows, caption=caption)


def _shown(findings: Findings, arm: ArmSpec) -> Iterator[Shown]:
    """Reward models whose signal was destroyed, beside their untouched arm, on each external benchmark."""
    base = base_arm(findings.evidence.plan, arm)
    if base is None or not {one.kind for one in arm.interventions} & SIGNAL_DESTROYED:
        return
    validation = [_validation(findings, name) for name in (base, arm.name)]
    for benchmark in findings.evidence.plan.benchmarks:
        external = [_external(findings, name, benchmark) for name in (base, arm.name)]
        if benchmark.name not in EXTERNAL or None in validation or None in external:
            continue
        inside, outside = _both(validation), _both(external)
        yield Shown(arm.name, base, benchmark.id, inside, outside, spurious_index(inside, outside))


def _both(pair: list[Accuracy | None]) -> tuple[Accuracy, Accuracy]:
    first, second = (one for one in pair if one is not None)
    return first, second


def _validation(findings: Findings, arm: str) -> Accuracy | None:
    """Accuracy on held-out pairs at each replicate's selected checkpoint, as the training measured it."""
    evidence = findings.evidence
    seeds, rows = [], 0
    for replicate in evidence.plan.replicates:
        training = evidence.trainings.get(replicate.training or "")
        selection = evidence.selections.get(replicate.selection or "")
        if replicate.arm != arm or training is None or selection is None or replicate.training is None:
            continue
        for record in evidence.curves.get(replicate.training, []):
            accuracy = record.get("metrics", {}).get(VALIDATION_ACCURACY)
            if record["step"] == selection.checkpoint.step and accuracy is not None:
                seeds.append(float(accuracy))
        rows = training.validation_rows
    return Accuracy(tuple(seeds), rows) if seeds and rows else None


def _external(findings: Findings, arm: str, benchmark: PlannedBenchmark) -> Accuracy | None:
    scores = findings.scores[benchmark.id].arms.get(arm)
    if scores is None:
        return None
    means = [float(np.nanmean(row)) for row in scores.scores if not np.isnan(row).all()]
    return Accuracy(tuple(means), len(scores.items)) if means else None


def fires(one: Shown) -> bool:
    """One seed tells of two checkpoints, not of the data: it takes two."""
    index = one.index
    return index is not None and _replicated(one) and index.value >= FIRES_ABOVE and index.interval[0] > 0


def _replicated(one: Shown) -> bool:
    return min(len(accuracy.seeds) for accuracy in (*one.validation, *one.external)) > 1


def _said(one: Shown) -> str:
    index = one.index
    if index is None:
        return ""
    low, high = index.interval
    return (
        f"{one.base}: the reward model reads a shortcut. With its rows changed ({one.arm}) it keeps "
        f"{_percent(index.validation_kept)} of its validation accuracy above chance, and "
        f"{_percent(index.external_kept)} on {one.benchmark}: "
        f"spurious-correlation index {index.value:.2f} (95 % interval {low:.2f} to {high:.2f})."
    )


def _indices(shown: list[Shown]) -> TableBlock:
    columns = ["arm", "against", "validation", "kept", "benchmark", "accuracy", "kept", "index", "95 % interval"]
    rows = []
    for one in shown:
        index = one.index
        found = (
            [_percent(index.validation_kept), _percent(index.external_kept), f"{index.value:.2f}",
             f"{index.interval[0]:.2f} to {index.interval[1]:.2f}"]
            if index else ["–"] * 4
        )  # fmt: skip
        rows.append(
            [one.arm, one.base, _pair(one.validation), found[0], one.benchmark, _pair(one.external), *found[1:]]
        )
    caption = "Accuracy of the untouched and of the changed arm; kept: what is left of the advantage over chance (0.5)."
    return TableBlock(columns=columns, rows=rows, numeric=[3, 6, 7, 8], caption=caption)


def _in_words(one: Shown) -> str:
    if one.index is None:
        return (
            f"{one.arm}: no index on {one.benchmark}, because {one.base} itself is not above chance on held-out rows "
            f"({one.validation[0].mean:.2f}): nothing was learned that could be kept."
        )
    if not _replicated(one):
        return f"{one.arm}: with one seed the interval knows nothing of the noise of training; two seeds would tell."
    if not one.index.external_learned:
        return (
            f"{one.base} is not above chance on {one.benchmark} ({one.external[0].mean:.2f}) though it is on held-out "
            "rows: there is nothing for the changed arm to keep there, which counts as 0."
        )
    if fires(one):
        learned = f"what {one.base} learned survives the loss of its meaning"
        return f"{one.arm}: {learned}, and does not carry over to {one.benchmark}."
    low, high = one.index.interval
    wide = " The interval is wide: more held-out rows or seeds would narrow it." if high - low > WIDE else ""
    return f"{one.arm}: on {one.benchmark} the index does not point to a shortcut.{wide}"


def _pair(pair: tuple[Accuracy, Accuracy]) -> str:
    return f"{pair[0].mean:.2f} → {pair[1].mean:.2f}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
