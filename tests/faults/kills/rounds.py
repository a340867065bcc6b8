"""Rounds of experiments on one system whose services are to die at given points; what each round must come to.

Never looks at how a service does its work: topics, store and reports are what counts.
"""

from __future__ import annotations

import asyncio
import shutil
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
import system_ground as ground
import visits
from assay_schemas.envelope import Record
from assay_schemas.events import COMPLETION_TOPIC
from assay_schemas.letters import SOURCE, headers_of, place_of
from test_nothing_lost import all_ended, distinct, nothing_is_done_twice, nothing_is_lost

WITHIN_S = 240.0
NEVER = 1000
"""A checkpoint every so many steps or more: none but the last, whatever the number, so that only the key differs."""
UNPUBLISHED = "SELECT count(*) FROM {}.outbox WHERE published_at IS NULL"
TOLD = "SELECT aggregatetype, id FROM {}.outbox WHERE created_at >= $1"
TRANSACTIONAL = ("scheduler", "reporter")
ONCE = ("experiment.accepted", "experiment.rejected", "experiment.completed", "report.published")
WORKERS = ("/trainer", "/evaluator")
SINKS = ["email:people", "webhook:away"]
UNREADABLE = ("experiment.requested", "training.requested", "eval.requested", "experiment.accepted")
"""Topics of the four services that get a record nobody can read."""


@dataclass(frozen=True)
class Said:
    """What an experiment comes to: its report and the responses that it rests on."""

    outcome: str
    sentence: str
    verdicts: list[Any]
    cells: list[Any]
    missing: list[str]
    rows: dict[str, str]


@dataclass(frozen=True)
class Asked:
    """A round's experiments: one whole, the same over HTTP, one called off, one refused; and what nobody can read."""

    since: datetime
    whole: Any
    joined: Any
    cancelled: Any
    refused: Any
    unreadable: Sequence[Record]

    def have_ended(self, tape: ground.Tape) -> bool:
        return bool(
            all(tape.of("report.published", run.id) for run in (self.whole, self.joined, self.cancelled))
            and tape.of("experiment.rejected", self.refused.id)
            and len(about(tape)) >= len(self.unreadable)
        )


async def go_through(system: Any, number: int, mail: Path) -> Said:
    """Round `number`: jobs of its own, which compute what those of every other round compute; what it came to."""
    asked = await ask(system, number)
    plan = await asyncio.to_thread(lambda: asked.whole.answer(WITHIN_S) and asked.whole.plan())
    pages = visits.pages_of(system, [asked.whole.id, asked.joined.id], [plan.jobs[0].key])
    async with visits.looked_at(pages):
        await call_off(system, asked)
        tape = await system.tape(asked.since, asked.have_ended, within_s=WITHIN_S)
        await ask_afterwards(system, asked, plan.jobs[0].key)
    for page in pages:
        await asyncio.to_thread(visits.look, page)
    await asyncio.to_thread(ground.until, (mail / f"{asked.whole.id}.eml").exists, "people have their mail")
    return await ended_well(system, asked, len(tape.records))


async def ask(system: Any, number: int) -> Asked:
    since, training = ground.now(), ground.training(checkpoint_every=NEVER + number)
    unreadable = await system.send([Record(topic=topic, key=b"key", value=b"{") for topic in UNREADABLE])
    submit = system.submit
    whole = await asyncio.to_thread(submit, name="whole", training=training, sinks=SINKS)
    refused = await asyncio.to_thread(submit, name="refused", base_model="nowhere")
    inputs = await asyncio.to_thread(new_inputs, system, number)
    cancelled = await asyncio.to_thread(submit, name="cancelled", **inputs, training=ground.training(steps=100_000))
    document = system.document(name="joined", training=training)
    for _ in range(2):  # the second time nothing new is asked for
        joined = await visits.insist(f"{api_of(system)}/experiments", document, key=f"round-{number}")
    return Asked(since, whole, ground.Run(joined["id"], system.settings, since), cancelled, refused, unreadable)


def new_inputs(system: Any, number: int) -> dict[str, Any]:
    """A model and data in the store that nobody has asked for before."""
    folder = system.data / f"round-{number}"
    shutil.copytree(ground.PILOT, folder)
    config = folder / "config.json"
    config.write_text(config.read_text(encoding="utf-8").replace("{", f'{{"of_round": {number}, ', 1), encoding="utf-8")
    rows = (system.data / "clean.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    given = system.state / "store" / "given" / str(number)
    given.mkdir(parents=True)
    (given / "rows.jsonl").write_text("".join(rows[number % 50 :]), encoding="utf-8")
    return {"base_model": str(folder), "arms": [{"name": "clean", "dataset": f"{given.as_uri()}/*.jsonl"}]}


async def call_off(system: Any, asked: Asked) -> None:
    """Over HTTP, and on the topic too."""
    await asyncio.to_thread(asked.cancelled.answer, WITHIN_S)
    await visits.insist(f"{api_of(system)}/experiments/{asked.cancelled.id}/cancel")
    await asyncio.to_thread(asked.cancelled.cancel)


async def ask_afterwards(system: Any, asked: Asked, done: str) -> None:
    """What changes nothing of what has ended: the plan of an experiment on what was trained, a cancel of what is done,
    and a cancelled training asked for again and called off again."""
    api, (stopped, *_) = api_of(system), (job.key for job in asked.cancelled.plan().jobs if job.kind == "training")
    await visits.insist(f"{api}/experiments?dry_run=true", system.document(base_model=f"training:{done}"))
    await visits.insist(f"{api}/jobs/{done}/cancel")
    await visits.insist(f"{api}/jobs/{stopped}/retry", key=f"again-{stopped[:8]}")
    await visits.insist(f"{api}/jobs/{stopped}/cancel")


def api_of(system: Any) -> str:
    url: str = system.system._url("scheduler")
    return url


async def ended_well(system: Any, asked: Asked, seen: int) -> Said:
    """Nothing lost, nothing twice; what the whole experiment says in the end. `seen`: how many records there are."""
    told = await told_since(asked.since, system.system._database_url)
    plans = {run: run.plan() for run in (asked.whole, asked.joined)}
    tape = await system.tape(
        asked.since,
        lambda tape: (
            len(tape.records) >= seen
            and asked.have_ended(tape)
            and all(all_ended(tape, plan) for plan in plans.values())
            and told <= {(event.type, event.id) for event in tape.events}
        ),
        within_s=WITHIN_S,
    )
    assert about(tape) == {place_of(record) for record in asked.unreadable}, "dead letters"
    lettersless = replace(tape, records=[record for record in tape.records if not record.topic.endswith(".dlq")])
    for run, plan in plans.items():
        assert run.result().outcome == "succeeded"
        nothing_is_lost(lettersless, plan, run)
        nothing_is_done_twice(system, tape, plan, run)
    assert asked.cancelled.result().outcome == "cancelled"
    for topic in ("experiment.accepted", "experiment.completed", "report.published"):
        assert len(distinct(tape.of(topic, asked.cancelled.id))) == 1, topic
        assert not tape.of(topic, asked.refused.id), topic
    assert len(distinct(tape.of("experiment.rejected", asked.refused.id))) == 1
    return says(asked.whole)


async def nothing_twice(system: Any, since: datetime) -> None:
    """Of all rounds together, when nothing more comes: each experiment and each attempt ended once, by one id."""
    (last,) = await system.send([Record(topic="experiment.requested", key=b"key", value=b"{")])
    tape = await system.tape(since, lambda tape: place_of(last) in about(tape), within_s=WITHIN_S)
    once = [(topic, event) for topic in ONCE for event in tape.of(topic)]
    ends = [
        (topic, event) for topic in COMPLETION_TOPIC.values() for event in tape.of(topic) if event.source in WORKERS
    ]
    ids = defaultdict(set)
    for topic, event in once + ends:
        ids[topic, event.key, event.data.get("attempt")].add(event.id)
    assert {place: found for place, found in ids.items() if len(found) > 1} == {}


def about(tape: ground.Tape) -> set[str]:
    """The records that dead letters tell of."""
    return {headers_of(letter)[SOURCE] for letter in tape.letters()}


async def told_since(since: datetime, url: str, within_s: float = 60.0) -> set[tuple[str, str]]:
    """Topic and id of every event that services have committed to saying; nothing waits any more to be said."""
    connection = await asyncpg.connect(url)
    try:
        async with asyncio.timeout(within_s):
            for schema in TRANSACTIONAL:
                while await connection.fetchval(UNPUBLISHED.format(schema)):
                    await asyncio.sleep(0.1)
        return {tuple(row) for schema in TRANSACTIONAL for row in await connection.fetch(TOLD.format(schema), since)}
    finally:
        await connection.close()


def says(run: Any) -> Said:
    """Without what differs between two runs of the same."""
    report = run.report()
    rows = {name: run.samples(name).to_csv() for name in report.benchmarks}
    return Said(report.outcome, report.sentence, report.verdicts, report.cells, report.missing, rows)
