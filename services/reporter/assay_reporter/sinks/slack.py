"""Slack: through an incoming webhook, or with a token into a channel, details and picture in a thread.

At most one message a second to each, as Slack asks; its other limits are kept in `slack_blocks`.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
from pydantic import SecretStr

from assay_reporter.render.picture import render_picture
from assay_reporter.sinks.http import post
from assay_reporter.sinks.message import Message, PartLeftOut, TryLater, Undeliverable
from assay_reporter.sinks.slack_blocks import details, headline, whole

BETWEEN_S = 1.1
LONGEST_DESCRIPTION = 1000
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
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
    """A channel reached with a bot's token: the answer as a message; in its thread the details, then the picture."""

    def __init__(self, token: SecretStr, channel: str, api: str) -> None:
        self._token = token
        self._channel = channel
        self._api = api.rstrip("/")
        self._pace = Pace()

    async def send(self, message: Message, http: httpx.AsyncClient) -> str | None:
        """One part at each call. The thread is `TIMESTAMP`, once the details are there `TIMESTAMP details`."""
        await self._pace.wait()
        if message.thread is None:
            return str((await self._say(http, headline(message.report, message.url)))["ts"])
        thread, _, done = message.thread.partition(" ")
        if not done:
            await self._say(http, {**details(message.report), "thread_ts": thread})
            return f"{thread} details"
        try:
            await self._show(http, message, thread)
        except Undeliverable as error:
            raise PartLeftOut(f"without the picture: {error}") from error
        return None

    async def _show(self, http: httpx.AsyncClient, message: Message, thread: str) -> None:
        """The first screen as a picture, by https://docs.slack.dev/messaging/working-with-files."""
        picture = await asyncio.to_thread(render_picture, message.report)
        described = message.report.sentence[:LONGEST_DESCRIPTION]
        asked = {"filename": "report.png", "length": str(len(picture)), "alt_txt": described}
        place = await self._call(http, "files.getUploadURLExternal", urlencode(asked).encode(), FORM)
        address = str(place.get("upload_url", ""))
        if not self._is_slacks(address):
            raise Undeliverable("the address for uploads is not on Slack's host")
        await post(http, address, picture, {"Content-Type": "image/png"})
        files = json.dumps([{"id": place.get("file_id"), "title": message.report.name}])
        shared = {"files": files, "channel_id": self._channel, "thread_ts": thread}
        await self._call(http, "files.completeUploadExternal", urlencode(shared).encode(), FORM)

    def _is_slacks(self, address: str) -> bool:
        """Whether an address is on the API's host or one below it, so that nobody else is sent the report."""
        api, given = urlsplit(self._api), urlsplit(address)
        host, known = given.hostname or "", api.hostname or ""
        return given.scheme == api.scheme and (host == known or host.endswith(f".{known}"))

    async def _say(self, http: httpx.AsyncClient, body: dict[str, Any]) -> dict[str, Any]:
        return await self._call(http, "chat.postMessage", json.dumps({"channel": self._channel, **body}).encode(), {})

    async def _call(self, http: httpx.AsyncClient, method: str, body: bytes, headers: dict[str, str]) -> dict[str, Any]:
        authorized = {"Authorization": f"Bearer {self._token.get_secret_value()}", **headers}
        answer = await post(http, f"{self._api}/{method}", body, authorized)
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
