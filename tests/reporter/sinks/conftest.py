"""A server that behaves like Slack and like a receiver of webhooks, and a report to send to it."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import pytest
from assay_chassis.health import HttpServer
from assay_schemas.reports import Cell, ReportDocument, Verdict
from fastapi import FastAPI, Request, Response

ID = "00000000-0000-0000-0000-000000000000"
NAMES = {"data-quality": "B0/secret-of-a", "research": "B1/secret-of-b"}


@dataclass
class SlackLike:
    """Takes what Slack takes: known hooks, whole blocks within the limits, one message a second for each hook.

    `broken` answers so many calls with 503 first; `retry_after` is what a 429 asks for.
    """

    port: int = 0
    broken: int = 0
    retry_after: str = "1"
    taken: list[dict[str, Any]] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    scopes: set[str] = field(default_factory=lambda: {"chat:write", "files:write"})
    upload_host: str = ""
    uploads: dict[str, bytes] = field(default_factory=dict)
    pictures: list[dict[str, Any]] = field(default_factory=list)
    signed: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    _last: dict[str, float] = field(default_factory=dict)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/{path}"

    def answer(self, key: str, body: dict[str, Any]) -> Response:
        if self.broken:
            self.broken -= 1
            return self._refused(503, "")
        if time.monotonic() - self._last.get(key, -9.0) < 1.0:
            return self._refused(429, "rate_limited", {"Retry-After": self.retry_after})
        if problem := too_much(body):
            return self._refused(400, problem)
        self._last[key] = time.monotonic()
        self.taken.append({"key": key, **body})
        return Response("ok")

    def place_for(self, form: dict[str, str]) -> dict[str, Any]:
        """`files.getUploadURLExternal`: an address for so many bytes."""
        if "files:write" not in self.scopes:
            return {"ok": False, "error": "missing_scope", "needed": "files:write"}
        file = f"F{len(self.uploads)}"
        address = f"{self.upload_host or self.url('upload')}/{file}?length={form['length']}"
        return {"ok": True, "upload_url": address, "file_id": file}

    def shared(self, form: dict[str, str]) -> dict[str, Any]:
        """`files.completeUploadExternal`: only what was uploaded can be shared."""
        files = json.loads(form["files"])
        if any(one["id"] not in self.uploads for one in files):
            return {"ok": False, "error": "file_not_found"}
        self.pictures.append({**form, "files": files})
        return {"ok": True, "files": files}

    def _refused(self, status: int, text: str, headers: dict[str, str] | None = None) -> Response:
        self.refused.append(status)
        return Response(text, status, headers)


def too_much(body: dict[str, Any]) -> str:
    """Slack's word for what is over its limits, or nothing."""
    blocks = body.get("blocks", [])
    if not body.get("text") or len(blocks) > 50:
        return "invalid_blocks"
    for block in blocks:
        text = block.get("text", {}).get("text", "")
        if block["type"] == "header" and not 1 <= len(text) <= 150:
            return "invalid_blocks"
        if block["type"] == "section" and not 1 <= len(text) <= 3000:
            return "invalid_blocks"
        if block["type"] == "context" and not 1 <= len(block["elements"]) <= 10:
            return "invalid_blocks"
    return "msg_too_long" if len(str(blocks)) > 13_200 else ""


@pytest.fixture
async def slack() -> AsyncIterator[SlackLike]:
    found, web = SlackLike(), FastAPI()

    @web.post("/services/{team}/{secret}")
    async def hook(team: str, secret: str, request: Request) -> Response:
        if f"{team}/{secret}" not in NAMES.values():
            return found._refused(404, "no_service")
        return found.answer(f"{team}/{secret}", await request.json())

    @web.post("/api/chat.postMessage")
    async def message(request: Request) -> Any:
        body = await request.json()
        if request.headers["authorization"] != "Bearer xoxb-secret":
            return {"ok": False, "error": "invalid_auth"}
        answer = found.answer(body["channel"], body)
        return answer if answer.status_code != 200 else {"ok": True, "ts": f"17.{len(found.taken)}"}

    @web.post("/api/files.{method}")
    async def file(method: str, request: Request) -> Any:
        if request.headers["authorization"] != "Bearer xoxb-secret":
            return {"ok": False, "error": "invalid_auth"}
        if request.headers["content-type"] != "application/x-www-form-urlencoded":
            return {"ok": False, "error": "invalid_arguments"}
        form = dict(parse_qsl((await request.body()).decode()))
        return found.place_for(form) if method == "getUploadURLExternal" else found.shared(form)

    @web.post("/upload/{file}")
    async def upload(file: str, length: int, request: Request) -> Response:
        body = await request.body()
        if len(body) != length or "authorization" in request.headers:
            return Response("bad upload", 400)
        found.uploads[file] = body
        return Response(f"OK - {length}")

    @web.post("/hook")
    async def webhook(request: Request) -> Response:
        found.signed.append((dict(request.headers), await request.body()))
        return Response(status_code=204)

    server = HttpServer(web, "127.0.0.1", 0)
    await server.start()
    found.port = server.port
    yield found
    await server.stop()


def made_report(**changes: Any) -> ReportDocument:
    verdict = Verdict(arm="wrong", versus="control", benchmark="gsm8k", metric="m", verdict="worse", reason="it fell")
    cell = Cell(
        arm="wrong", role="arm", benchmark="gsm8k", metric="m", mean=0.17, seed_means={0: 0.17}, verdict="worse"
    )
    plain = {
        "experiment_id": ID, "name": "wrong-solutions", "question": "Do they hurt?", "outcome": "succeeded",
        "sentence": "wrong is worse than control.", "arms": ["control", "wrong"], "benchmarks": ["gsm8k"],
        "cells": [cell], "verdicts": [verdict], "next_steps": ["Read the responses."],
        "generated_at": datetime(2026, 1, 2, tzinfo=UTC),
    }  # fmt: skip
    return ReportDocument.model_validate({**plain, **changes})


@pytest.fixture
def report():
    return made_report
