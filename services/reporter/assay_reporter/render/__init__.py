"""Renders one report document as HTML, Markdown or JSON from the same blocks.

Pure functions of the document; to add a form, add its file and its line here.
"""

from collections.abc import Callable

from assay_schemas.reports import ReportDocument

from assay_reporter.render.email import render_email
from assay_reporter.render.html import render_html
from assay_reporter.render.json import render_json
from assay_reporter.render.markdown import render_markdown

FORMS: dict[str, tuple[Callable[[ReportDocument], str], str]] = {
    "html": (render_html, "text/html; charset=utf-8"),
    "email.html": (render_email, "text/html; charset=utf-8"),
    "md": (render_markdown, "text/markdown; charset=utf-8"),
    "json": (render_json, "application/json"),
}

__all__ = ["FORMS", "render_email", "render_html", "render_json", "render_markdown"]
