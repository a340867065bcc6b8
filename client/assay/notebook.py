"""What a run looks like as the last line of a notebook cell: plain HTML that still renders when exported.

No scripts and no outside requests; all text is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from assay_schemas.differences import against_control
from assay_schemas.reports import Cell, ReportDocument

from assay.display import MARKS, heading, score
from assay.forest_plot import forest_svg

NEWLINE = "\n"
LEGEND = (
    "Mean over seeds ± their standard deviation. Below it: the difference from control and its 95 % interval, which "
    "verdicts rest on. In the plots the grey band is ± the smallest effect of interest."
)


def unreported_html(experiment_id: str, url: str) -> str:
    """Where to watch an experiment that has no report yet."""
    page = f' See <a href="{escape(url)}">{escape(url)}</a>.' if url else ""
    return f"<p>Experiment <code>{escape(experiment_id)}</code> has no report yet.{page}</p>"


def report_html(report: ReportDocument) -> str:
    """The report's sentence, its table, and what follows from it."""
    cells = {(cell.arm, cell.benchmark): cell for cell in report.cells}
    apart = against_control(report)
    heads = ["arm", *(heading(report, name) for name in report.benchmarks)]
    head = "".join(f"<th>{escape(text).replace(NEWLINE, '<br>')}</th>" for text in heads)
    rows = "".join(
        f"<tr><th>{escape(arm)}</th>"
        + "".join(
            f"<td>{_cell(cells.get((arm, benchmark)), apart.get((arm, benchmark), ''))}</td>"
            for benchmark in report.benchmarks
        )
        + "</tr>"
        for arm in report.arms
    )
    return (
        f"<p><strong>{escape(report.sentence)}</strong></p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table><p><small>{LEGEND}</small></p>"
        f"{''.join(f'<p>{escape(answer)}</p>' for answer in report.answers)}"
        f"{_listed('What stands out', [one.text for one in report.findings])}"
        f"{''.join(forest_svg(name, report.verdicts) for name in report.benchmarks)}"
        f"{_listed('What to try next', report.next_steps)}"
    )


def _listed(title: str, lines: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<p><strong>{title}</strong></p><ul>{items}</ul>" if lines else ""


def _cell(cell: Cell | None, apart: str) -> str:
    if cell is None:
        return "–"
    shown = escape(score(cell) + (f" {MARKS[cell.verdict]}" if cell.verdict else ""))
    return f"{shown}<br><small>{escape(apart)}</small>" if apart else shown
