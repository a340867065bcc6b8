"""`kill -9` on each part in turn in the middle of an experiment: it completes, nothing is done twice or lost."""

from __future__ import annotations

import asyncio
import threading

import pytest
import system_ground as ground
from assay.run import Run
from assay_schemas.envelope import Event
from assay_schemas.events import COMPLETION_TOPIC
from assay_schemas.results import EvalResult, Plan, PlannedJob, TrainingResult
from system_ground import Ground, Tape

pytestmark = [pytest.mark.real, pytest.mark.slow]
VICTIMS = ("scheduler", "trainer", "evaluator", "reporter", "kafka", "postgres")
LONG = ground.training(steps=30, checkpoint_every=10)


def is_under_way(tape: Tape, plan: Plan, victim: str) -> bool:
    """A job of the experiment has made some of its steps. An evaluation may be too short to be seen at work,
    so its request is what is waited for."""
    if victim == "evaluator":
        keys = {job.key for job in plan.jobs if job.kind == "eval"}
        return any(event.key in keys for event in tape.of("eval.requested"))
    keys = {job.key for job in plan.jobs if job.kind == "training"}
    ours = [event for event in tape.of("job.progressed") if event.key in keys]
    return any(event.data["phase"] == "running" and event.data["step"] > 0 for event in ours)


def asked_for(plan: Plan) -> list[PlannedJob]:
    """Control's evaluations were done for an earlier experiment."""
    return [job for job in plan.jobs if not job.reused]


def all_ended(tape: Tape, plan: Plan) -> bool:
    """Topics are read side by side: the report may be seen before the ends that it rests on."""
    return all(tape.of(COMPLETION_TOPIC[job.kind], job.key) for job in asked_for(plan))


def distinct(events: list[Event]) -> set[str]:
    return {event.id for event in events}


@pytest.mark.timeout(400)
@pytest.mark.parametrize("victim", VICTIMS)
async def test_an_experiment_survives_the_death_of(whole: Ground, victim: str) -> None:
    since = ground.now()
    run = whole.submit(name=victim, seeds=[ground.new_seed(), ground.new_seed()], training=LONG)
    plan = run.answer(60.0) and run.plan()
    await whole.tape(since, lambda tape: is_under_way(tape, plan, victim), topics=["job.progressed", "eval.requested"])
    watched = threading.Event()
    waiting = asyncio.create_task(asyncio.to_thread(whole.ended, run, 240.0, lambda _: watched.set()))
    assert await asyncio.to_thread(watched.wait, 30.0)
    await asyncio.to_thread(whole.kill, victim)
    if victim == "reporter":
        await whole.tape(since, lambda tape: tape.of("experiment.completed", run.id), topics=["experiment.completed"])
        await asyncio.to_thread(whole.kill, victim)
    await waiting
    tape = await whole.tape(since, lambda tape: tape.of("report.published", run.id) and all_ended(tape, plan))
    assert run.result().outcome == "succeeded"
    nothing_is_lost(tape, plan, run)
    nothing_is_done_twice(whole, tape, plan, run)


def nothing_is_lost(tape: Tape, plan: Plan, run: Run) -> None:
    for job in asked_for(plan):
        ends = tape.of(COMPLETION_TOPIC[job.kind], job.key)
        assert {event.data["outcome"] for event in ends} == {"succeeded"}, job
    for topic in ("experiment.accepted", "experiment.completed", "report.published"):
        assert len(distinct(tape.of(topic, run.id))) == 1, topic
    assert {end.key for end in run.result().ends} == {job.key for job in plan.jobs}
    assert tape.letters() == []


def nothing_is_done_twice(whole: Ground, tape: Tape, plan: Plan, run: Run) -> None:
    assert {end.attempt for end in run.result().ends} == {1}
    for job in asked_for(plan):
        assert len(distinct(tape.of(COMPLETION_TOPIC[job.kind], job.key))) == 1, job
        assert {event.data["attempt"] for event in tape.of("job.progressed", job.key)} <= {1}, job
        (manifest,) = whole.manifests(job.key)
        if job.kind == "training":
            assert TrainingResult.model_validate_json(manifest.read_bytes()).resumed_from_step == 0
        elif job.kind == "eval":
            assert EvalResult.model_validate_json(manifest.read_bytes()).items == 8
