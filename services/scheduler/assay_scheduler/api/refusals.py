"""RFC 9457 problem details: one shape for everything HTTP refuses.

Never shows a stack trace or a secret.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from assay_chassis.errors import EventTooLarge, Transient
from assay_schemas.problems import Problem
from assay_schemas.versions import VersionsUnreadable
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"


class Refusal(Exception):
    """An answer that is a problem: its status, a title, and every problem with the field and the mend."""

    def __init__(
        self, status: int, title: str, detail: str = "", problems: Sequence[Problem] = (), **extra: Any
    ) -> None:
        super().__init__(detail or title)
        self.status = status
        self.title = title
        self.detail = detail
        self.problems = list(problems)
        self.extra = extra

    def response(self) -> JSONResponse:
        content: dict[str, Any] = {"type": "about:blank", "title": self.title, "status": self.status, **self.extra}
        if self.detail:
            content["detail"] = self.detail
        if self.problems:
            content["problems"] = [problem.model_dump() for problem in self.problems]
        headers = {"WWW-Authenticate": "Bearer"} if self.status == 401 else None
        return JSONResponse(content, self.status, headers, MEDIA_TYPE)


def not_found(what: str, identity: str) -> Refusal:
    return Refusal(404, "Not found", f"There is no {what} {identity!r} here.")


def invalid(problems: Sequence[Problem], **extra: Any) -> Refusal:
    """422 with all problems at once."""
    listed = "; ".join(map(str, problems))
    return Refusal(422, "The request has problems", listed[:2000], problems, **extra)


def add_refusals(api: FastAPI) -> None:
    """Every error of the application leaves as problem details."""

    async def refusal(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Refusal)
        return error.response()

    async def framework(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        response = Refusal(error.status_code, str(error.detail)).response()
        response.headers.update(error.headers or {})
        return response

    async def parameters(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        problems = [
            Problem(field=".".join(map(str, one["loc"][1:])), message=f"{one['msg']}.") for one in error.errors()
        ]
        return invalid(problems).response()

    async def away(_: Request, error: Exception) -> JSONResponse:
        response = Refusal(503, "Not available now", f"{error}").response()
        response.headers["Retry-After"] = "2"
        return response

    async def too_large(_: Request, error: Exception) -> JSONResponse:
        return Refusal(413, "Too large", str(error)).response()

    api.add_exception_handler(Refusal, refusal)
    api.add_exception_handler(HTTPException, framework)
    api.add_exception_handler(RequestValidationError, parameters)
    api.add_exception_handler(Transient, away)
    api.add_exception_handler(VersionsUnreadable, away)
    api.add_exception_handler(EventTooLarge, too_large)
