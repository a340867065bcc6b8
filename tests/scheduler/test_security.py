"""The HTTP API against those who mean harm: other sites' pages, other owners, odd addresses."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import contract_cases as cases
import pytest

pytestmark = pytest.mark.real


async def test_only_owners_and_admins_stop_work_and_a_reader_asks_for_none(system, files: Path, tmp_path: Path) -> None:
    def grant(token: str, *scopes: str) -> dict[str, object]:
        return {"sha256": hashlib.sha256(token.encode()).hexdigest(), "scopes": scopes}

    grants = {"alice": "a", "bob": "b", "rita": grant("r", "read"), "root": grant("x", "read", "admin")}
    tokens = tmp_path / "tokens.json"
    tokens.write_text(json.dumps(grants))
    async with system(api_tokens_file=tokens, answer=lambda *_: None) as running:

        async def status(token: str, method: str, path: str) -> int:
            header = {"Authorization": f"Bearer {token}"}
            body = cases.minimal(files) if path == "/experiments" and method == "POST" else None
            return (await running.http.request(method, path, json=body, headers=header)).status_code

        assert await status("r", "GET", "/experiments") == 200
        assert await status("r", "POST", "/experiments") == 403
        assert await status("a", "POST", "/experiments") == 201
        (mine,) = await running.fetch("SELECT id FROM experiments")
        (request, *_) = await running.until(lambda: running.workers.asked("training"))
        for path in (f"/experiments/{mine['id']}/cancel", f"/jobs/{request['job_key']}/cancel"):
            assert await status("b", "POST", path) == 403
        assert await status("x", "POST", f"/jobs/{request['job_key']}/cancel") == 202
        assert await status("a", "POST", f"/experiments/{mine['id']}/cancel") == 202


async def test_what_a_browser_sends_for_another_site_and_null_characters_are_refused(system, files: Path) -> None:
    async with system() as running:
        body = json.dumps(cases.minimal(files))
        for header in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
            sent = header | {"Content-Type": "text/plain"}
            assert (await running.http.post("/experiments", content=body, headers=sent)).status_code == 403
        assert await running.fetch("SELECT 1 FROM experiments") == []
        own = {"Origin": str(running.http.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}
        assert (await running.http.post("/experiments?dry_run=true", content=body, headers=own)).status_code == 200
        for path in ("/experiments/%00", "/jobs/a%00b", "/jobs?status=%00", "/experiments/x/cancel?reason=%00"):
            method = "POST" if "cancel" in path else "GET"
            assert (await running.http.request(method, path)).status_code == 400, path


async def test_every_answer_has_the_headers_that_keep_browsers_from_guessing(system) -> None:
    async with system() as running:
        for path in ("/experiments", "/experiments/none", "/healthz", "/experiments/%00"):
            headers = (await running.http.get(path)).headers
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["X-Frame-Options"] == "DENY"
            assert headers["Cache-Control"] == "no-store"
            assert "default-src 'none'" in headers["Content-Security-Policy"]


async def test_who_asks_too_often_is_told_to_wait(system) -> None:
    async with system(api_requests_per_minute=5) as running:
        answers = [(await running.http.get("/experiments")).status_code for _ in range(8)]
        assert answers[:5] == [200] * 5
        assert 429 in answers
