"""The report's first screen as one PNG, for chat: the sentence and the declared differences with their intervals.

Made when asked for; never a request outside. Of very many benchmarks the first ones are drawn, and it says so.
"""

from __future__ import annotations

import textwrap

from assay_schemas.reports import ReportDocument

from assay_reporter.blocks import ForestPlot, Section
from assay_reporter.render.charts import Spec, forest_spec, png
from assay_reporter.render.html import SECTIONS

MOST_PLOTS = 4
LINE = 74
TITLE = {"anchor": "start", "fontSize": 15, "subtitleFontSize": 12, "offset": 14}


def render_picture(report: ReportDocument) -> bytes:
    """A PNG on white, twice as fine as the page's charts."""
    return png(picture_spec(report))


def picture_spec(report: ReportDocument) -> Spec:
    """The picture as Vega-Lite; where nothing can be drawn, the sentence alone."""
    plots = [block for block in _comparisons(report) if isinstance(block, ForestPlot)]
    left_out = len(plots) - MOST_PLOTS
    said = [report.name] + ([f"and {left_out} more benchmarks on the page"] if left_out > 0 else [])
    title = {**TITLE, "text": textwrap.wrap(report.sentence, LINE), "subtitle": said}
    charts: list[Spec] = [{**forest_spec(plot), "title": plot.title} for plot in plots[:MOST_PLOTS]]
    nothing: Spec = {"data": {"values": []}, "mark": "point", "width": 1, "height": 1}
    return {"title": title, "vconcat": charts or [nothing], "padding": 16}


def _comparisons(report: ReportDocument) -> list[object]:
    sections: list[Section] = SECTIONS.validate_python(
        [one for one in report.sections if one["anchor"] == "comparisons"]
    )
    return [block for section in sections for block in section.blocks]
