"""Every comparison with its interval: a forest plot for each benchmark, and the sentences behind it."""

from __future__ import annotations

from assay_schemas.differences import in_points, signed
from assay_schemas.reports import Verdict

from assay_reporter.blocks import AnyBlock, ForestPlot, Interval, Paragraph, Section, TableBlock
from assay_reporter.render.words import about
from assay_reporter.sections.findings import Findings

FAMILIES = {"primary": "declared", "check": "placebo check", "exploratory": "exploratory"}
LEGEND = (
    "Lines are 95 % intervals, the grey band is ± the smallest effect of interest. Triangle up: better; down: worse; "
    "square: tied; circle: underpowered. Colours say the same."
)
MOST_PLOTTED = 12
"""Of more, only declared comparisons and the placebo's check are drawn; the table has all."""


def comparisons(findings: Findings) -> Section | None:
    """Deltas with 95 % intervals, uncorrected, and verdicts corrected over the declared family."""
    blocks: list[AnyBlock] = [Paragraph(text=flag, tone="bad") for flag in findings.flags]
    for benchmark in findings.evidence.plan.benchmarks:
        listed = [one for one in findings.verdicts if one.benchmark == benchmark.id]
        plotted = [one for one in listed if one.interval is not None and one.delta is not None]
        if len(plotted) > MOST_PLOTTED:
            plotted = [one for one in plotted if one.family != "exploratory"]
        if plotted:
            direction = "right is better" if benchmark.higher_is_better else "left is better"
            scale, what = _unit(listed, benchmark.primary)
            effect = next((scale * one.smallest_effect for one in listed if one.smallest_effect), None)
            blocks.append(
                ForestPlot(
                    title=benchmark.id,
                    axis=f"difference in {what} ({direction})",
                    rows=[_interval(one, scale) for one in plotted],
                    smallest_effect=effect,
                )
            )
    plots = [place for place, block in enumerate(blocks) if isinstance(block, ForestPlot)]
    if plots:
        blocks[plots[-1]] = blocks[plots[-1]].model_copy(update={"legend": LEGEND})
    declared = [one for one in findings.verdicts if one.family != "exploratory"]
    others = [one for one in findings.verdicts if one.family == "exploratory"]
    if declared:
        blocks.append(_table(declared, "Declared comparisons are corrected for their number (Holm)."))
    if others:
        blocks.append(_table(others, "Not corrected for their number.", f"Exploratory comparisons ({len(others)})"))
    return Section(title="Comparisons", anchor="comparisons", blocks=blocks) if blocks else None


def _unit(verdicts: list[Verdict], metric: str) -> tuple[float, str]:
    """What numbers are drawn in: points of 100 for shares of 1, otherwise the metric's own unit."""
    points = all(in_points(one) for one in verdicts if one.delta is not None)
    words = metric.replace("_", " ")
    return (100.0, f"points of {words}") if points else (1.0, words)


def _interval(verdict: Verdict, scale: float) -> Interval:
    low, high = verdict.interval or (0.0, 0.0)
    label = f"{verdict.arm} − {verdict.versus}"
    value = scale * (verdict.delta or 0.0)
    return Interval(label=label, value=value, low=scale * low, high=scale * high, verdict=verdict.verdict)


def _table(verdicts: list[Verdict], caption: str, folded: str = "") -> TableBlock:
    rows = [
        [
            about(verdict),
            f"{verdict.arm} against {verdict.versus}",
            f"{verdict.verdict} ({FAMILIES[verdict.family]})",
            _sentence(verdict),
        ]
        for verdict in verdicts
    ]
    return TableBlock(
        columns=["benchmark", "comparison", "verdict", "in words"],
        rows=rows,
        caption=caption,
        folded=folded,
    )


def _sentence(verdict: Verdict) -> str:
    own = verdict.own_interval
    limits = [signed(verdict, limit) for limit in own or ()]
    beside = f"With the arms' own seed variances: {' to '.join(limits)}." if limits else ""
    return " ".join(part for part in (verdict.reason, beside, *verdict.notes) if part)
