"""The report's first screen as HTML for e-mail: tables and inline styles only, no script, no picture, no request.

Every text is escaped by the template engine.
"""

from __future__ import annotations

from assay_schemas.reports import ReportDocument

from assay_reporter.render.html import environment, first_screen

COLOURS = {
    "better": "#1a7f37",
    "worse": "#c1253b",
    "tied": "#0b7285",
    "underpowered": "#8a5a00",
    "broken": "#6f2da8",
}


def render_email(report: ReportDocument, url: str = "") -> str:
    """`url`: the report's page, linked where it is known."""
    primary = [one for one in report.verdicts if one.family == "primary"]
    given = {**first_screen(report), "primary": primary, "url": url, "colours": COLOURS}
    return environment().get_template("email.html").render(given)
