"""The read model is lost: a reporter that begins anew makes the same reports, byte for byte, from topics and store."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from assay_chassis.memory import InMemoryBroker, MemoryLog
from assay_chassis.object_store import FileStore
from assay_chassis.publishing import make_event
from assay_local import testing
from assay_reporter.app import make_app
from assay_reporter.baselines import baselines_of
from assay_reporter.settings import ReporterSettings
from assay_reporter.store import ReadModel
from assay_schemas.envelope import Record, decode, encode
from assay_schemas.events import ExperimentAccepted, ExperimentCompleted

pytestmark = pytest.mark.real
ID = "00000000-0000-0000-0000-000000000000"
AT = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def reporter(postgres_server, tmp_path):
    """A reporter on an empty database of its own, and a log; the store is the same for all."""

    @asynccontextmanager
    async def run(log: MemoryLog):
        with testing.fresh_database(postgres_server.url) as url:
            settings = ReporterSettings(object_store=(tmp_path / "store").as_uri(), database_url=url)
            app = make_app(settings, InMemoryBroker(log))
            task = asyncio.create_task(app.run())
            try:
                yield app
            finally:
                app.stop()
                await asyncio.wait_for(task, 20)

    return run


async def asked_for(made, store, store_evidence) -> list[Record]:
    """The events of an experiment that has ended, as records."""
    result = await store_evidence(made, store)
    plan = await store.put_bytes(f"experiments/{ID}/plan.json", made.plan.model_dump_json().encode())
    accepted = ExperimentAccepted(experiment_id=ID, name="n", owner="me", plan=plan, jobs=38, reused=0)
    done = ExperimentCompleted(experiment_id=ID, name="n", owner="me", outcome="succeeded", result=result)
    events = {"experiment.accepted": accepted, "experiment.completed": done}
    made_events = [make_event(topic, body, key=ID, source="/t", time=AT) for topic, body in events.items()]
    return [_record(encode(event), event.type) for event in made_events]


def _record(encoded, topic: str) -> Record:
    key, value, headers = encoded
    return Record(topic=topic, key=key, value=value, headers=headers)


def of_newer_minor(record: Record) -> Record:
    """As a service of a newer version would have written it: another minor version, and a field nobody knows yet."""
    event = decode(record)
    newer = event.model_copy(
        update={"dataschema": f"{event.type}/1.7", "data": {**event.data, "added_later": {"x": [1]}}}
    )
    return _record(encode(newer), event.type)


async def published(log: MemoryLog) -> dict:
    async with asyncio.timeout(60):
        while not (records := log.records("report.published")):
            await asyncio.sleep(0.05)
    return decode(records[-1]).data


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "store").rglob("report.*"))}


def filled(records: list[Record]) -> MemoryLog:
    log = MemoryLog()
    for record in records:
        log.append(record)
    return log


async def test_reports_made_anew_are_the_same_bytes_also_from_events_of_a_newer_minor_version(
    reporter, evidence, store_evidence, tmp_path
):
    records = await asked_for(evidence(), FileStore(tmp_path / "store"), store_evidence)
    log = filled(records)
    async with reporter(log):
        first = await published(log)
    before = files(tmp_path)
    assert set(before) >= {"report.html", "report.md", "report.json"}
    for path in (tmp_path / "store").rglob("report.*"):
        path.unlink()
    log = filled([records[0], of_newer_minor(records[1])])
    async with reporter(log):
        again = await published(log)
    assert files(tmp_path) == before
    assert {name: again[name] for name in ("html", "document")} == {name: first[name] for name in ("html", "document")}


async def test_a_report_that_is_there_is_kept_whatever_is_known_now(reporter, evidence, store_evidence, tmp_path):
    """A baseline that was measured between the two changes what would be said today, not what was said."""
    made = evidence()
    records = await asked_for(made, FileStore(tmp_path / "store"), store_evidence)
    log = filled(records)
    async with reporter(log):
        await published(log)
    before = files(tmp_path)
    log = MemoryLog()
    async with reporter(log) as app:
        async with asyncio.timeout(30):
            while await app.problems():
                await asyncio.sleep(0.05)
        moved = {name: replace(one, value=0.9, experiment_id="x") for name, one in baselines_of(made).items()}
        earlier = {name: replace(one, measured_at=one.measured_at - timedelta(days=1)) for name, one in moved.items()}
        async with app.database.connection() as connection:
            await ReadModel(connection).first_baselines(earlier)
        broker = InMemoryBroker(log)
        await broker.start()
        for record in records:
            await broker.send(record)
        said = await published(log)
        await broker.stop()
    assert files(tmp_path) == before
    assert said["sentence"] == json.loads(before["report.json"])["sentence"]


async def test_which_baseline_was_first_does_not_depend_on_the_order_of_reading(reporter, evidence):
    late = baselines_of(evidence())
    early = {
        name: replace(one, value=0.5, experiment_id=ID, measured_at=one.measured_at - timedelta(hours=1))
        for name, one in late.items()
    }
    for order in ((early, late), (late, early)):
        async with reporter(MemoryLog()) as app:
            async with asyncio.timeout(30):
                while await app.problems():
                    await asyncio.sleep(0.05)
            async with app.database.connection() as connection:
                for found in order:
                    await ReadModel(connection).first_baselines(found)
                assert await ReadModel(connection).first_baselines(late) == early
