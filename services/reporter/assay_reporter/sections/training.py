"""Training health: how the steps of every replicate went, the checkpoint selected, and what rows were lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from assay_schemas.results import SelectionResult

from assay_reporter.blocks import AnyBlock, Curve, CurvePlot, Paragraph, Section, TableBlock
from assay_reporter.diagnosis.health import signs
from assay_reporter.sections.findings import Findings

MOST_POINTS = 200
MOST_METRICS = 12
LOST_ROWS = 0.05
UNFOLDED = 6
LOSSES = {"loss": ("Training loss", "mean loss"), "validation_loss": ("Validation loss", "mean loss")}
WHAT_LOSS_IS = (
    "The loss is what training makes smaller, as a mean: over the tokens to be learned (SFT), over pairs (DPO, reward "
    "models) or over what was sampled (PPO and GRPO, whose validation loss is minus the mean reward). It compares runs "
    "of one algorithm, and verdicts never rest on it."
)
Records = list[dict[str, Any]]


def training(findings: Findings) -> Section | None:
    """Nothing where nothing was trained."""
    evidence = findings.evidence
    rows: list[list[str]] = []
    logs: dict[str, tuple[str, str, Records]] = {}
    for replicate in evidence.plan.replicates:
        result = evidence.trainings.get(replicate.training or "")
        if result is None or replicate.training is None:
            continue
        who = f"{replicate.arm}, seed {replicate.seed}"
        selection = evidence.selections.get(replicate.selection or "")
        chosen = f"{selection.checkpoint.step} of {result.steps}" if selection else "–"
        losses = [one.validation_loss for one in result.checkpoints if one.validation_loss is not None]
        rows.append([who, chosen, _number(min(losses, default=None)), _number(result.final_loss), str(result.rows),
                     str(result.rows_truncated + result.rows_dropped)])  # fmt: skip
        records = evidence.curves.get(replicate.training, [])
        logs.setdefault(replicate.training, (who, replicate.arm, records))
    if not rows:
        return None
    found = [*_signs(findings, list(logs.values())), *_lost_rows(findings)]
    blocks: list[AnyBlock] = [Paragraph(text=one, tone="warning") for one in found]
    plots = list(_plots(list(logs.values())))
    if any(plot.y_title == "mean loss" for plot in plots):
        blocks.append(Paragraph(text=WHAT_LOSS_IS))
    blocks += plots
    columns = ["replicate", "selected step", "best validation loss", "final loss", "rows", "rows cut or dropped"]
    folded = f"Every replicate ({len(rows)})" if len(rows) > UNFOLDED else ""
    blocks.append(TableBlock(columns=columns, rows=rows, numeric=[1, 2, 3, 4, 5], folded=folded))
    blocks += _selections(findings)
    return Section(title="Training", anchor="training", blocks=blocks, findings=found)


def _signs(findings: Findings, logs: list[tuple[str, str, Records]]) -> Iterator[str]:
    """Signs of trouble, arm by arm."""
    for arm in dict.fromkeys(arm for _, arm, _ in logs):
        verdicts = [findings.verdict(arm, benchmark.id) for benchmark in findings.evidence.plan.benchmarks]
        fell_on = [one.benchmark for one in verdicts if one is not None and one.verdict == "worse"]
        for sign in signs([records for _, name, records in logs if name == arm], fell_on):
            yield f"{arm}: {sign}."


def _lost_rows(findings: Findings) -> Iterator[str]:
    """Arms of whose rows many were cut or left out for their length."""
    lost: dict[str, float] = {}
    for replicate in findings.evidence.plan.replicates:
        result = findings.evidence.trainings.get(replicate.training or "")
        if result is not None and result.rows:
            share = (result.rows_truncated + result.rows_dropped) / result.rows
            lost[replicate.arm] = max(share, lost.get(replicate.arm, 0.0))
    for arm, share in lost.items():
        if share > LOST_ROWS:
            yield f"{arm}: {100 * share:.0f} % of rows were longer than max_length, and cut or left out (truncation)."


def _selections(findings: Findings) -> list[AnyBlock]:
    """Every checkpoint's score where one had to be chosen, a table for each metric that chose."""
    evidence = findings.evidence
    chosen: dict[tuple[str, bool], list[tuple[str, SelectionResult]]] = {}
    for replicate in evidence.plan.replicates:
        one = evidence.selections.get(replicate.selection or "")
        if one is not None and len(one.scores) > 1 and any(score is not None for score in one.scores.values()):
            who = f"{replicate.arm}, seed {replicate.seed}"
            chosen.setdefault((one.metric, one.higher_is_better), []).append((who, one))
    return [block for (metric, higher), found in chosen.items() for block in _scores(metric, higher, found)]


def _scores(metric: str, higher_is_better: bool, found: list[tuple[str, SelectionResult]]) -> list[AnyBlock]:
    steps = sorted({step for _, one in found for step in one.scores})
    best = "highest" if higher_is_better else "lowest"
    items = max(one.items for _, one in found)
    where = f" on {items} items that are not reported" if items else ""
    words = f"Checkpoints by {metric.replace('_', ' ')}{where}: the {best} is selected (*)."
    rows = [
        [who, *(_number(one.scores.get(step)) + (" *" if step == one.checkpoint.step else "") for step in steps)]
        for who, one in found
    ]
    columns = ["replicate", *(f"step {step}" for step in steps)]
    numeric = list(range(1, len(columns)))
    return [Paragraph(text=words), TableBlock.of_details("Every checkpoint", rows, columns=columns, numeric=numeric)]


def _plots(logs: list[tuple[str, str, Records]]) -> Iterator[CurvePlot]:
    """One for each loss, and one for each metric that the algorithm reported; none of fewer than two points."""
    own = dict.fromkeys(name for _, _, records in logs for record in records for name in record.get("metrics", {}))
    wanted = LOSSES | {name: (_words(name), _words(name).lower()) for name in list(own)[:MOST_METRICS]}
    for name, (title, y_title) in wanted.items():
        curves = [_curve(who, arm, records, name) for who, arm, records in logs]
        drawn = [curve for curve in curves if len(curve.x) > 1]
        if drawn:
            yield CurvePlot(title=title, x_title="step", y_title=y_title, curves=drawn)


def _curve(label: str, group: str, records: Records, name: str) -> Curve:
    """The values of one name over the steps that have it."""
    values = [(record["step"], record.get(name, record.get("metrics", {}).get(name))) for record in records]
    points = [(step, value) for step, value in values if value is not None]
    every = max(1, len(points) // MOST_POINTS)
    kept = [point for place, point in enumerate(points) if place % every == 0 or place == len(points) - 1]
    return Curve(label=label, group=group, x=[float(x) for x, _ in kept], y=[float(y) for _, y in kept])


def _words(name: str) -> str:
    """`validation_clip_fraction` as a title."""
    return name.replace("_", " ").capitalize()


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
