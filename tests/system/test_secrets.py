"""What a running system was given as a secret stands in no record, object, report, log, page or command line of it."""

from __future__ import annotations

import asyncio
import stat
import urllib.request
from collections.abc import Iterator
from itertools import chain
from urllib.parse import urlsplit

import moody_endpoint
import psutil
import pytest
import system_ground as ground
from system_ground import Ground

pytestmark = [pytest.mark.real, pytest.mark.slow]
PAGES = {
    "scheduler": ("/readyz", "/metrics", "/experiments/{id}", "/jobs"),
    "reporter": ("/metrics", "/experiments/{id}"),
}


def pages(whole: Ground, identity: str) -> Iterator[tuple[str, bytes]]:
    for name, places in PAGES.items():
        for place in places:
            url = whole.system._url(name) + place.format(id=identity)
            with urllib.request.urlopen(url, timeout=30) as answer:
                yield url, answer.read()


def command_lines() -> Iterator[tuple[str, bytes]]:
    for process in psutil.process_iter():
        try:
            yield f"process {process.pid}", "\0".join(process.cmdline()).encode()
        except psutil.Error:
            continue


async def test_no_secret_of_a_running_system_is_written_or_shown_anywhere(whole: Ground) -> None:
    since = ground.now()
    run = await asyncio.to_thread(lambda: whole.ended(whole.submit(name="canary")))
    tape = await whole.tape(since, lambda tape: tape.of("report.published", run.id))
    password = urlsplit(whole.system._database_url).password
    assert password
    secrets = [secret.encode() for secret in (password, moody_endpoint.KEY, *ground.CANARIES.values())]
    records = ((f"{one.topic}/{one.partition}/{one.offset}", one.value or b"") for one in tape.records)
    seen, holding = list[str](), list[str]()
    for name, content in chain(records, pages(whole, run.id), command_lines(), ground.files(whole.state)):
        seen.append(name)
        if any(secret in content for secret in secrets):
            holding.append(name)
    assert holding == []
    assert any(name.endswith("/report.html") for name in seen)
    assert "logs/scheduler.log" in seen


def test_files_that_hold_a_secret_are_for_their_owner_alone(whole: Ground) -> None:
    password = urlsplit(whole.system._database_url).password
    assert password
    holding = [path for path in whole.state.rglob("*") if path.name in ("password", "database_url")]
    assert any(password in path.read_text() for path in holding)
    assert {stat.S_IMODE(path.stat().st_mode) for path in holding} == {0o600}
