"""One POST to a sink, and what its answer means: delivered, later, or never.

Never follows redirects, and never repeats an address in a message: it may be the secret itself.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from assay_reporter.sinks.message import TryLater, Undeliverable

TIMEOUT_S = 10.0
LONGEST_WAIT_S = 3600.0
RETRIED = frozenset({408, 425, 429})
SHOWN_ANSWER = 80


def open_client() -> httpx.AsyncClient:
    """A client for every sink. Its own log names the addresses it calls, and is silenced."""
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False)


async def post(http: httpx.AsyncClient, url: str, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
    """The answer of a sink that took the message. Raises TryLater or Undeliverable."""
    try:
        answer = await http.post(url, content=body, headers={"Content-Type": "application/json", **headers})
    except httpx.TimeoutException as error:
        raise TryLater(f"no answer within {TIMEOUT_S:g} s") from error
    except httpx.HTTPError as error:
        raise TryLater(f"no connection ({type(error).__name__})") from error
    if answer.is_success:
        return answer
    said = f"HTTP {answer.status_code}{_told(answer)}"
    if answer.status_code in RETRIED or answer.is_server_error:
        raise TryLater(said, wait_asked_for(answer.headers.get("Retry-After"), datetime.now(UTC)))
    raise Undeliverable(said)


def wait_asked_for(value: str | None, now: datetime) -> float | None:
    """Seconds from a Retry-After header: a number or a date (RFC 9110, 10.2.3); at most an hour."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - now).total_seconds()
        except (ValueError, TypeError):
            return None
    return min(max(seconds, 0.0), LONGEST_WAIT_S) if seconds == seconds else None


def _told(answer: httpx.Response) -> str:
    """The beginning of a short plain answer, such as Slack's `invalid_blocks`; pages of HTML are left out."""
    text = answer.text.strip()
    return f": {text[:SHOWN_ANSWER]}" if text and "<" not in text and "://" not in text else ""
