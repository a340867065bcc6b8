"""A cancelled experiment's report waits for what stopped jobs took, but not for ever."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from assay_reporter.compile import compile_report
from assay_reporter.last_words import LONGEST_WAIT, stopped, with_last_words, worth_waiting
from assay_reporter.render.words import facts
from assay_schemas.events import EvalCompleted
from assay_schemas.jobs import Usage
from assay_schemas.reports import ReportDocument

ID = "00000000-0000-0000-0000-000000000000"
TOOK = Usage(wall_s=12.0, cpu_s=1000.0)


def cancelled(made: Any, at: datetime) -> tuple[Any, list[str]]:
    """The evidence of the same experiment, cancelled at that time while two evaluations were under way: one of its own
    and one that it shares; a third had not begun."""
    ends = {end.key: end for end in made.result.ends}
    own, shared, waiting = [end.key for end in made.result.ends if end.kind == "eval"][-3:]
    blank = {"outcome": "cancelled", "result": None, "usage": Usage()}
    ends[own] = ends[own].model_copy(update={**blank, "attempt": 2})
    ends[shared] = ends[shared].model_copy(update={**blank, "attempt": 1, "reused": True})
    ends[waiting] = ends[waiting].model_copy(update={**blank, "attempt": None})
    result = made.result.model_copy(update={"outcome": "cancelled", "ends": list(ends.values()), "completed_at": at})
    kept = {key: one for key, one in made.evaluations.items() if key not in (own, shared, waiting)}
    return replace(made, result=result, evaluations=kept), [own, shared, waiting]


def test_only_own_attempts_that_were_out_are_waited_for_and_only_so_long(evidence):
    now = datetime.now(UTC)
    made, (own, *_) = cancelled(evidence(), now)
    assert stopped(made.result.ends) == [(own, 2)]
    assert worth_waiting(made.result, {}, now + LONGEST_WAIT / 2)
    assert not worth_waiting(made.result, {}, now + LONGEST_WAIT + timedelta(seconds=1))
    assert not worth_waiting(made.result, {(own, 2): TOOK}, now)


def test_what_a_stopped_attempt_took_is_part_of_the_price(evidence):
    made, (own, shared, _) = cancelled(evidence(), datetime.now(UTC))
    whole = with_last_words(made.result, {(own, 2): TOOK, (own, 1): Usage(cpu_s=7.0), (shared, 1): Usage(cpu_s=5.0)})
    assert {end.key: end.usage for end in whole.ends if end.outcome == "cancelled"}[own] == TOOK
    spent = [sum(end.usage.cpu_s for end in one.ends) for one in (made.result, whole)]
    assert spent[1] - spent[0] == TOOK.cpu_s


@pytest.mark.real
async def test_a_cancelled_experiments_report_has_what_was_said_after_its_end(reporter, evidence, store_evidence):
    made, (own, *_) = cancelled(evidence(), datetime.now(UTC))
    before = sum(end.usage.cpu_s for end in made.result.ends if not end.reused)
    async with reporter() as running:
        await running.completed(made, store_evidence)
        await asyncio.sleep(2.5)
        assert await running.published_reports() == []
        said = EvalCompleted(
            job_key=own, attempt=2, outcome="cancelled", completed_at=made.result.completed_at, usage=TOOK
        )
        await running.publish("eval.completed", said, own)
        await running.until(running.published_reports)
        document = json.loads((await running.client.get(f"/experiments/{ID}/report.json")).text)
    assert document["usage"]["cpu_s"] == pytest.approx(before + TOOK.cpu_s)
    assert document["unsaid"] == 0
    assert "never told" not in facts(ReportDocument.model_validate(document))


def test_a_job_that_was_stopped_before_its_turn_is_not_counted_as_one_that_ran(evidence):
    whole, (made, _) = evidence(), cancelled(evidence(), datetime.now(UTC))
    ran = [
        {row[0]: int(row[1]) for section in compile_report(one, datetime.now(UTC)).sections
         if section["anchor"] == "price" for row in section["blocks"][0]["rows"]}
        for one in (whole, made)
    ]  # fmt: skip
    shared = waiting = 1
    assert ran[1]["evaluation"] == ran[0]["evaluation"] - shared - waiting
    assert ran[1]["training"] == ran[0]["training"]


@pytest.mark.real
async def test_a_report_is_made_without_a_word_that_does_not_come(reporter, evidence, store_evidence, monkeypatch):
    monkeypatch.setattr("assay_reporter.last_words.LONGEST_WAIT", timedelta(seconds=3))
    made, _ = cancelled(evidence(), datetime.now(UTC))
    async with reporter() as running:
        await running.completed(made, store_evidence)
        await asyncio.sleep(1.0)
        assert await running.published_reports() == []
        await running.until(running.published_reports)
        document = json.loads((await running.client.get(f"/experiments/{ID}/report.json")).text)
    assert document["unsaid"] == 1
    assert "processor-seconds without 1 stopped job that never told" in facts(ReportDocument.model_validate(document))
