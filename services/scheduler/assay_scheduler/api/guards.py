"""What every HTTP request passes before its route: no pages of other sites, no null characters, not too many.

Decides by headers and counts alone; never reads a body.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

from fastapi import FastAPI, Request, Response
from starlette.middleware.base import RequestResponseEndpoint

from assay_scheduler.api.refusals import Refusal

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
MOST_REMEMBERED = 10_000
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}
NOTHING_RUNS = "default-src 'none'; frame-ancestors 'none'"
PAGES = frozenset({"/docs", "/redoc", "/docs/oauth2-redirect"})
"""FastAPI's own pages, which load their scripts."""


class RateLimit:
    """A bucket of a minute's requests for each who asks, filled steadily; 0 is no limit."""

    def __init__(self, per_minute: int, now: Callable[[], float] = time.monotonic) -> None:
        self._per_minute, self._now = per_minute, now
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, who: str) -> None:
        """Raises Refusal 429 where nothing is left."""
        if not self._per_minute:
            return
        now = self._now()
        left, since = self._left.pop(who, (float(self._per_minute), now))
        left = min(float(self._per_minute), left + (now - since) * self._per_minute / 60.0)
        self._left[who] = (max(0.0, left - 1.0), now)
        while len(self._left) > MOST_REMEMBERED:
            self._left.popitem(last=False)
        if left < 1.0:
            raise Refusal(429, "Too many requests", f"More than {self._per_minute} requests a minute; wait a second.")


def add_guards(api: FastAPI) -> None:
    """Headers on every answer; refusals of what a browser sends for another site, and of null characters."""

    @api.middleware("http")
    async def guard(request: Request, call_next: RequestResponseEndpoint) -> Response:
        try:
            _no_null_character(request)
            _same_site(request)
            response = await call_next(request)
        except Refusal as refusal:
            response = refusal.response()
        response.headers.update(HEADERS)
        if request.url.path not in PAGES:
            response.headers["Content-Security-Policy"] = NOTHING_RUNS
        return response


def _no_null_character(request: Request) -> None:
    if "\x00" in request.scope["path"] or "\x00" in unquote(request.scope["query_string"].decode("latin-1")):
        raise Refusal(400, "Bad request", "An address holds no null character.")


def _same_site(request: Request) -> None:
    """A page of another site may make a browser send a request, but not without these headers of the browser's own."""
    if request.method in SAFE:
        return
    origin, host = request.headers.get("origin"), request.headers.get("host", "")
    other = origin is not None and urlsplit(origin).netloc != host
    if other or request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        raise Refusal(403, "Not allowed", "A page of another site may not ask for this.")
