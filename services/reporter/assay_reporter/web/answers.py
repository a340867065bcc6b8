"""What pages answer when they cannot show what was asked for, and how the OpenAPI description says so.

Never shows a stack trace.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from assay_chassis.errors import Transient
from assay_chassis.object_store import KeyRefused
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from assay_reporter.web.pages import not_found, page

WORDS = {
    202: "Is being prepared; reload in a moment",
    307: "The whole id, where the beginning of one was given",
    400: "An address with a null character",
    404: "There is no such thing",
    413: "Larger than pages show",
    422: "A part of the address that cannot be read",
    503: "The database or the store is away; try again in two seconds",
}
HTML = {"text/html": {"schema": {"type": "string"}}}
ANY_PAGE = (400, 422, 503)


def pages(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The answers of these statuses, for a route's description."""
    return {status: {"description": WORDS[status], "content": HTML} for status in statuses}


def files(*media_types: str) -> dict[int | str, dict[str, Any]]:
    """A success that is a file of one of these types."""
    names = [kind.partition(";")[0] for kind in media_types]
    content = {name: {"schema": {"type": "object" if name == "application/json" else "string"}} for name in names}
    return {200: {"description": "The file", "content": content}}


def add_answers(web: FastAPI) -> None:
    """Errors of the database, the store, its keys and of the address become pages."""

    async def away(_: Request, error: Exception) -> Response:
        response = page("message.html", 503, title="Not available now", text=str(error))
        response.headers["Retry-After"] = "2"
        return response

    async def no_key(_request: Request, _error: Exception) -> Response:
        return not_found("No experiment has such a name.")

    async def unreadable(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return page("message.html", 422, title="Not an address", text=_in_words(error.errors()))

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == 404:
            return not_found(f"There is no page {request.url.path} here.")
        response = page("message.html", error.status_code, title="Not possible", text=f"{error.detail}.")
        response.headers.update(error.headers or {})
        return response

    web.add_exception_handler(Transient, away)
    web.add_exception_handler(KeyRefused, no_key)
    web.add_exception_handler(RequestValidationError, unreadable)
    web.add_exception_handler(HTTPException, refused)


def _in_words(faults: Sequence[Any]) -> str:
    """What is wrong with each part of an address: `months: Input should be …`."""
    said = [f"{fault['loc'][-1]}: {fault['msg'][:1].lower()}{fault['msg'][1:]}." for fault in faults]
    return f"The address has a part that cannot be read. {' '.join(said)}"


def null_character() -> Response:
    return page("message.html", 400, title="Not an address", text="An address holds no null character.")
