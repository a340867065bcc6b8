"""How numbers and verdicts are written, the same in every form: pure text, no markup."""

from __future__ import annotations

from collections.abc import Iterable

from assay_schemas.differences import mean, price
from assay_schemas.reports import Cell, ReportDocument, Verdict, VerdictWord

MARKS: dict[VerdictWord, str] = {
    "better": "▲ better",
    "worse": "▼ worse",
    "tied": "= tied",
    "underpowered": "? underpowered",
    "broken": "✗ broken",
}


def cell_text(cell: Cell | None, *, seeds: bool = True) -> str:
    """`0.352 ± 0.012 (3)`: the mean over seeds, their standard deviation and, if asked for, their number."""
    if cell is None or cell.mean is None:
        return "cancelled" if cell is not None and cell.cancelled else "–"
    spread = f" ± {mean(cell.seed_sd)}" if cell.seed_sd is not None else ""
    number = f" ({len(cell.seed_means)})" if seeds and cell.role not in ("control", "reference") else ""
    return f"{mean(cell.mean)}{spread}{number}"


def scores_in_short(answers: Iterable[tuple[str, float | None]]) -> str:
    """Every answer's score, arm by arm, as it stands on an item's fold: `control 1 · clean 0 1 1 · wrong ✗ 0 0`."""
    scores: dict[str, list[str]] = {}
    for arm, score in answers:
        scores.setdefault(arm, []).append("✗" if score is None else f"{score:.3g}")
    return " · ".join(f"{arm} {' '.join(found)}" for arm, found in scores.items())


def mark(cell: Cell | None) -> str:
    return MARKS[cell.verdict] if cell is not None and cell.verdict is not None else ""


def about(verdict: Verdict) -> str:
    """Where a verdict's sentence is about: `perplexity (bits per byte)`."""
    metric = verdict.metric.replace("_", " ")
    return verdict.benchmark if metric in ("", verdict.benchmark) else f"{verdict.benchmark} ({metric})"


def direction(report: ReportDocument, benchmark: str) -> str:
    """`bits per byte, lower is better`; nothing where no verdict was asked for."""
    verdict = next((one for one in report.verdicts if one.benchmark == benchmark), None)
    if verdict is None:
        return ""
    metric = "" if verdict.metric in ("", benchmark) else f"{verdict.metric.replace('_', ' ')}, "
    return f"{metric}{'higher' if verdict.higher_is_better else 'lower'} is better"


def table_cells(report: ReportDocument) -> dict[tuple[str, str], Cell]:
    return {(cell.arm, cell.benchmark): cell for cell in report.cells}


def facts(report: ReportDocument) -> str:
    """The line under the sentence: outcome, jobs, reuse, cost."""
    reused = f", {report.reused} reused" if report.reused else ""
    cost = price(report)
    return f"{report.outcome} · {report.jobs} jobs{reused} · {cost} · {report.generated_at:%Y-%m-%d %H:%M} UTC"
