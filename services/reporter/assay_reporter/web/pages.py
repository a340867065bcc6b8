"""What pages share: rendering a template, and saying that something is not there."""

from __future__ import annotations

from typing import Any

from fastapi.responses import HTMLResponse

from assay_reporter.render.html import environment


def page(template: str, status: int = 200, **context: Any) -> HTMLResponse:
    return HTMLResponse(environment().get_template(template).render(**context), status)


def fragment(template: str, **context: Any) -> str:
    return environment().get_template(template).render(**context)


def not_found(what: str) -> HTMLResponse:
    return page("message.html", 404, title="Not here", text=what)
