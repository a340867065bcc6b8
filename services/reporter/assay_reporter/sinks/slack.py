"""Slack: through an incoming webhook, or with a token into a channel with the details in a thread.

At most one message a second to each, as Slack asks; its other limits are kept in `slack_blocks`.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import httpx
from pydantic import SecretStr

from assay_reporter.sinks.http import post
from assay_reporter.sinks.message import Message, TryLater, Undeliverable
from assay_reporter.sinks.slack_blocks import details, headline, whole

BETWEEN_S = 1.1
PASSING = frozenset({"ratelimited", "internal_error", "fatal_error", "request_timeout", "service_unavailable"})


class SlackHook:
    """An incoming webhook, whose address is its secret: everything in one message."""

    def __init__(self, url: SecretStr) -> None:
        self._url = url
        self._pace = Pace()

    async def send(self, message: Message, http: httpx.AsyncClient) -> None:
        await self._pace.wait()
        await post(http, self._url.get_secret_value(), json.dumps(whole(message.report, message.url)).encode(), {})


class SlackChannel:
    """A channel reached with a bot's token: the answer as a message, the details in its thread."""

    def __init__(self, token: SecretStr, channel: str, api: str) -> None:
        self._token = token
        self._channel = channel
        self._api = api.rstrip("/")
        self._pace = Pace()

    async def send(self, message: Message, http: httpx.AsyncClient) -> str | None:
        """Two calls: the first returns the thread, in which the second puts the details."""
        await self._pace.wait()
        if message.thread is None:
            return str((await self._post(http, headline(message.report, message.url)))["ts"])
        await self._post(http, {**details(message.report), "thread_ts": message.thread})
        return None

    async def _post(self, http: httpx.AsyncClient, body: dict[str, Any]) -> dict[str, Any]:
        told = json.dumps({"channel": self._channel, **body}).encode()
        headers = {"Authorization": f"Bearer {self._token.get_secret_value()}"}
        answer = await post(http, f"{self._api}/chat.postMessage", told, headers)
        try:
            found = answer.json()
        except ValueError as error:
            raise TryLater("an answer that is no JSON") from error
        if found.get("ok"):
            return dict(found)
        reason = str(found.get("error", "unknown error"))
        raise TryLater(reason) if reason in PASSING else Undeliverable(reason)


class Pace:
    """Keeps the messages of one process to one address apart."""

    def __init__(self, between_s: float = BETWEEN_S) -> None:
        self._between_s = between_s
        self._next = 0.0

    async def wait(self) -> None:
        now = time.monotonic()
        delay, self._next = self._next - now, max(self._next, now) + self._between_s
        if delay > 0:
            await asyncio.sleep(delay)
