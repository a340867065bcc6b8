"""The reporter as a service on real PostgreSQL: events in, one report out, pages that show it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from assay_chassis.object_store import open_store
from assay_reporter.baselines import baselines_of
from assay_reporter.store import ReadModel
from assay_schemas.artifacts import ArtifactRef
from assay_schemas.envelope import decode
from assay_schemas.events import (
    ExperimentAccepted,
    ExperimentCompleted,
    ExperimentRejected,
    JobProgressed,
    TrainingCompleted,
)
from assay_schemas.jobs import JobError
from assay_schemas.problems import Problem

pytestmark = pytest.mark.real
ID = "00000000-0000-0000-0000-000000000000"
AT = datetime(2026, 1, 2, tzinfo=UTC)


async def test_a_completed_experiment_becomes_one_published_report(reporter, evidence, store_evidence):
    async with reporter() as running:
        await running.completed(evidence(), store_evidence)
        reports = await running.until(running.published_reports)
        await running.completed(evidence(), store_evidence)
        await asyncio.sleep(1.5)
        assert len(await running.published_reports()) == 1
        (asked, *_), (said,) = map(running.log.records, ("experiment.completed", "report.published"))
        assert decode(said).causationid == decode(asked).id
        assert reports[0]["sentence"].startswith("clean is better than control")
        assert {one["verdict"] for one in reports[0]["verdicts"] if one["family"] == "primary"} == {"better", "worse"}
        html = await running.client.get(f"/experiments/{ID}/report.html")
        assert "clean is better than control" in html.text
        document = await running.client.get(f"/experiments/{ID}/report.json")
        assert json.loads(document.text)["experiment_id"] == ID
        picture = await running.client.get(f"/experiments/{ID}/report.png")
        assert (picture.headers["content-type"], picture.content[:4]) == ("image/png", b"\x89PNG")
        assert (await running.client.get(f"/experiments/{ID[:-1]}1/report.png")).status_code == 404


async def test_the_first_chart_is_drawn_once_the_start_is_over_or_with_the_first_report(
    reporter, evidence, store_evidence, monkeypatch
):
    warmed = asyncio.Event()
    loop = asyncio.get_running_loop()
    monkeypatch.setattr("assay_reporter.publication.warm_up", lambda: loop.call_soon_threadsafe(warmed.set))
    monkeypatch.setattr("assay_reporter.publication.WARM_UP_AFTER_S", 600.0)
    async with reporter() as running:
        await asyncio.sleep(0.5)
        assert not warmed.is_set()
        await running.completed(evidence(), store_evidence)
        assert await running.until(running.published_reports)
        assert warmed.is_set()
    warmed.clear()
    monkeypatch.setattr("assay_reporter.publication.WARM_UP_AFTER_S", 0.1)
    async with reporter():
        await asyncio.wait_for(warmed.wait(), 30)


async def test_the_first_baseline_is_kept_and_a_later_one_that_moved_breaks_its_comparisons(
    reporter, evidence, store_evidence
):
    async with reporter() as running:
        made = evidence()
        first = {name: replace(one, value=0.5, experiment_id=ID) for name, one in baselines_of(made).items()}
        async with running.app.database.connection() as connection:
            assert await ReadModel(connection).first_baselines(first) == first
            assert await ReadModel(connection).first_baselines(baselines_of(made)) == first
        await running.completed(made, store_evidence)
        (report,) = await running.until(running.published_reports)
        broken = {one["reason"][:18] for one in report["verdicts"] if one["family"] == "primary"}
        assert broken == {"The baseline moved"}


async def test_a_report_that_breaks_our_own_code_is_given_up_and_its_page_says_why(
    reporter, evidence, store_evidence, monkeypatch
):
    def odd(*given):
        raise TypeError("an odd report")

    monkeypatch.setattr("assay_reporter.compile.compile_report", odd)
    monkeypatch.setattr("assay_reporter.publication.MOST_TRIES", 1)
    async with reporter() as running:
        await running.completed(evidence(), store_evidence)

        async def said() -> bool:
            return "TypeError: an odd report" in (await running.client.get(f"/experiments/{ID}")).text

        assert await running.until(said)
        assert await running.published_reports() == []


async def test_a_report_that_was_given_up_is_made_once_a_start_brings_the_mend(
    reporter, evidence, store_evidence, monkeypatch
):
    def odd(*given):
        raise TypeError("an odd report")

    async with reporter() as running:
        with monkeypatch.context() as broken:
            broken.setattr("assay_reporter.compile.compile_report", odd)
            broken.setattr("assay_reporter.publication.MOST_TRIES", 1)
            await running.completed(evidence(), store_evidence)

            async def given_up() -> bool:
                return "could not be made" in (await running.client.get(f"/experiments/{ID}")).text

            await running.until(given_up)
    async with reporter() as mended:
        (report,) = await mended.until(mended.published_reports)
        assert report["experiment_id"] == ID


async def test_pages_show_the_experiment_while_it_runs_and_after(reporter, evidence, store_evidence):
    async with reporter() as running:
        made = evidence()
        store = open_store(running.app.settings)
        plan = await store.put_bytes("plan.json", made.plan.model_dump_json().encode())
        accepted = ExperimentAccepted(experiment_id=ID, name="live", owner="me", plan=plan, jobs=38, reused=0)
        await running.publish("experiment.accepted", accepted)
        key = made.plan.jobs[2].key
        start = int(AT.timestamp() * 1000)
        for later, step in ((1, 3), (3, 7), (2, 5)):
            progress = JobProgressed(
                job_key=key,
                kind="training",
                attempt=1,
                sequence=start + later,
                phase="running",
                at=AT,
                step=step,
                total=10,
                message=f"step {step} of 10",
            )
            await running.publish("job.progressed", progress, key=key)

        async def seen() -> bool:
            return "step 7 of 10" in (await running.client.get(f"/experiments/{ID}")).text

        await running.until(seen, 10)
        error = JobError.of("diverged", "the loss is not finite", retryable=False)
        completion = TrainingCompleted(job_key=key, attempt=1, outcome="failed", error=error, completed_at=AT)
        await running.publish("training.completed", completion, key=key)

        async def ended() -> bool:
            text = (await running.client.get(f"/experiments/{ID}")).text
            return "1 failed" in text and "Running now" not in text

        await running.until(ended, 10)
        assert "live" in (await running.client.get("/?status=running")).text
        assert "Nothing here" in (await running.client.get("/?status=failed")).text
        await running.completed(made, store_evidence)
        await running.until(running.published_reports)
        assert "What was compared" in (await running.client.get(f"/experiments/{ID}")).text
        flips = await running.client.get(f"/experiments/{ID}/responses?benchmark=numeric&only=losses")
        assert f"assay rescore {ID[:8]} --benchmark numeric" in flips.text
        assert "wrong lost" in flips.text
        assert "wrong-solutions" in (await running.client.get(f"/compare?ids={ID},{ID}")).text
        whole = await running.client.get(f"/experiments/{ID[:8]}", follow_redirects=False)
        assert (whole.status_code, whole.headers["location"]) == (307, f"/experiments/{ID}")
        assert (await running.client.get(f"/experiments/{ID[:3]}")).status_code == 404


async def test_a_rejected_experiment_shows_every_problem(reporter):
    async with reporter() as running:
        problems = [Problem(field="training.algorithm", message="'<b>SFTT</b>' is not known.", mend="Use SFT.")]
        await running.publish(
            "experiment.rejected", ExperimentRejected(experiment_id=ID, name="bad", problems=problems)
        )

        async def page() -> str:
            answer = await running.client.get(f"/experiments/{ID}")
            return answer.text if answer.status_code == 200 else ""

        text = await running.until(page, 10)
        assert "training.algorithm" in text
        assert "&lt;b&gt;SFTT" in text


async def test_a_report_whose_evidence_is_missing_is_tried_again_and_others_go_on(reporter, evidence, store_evidence):
    async with reporter() as running:
        lost = ArtifactRef(uri=f"{running.app.store.uri('gone.json')}", sha256="0" * 64, size=3)
        other = "11111111-1111-1111-1111-111111111111"
        done = ExperimentCompleted(experiment_id=other, name="lost", owner="me", outcome="succeeded", result=lost)
        await running.publish("experiment.completed", done, key=other)
        await running.completed(evidence(), store_evidence)
        await running.until(running.published_reports)
        page = await running.client.get(f"/experiments/{other}")
        assert "report is being made" in page.text
        assert "gone.json" in page.text


async def test_an_unknown_experiment_is_said_to_be_unknown(reporter):
    async with reporter() as running:
        answer = await running.client.get(f"/experiments/{ID}")
        assert answer.status_code == 404
        assert "default-src 'none'" in answer.headers["content-security-policy"]
