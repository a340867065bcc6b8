"""Pages that cannot be shown: what is away, what has no such name, and odd addresses, all said in a page."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from assay_chassis.errors import DatabaseUnavailable
from assay_chassis.object_store.memory import MemoryStore
from assay_reporter.web import make_web


class Away:
    def connection(self) -> Any:
        raise DatabaseUnavailable("PostgreSQL (ASSAY_DATABASE_URL): does not answer; it is tried again")


@pytest.fixture
async def pages() -> Any:
    app: Any = SimpleNamespace(database=Away(), store=MemoryStore())
    transport = httpx.ASGITransport(app=make_web(app), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        yield client


async def test_while_the_database_is_away_pages_say_so_and_when_to_come_again(pages: httpx.AsyncClient) -> None:
    for path in ("/", "/experiments/a", "/costs"):
        answer = await pages.get(path)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2"), path
        assert "does not answer" in answer.text
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert '<link rel="icon" href="data:image/svg+xml,' in answer.text


@pytest.mark.parametrize("name", ["..%2Fx", "x" * 2000, "%5C", "%0A"])
async def test_a_name_that_no_experiment_can_have_is_not_found(pages: httpx.AsyncClient, name: str) -> None:
    answer = await pages.get(f"/experiments/{name}/report.html")
    assert answer.status_code == 404, answer.text


@pytest.mark.parametrize(
    ("path", "part"),
    [("/costs?months=", "months"), ("/?before=yesterday", "before"), (f"/?q={'x' * 201}", "q"),
     ("/experiments/a/responses?only=some", "only"), ("/experiments/a/responses?page=0", "page")],
)  # fmt: skip
async def test_an_address_with_a_part_that_cannot_be_read_is_told_in_a_page(
    pages: httpx.AsyncClient, path: str, part: str
) -> None:
    answer = await pages.get(path)
    assert answer.status_code == 422
    assert "<h1>Not an address</h1>" in answer.text
    assert f"{part}: " in answer.text


async def test_an_address_of_no_page_is_a_page_and_shows_no_markup_of_its_own(pages: httpx.AsyncClient) -> None:
    answer = await pages.get("/reports/<b>x</b>")
    assert answer.status_code == 404
    assert "<h1>Not here</h1>" in answer.text
    assert "<b>x</b>" not in answer.text


async def test_what_only_reads_says_which_methods_it_takes(pages: httpx.AsyncClient) -> None:
    answer = await pages.post("/costs")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")
    assert "Method Not Allowed" in answer.text


async def test_a_null_character_is_refused(pages: httpx.AsyncClient) -> None:
    for path in ("/experiments/%00", "/?q=%00"):
        answer = await pages.get(path)
        assert answer.status_code == 400
        assert answer.headers["X-Frame-Options"] == "DENY"
