"""The report as one self-contained HTML file: no scripts, no outside requests, light and dark, prints well.

Every text is escaped by the template engine; only our own charts are markup.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from assay_schemas.differences import against_control, duration, hours
from assay_schemas.reports import ReportDocument
from assay_schemas.visible import unturned
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape
from pydantic import TypeAdapter

from assay_reporter.blocks import Answer, CurvePlot, ForestPlot, Section
from assay_reporter.render.charts import curves_svg, forest_svg
from assay_reporter.render.words import about, cell_text, direction, facts, mark, scores_in_short, table_cells

TICKS = re.compile(r"`([^`\n]+)`")
REPORT_TEMPLATES = ("report.html", "report_body.html", "blocks.html", "assay.css", "icon.html", "email.html")
"""All that a report is rendered with."""
SECTIONS: TypeAdapter[list[Section]] = TypeAdapter(list[Section])


@cache
def environment() -> Environment:
    """The template environment, shared with the web pages: autoescaping on, undefined names are errors."""
    made = Environment(
        loader=PackageLoader("assay_reporter", "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_unturned,
    )
    made.globals.update(cell_text=cell_text, mark=mark, direction=direction, facts=facts, about=about, scores=_scores)
    made.filters["chart"] = _chart
    made.filters["ticks"] = _ticks
    made.filters.update(duration=duration, hours=hours)
    return made


def render_html(report: ReportDocument, pictures: Mapping[str, str] | None = None) -> str:
    """`pictures`: data URIs of the images that responses were given to, by key; one that is not there is named."""
    given = {**report_context(report), "pictures": pictures or {}}
    return environment().get_template("report.html").render(given)


def report_context(report: ReportDocument) -> dict[str, Any]:
    """What the report's templates are given; the live page shows the same parts."""
    sections = SECTIONS.validate_python(report.sections)
    titles = {section.anchor: section.title for section in sections}
    return {**first_screen(report), "sections": sections, "titles": titles}


def first_screen(report: ReportDocument) -> dict[str, Any]:
    """What the first screen's templates are given; sections are not read for it."""
    return {"report": report, "cells": table_cells(report), "differences": against_control(report)}


def _unturned(value: Any) -> Any:
    """What a template prints, in which nothing turns the text around it; markup stays markup."""
    if isinstance(value, Markup):
        return Markup(unturned(str(value)))
    return unturned(value) if isinstance(value, str) else value


def _chart(block: ForestPlot | CurvePlot) -> Markup:
    return Markup(forest_svg(block) if isinstance(block, ForestPlot) else curves_svg(block))


def _scores(answers: Sequence[Answer]) -> str:
    """By arm; `who` of an arm's answer is `clean, seed 1`."""
    return scores_in_short((one.who.partition(",")[0], one.score) for one in answers)


def _ticks(text: str) -> Markup:
    """Escaped text in which what stands between backticks is code."""
    return Markup(TICKS.sub(r"<code>\1</code>", str(escape(text))))
