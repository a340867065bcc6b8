"""Training health: the loss of every replicate, the checkpoint that was selected, and what rows were lost."""

from __future__ import annotations

from assay_reporter.blocks import AnyBlock, Curve, CurvePlot, Section, TableBlock
from assay_reporter.sections.findings import Findings

MOST_POINTS = 200


def training(findings: Findings) -> Section | None:
    """Nothing where nothing was trained."""
    evidence = findings.evidence
    rows, curves, seen = [], [], set()
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
        if replicate.training not in seen:
            curves.append(_curve(who, replicate.arm, evidence.curves.get(replicate.training, [])))
            seen.add(replicate.training)
    if not rows:
        return None
    blocks: list[AnyBlock] = []
    drawn = [curve for curve in curves if len(curve.x) > 1]
    if drawn:
        blocks.append(CurvePlot(title="Training loss", x_title="step", y_title="loss per token", curves=drawn))
    columns = ["replicate", "selected step", "best validation loss", "final loss", "rows", "rows cut or dropped"]
    blocks.append(TableBlock(columns=columns, rows=rows, numeric=[1, 2, 3, 4, 5]))
    return Section(title="Training", anchor="training", blocks=blocks)


def _curve(label: str, group: str, records: list[dict[str, float]]) -> Curve:
    points = [(record["step"], record["loss"]) for record in records if "step" in record and "loss" in record]
    every = max(1, len(points) // MOST_POINTS)
    kept = points[::every]
    return Curve(label=label, group=group, x=[float(x) for x, _ in kept], y=[float(y) for _, y in kept])


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
