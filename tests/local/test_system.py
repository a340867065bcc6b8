"""The embedded system as a whole, with stand-ins for the services."""

from __future__ import annotations

import json
import os
import signal
import stat
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from assay_chassis.compute import ComputeSettings
from assay_local import commands, processes
from assay_local.broker_admin import topic_names
from assay_local.commands import Condition
from assay_local.errors import AlreadyRunning, NotStarted
from assay_local.service import SERVICES
from assay_local.state import StateFolder, SystemRecord
from assay_local.system import EmbeddedSystem

pytestmark = pytest.mark.real
NAMES = ("scheduler", "reporter")


def wait_for(condition: Callable[[], bool], within_s: float = 40.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)


@pytest.fixture
def system(tmp_path: Path, stand_in: str) -> Iterator[EmbeddedSystem]:
    """Real Kafka where it can run, PostgreSQL, and two stand-ins, not started."""
    system = EmbeddedSystem(tmp_path / "state", services=dict.fromkeys(NAMES, stand_in))
    yield system
    system.stop()


def settings_of(record: SystemRecord, name: str, state: StateFolder) -> dict[str, str]:
    found: dict[str, str] = json.loads((state.path / "services" / name / "environment.json").read_text())
    return found


def process_of(system: EmbeddedSystem, name: str) -> psutil.Process | None:
    record = system.state.record()
    return processes.live(record.processes[name]) if record and name in record.processes else None


def kill_and_await_another(system: EmbeddedSystem, name: str) -> None:
    before = process_of(system, name)
    assert before is not None
    before.kill()
    wait_for(lambda: process_of(system, name) not in (None, before))


async def test_it_starts_and_says_where_everything_is(system: EmbeddedSystem) -> None:
    record = system.start()
    assert record.ready
    assert set(record.processes) == {"kafka", "postgres", *NAMES}
    settings = settings_of(record, "scheduler", system.state)
    assert settings["ASSAY_KAFKA_BOOTSTRAP_SERVERS"] == record.kafka_bootstrap_servers
    assert settings["ASSAY_OBJECT_STORE"] == record.object_store == (system.state.path / "store").as_uri()
    connection = await asyncpg.connect(settings["ASSAY_DATABASE_URL"])
    await connection.close()
    assert urllib.request.urlopen(f"{record.web_url}/readyz").status == 200


def test_the_topic_that_groups_need_is_made_before_any_service_asks_for_it(system: EmbeddedSystem) -> None:
    record = system.start()
    if record.kafka != "apache":
        pytest.skip("the mock broker has no such topic")
    wait_for(lambda: "__consumer_offsets" in topic_names(record.kafka_bootstrap_servers))


def test_what_jobs_import_is_loaded_soon_trainings_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASSAY_WARM_UP_AFTER_S", raising=False)
    system = EmbeddedSystem(tmp_path, services={})
    after = {name: system._environment(name).get("ASSAY_WARM_UP_AFTER_S") for name in SERVICES}
    assert 0 < float(after["trainer"] or 0) < float(after["evaluator"] or 0) < ComputeSettings().warm_up_after_s
    assert after["scheduler"] is after["reporter"] is None
    monkeypatch.setenv("ASSAY_WARM_UP_AFTER_S", "600")
    assert system._environment("trainer")["ASSAY_WARM_UP_AFTER_S"] == "600"


def test_no_secret_is_where_others_can_read_it(system: EmbeddedSystem) -> None:
    system.start()
    file = system.state.database_url_file
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    password = file.read_text().split(":")[2].split("@")[0]
    for text in (system.state.path / "system.json", *system.state.logs.iterdir()):
        assert password not in text.read_text()


async def test_killed_parts_come_back_with_their_data(system: EmbeddedSystem) -> None:
    record = system.start()
    if record.kafka != "apache":
        pytest.skip("the mock broker keeps nothing")
    async with AIOKafkaProducer(bootstrap_servers=record.kafka_bootstrap_servers, acks="all") as producer:
        await producer.send_and_wait("experiment.requested", b"kept", key=b"k")
    for name in ("scheduler", "postgres", "kafka"):
        kill_and_await_another(system, name)
    consumer = AIOKafkaConsumer(
        "experiment.requested",
        bootstrap_servers=record.kafka_bootstrap_servers,
        auto_offset_reset="earliest",
        group_id="g",
    )
    wait_for(lambda: all(supervisor.component.ready() for supervisor in system._supervisors.values()))
    async with consumer:
        assert (await consumer.getone()).value == b"kept"
    connection = await asyncpg.connect(system.state.database_url_file.read_text())
    await connection.close()


def test_stopping_leaves_data_but_no_process_and_no_job(system: EmbeddedSystem) -> None:
    record = system.start()
    job = psutil.Process(int(urllib.request.urlopen(f"{record.api_url}/job").read()))
    family = [process for name in record.processes if (process := process_of(system, name)) is not None]
    family += [child for process in family for child in process.children(recursive=True)]
    system.stop()
    assert [process for process in [job, *family] if process.is_running()] == []
    assert commands.status(system.state) == (Condition.STOPPED, None)
    assert (system.state.path / "postgres" / "data").exists()


def test_it_starts_again_on_its_data_at_the_same_addresses(system: EmbeddedSystem) -> None:
    first = system.start()
    system.stop()
    second = system.start()
    assert (second.api_url, second.kafka_bootstrap_servers) == (first.api_url, first.kafka_bootstrap_servers)


def test_a_second_one_in_the_same_folder_is_refused_and_harms_nothing(system: EmbeddedSystem, stand_in: str) -> None:
    system.start()
    second = EmbeddedSystem(system.state.path, services={"scheduler": stand_in})
    with pytest.raises(AlreadyRunning, match="assay down"):
        second.start()
    second.stop()
    assert commands.status(system.state)[0] is Condition.RUNNING


def test_a_service_that_cannot_start_stops_everything_and_shows_its_log(tmp_path: Path) -> None:
    system = EmbeddedSystem(tmp_path / "state", broker="mock", services={"scheduler": "no_such_module"})
    with pytest.raises(NotStarted, match="No module named no_such_module"):
        system.start()
    assert commands.status(system.state) == (Condition.STOPPED, None)


def test_services_move_along_when_the_mock_broker_comes_back_elsewhere(tmp_path: Path, stand_in: str) -> None:
    lines: list[str] = []
    system = EmbeddedSystem(tmp_path / "state", broker="mock", services={"scheduler": stand_in}, tell=lines.append)
    try:
        before = system.start()
        assert settings_of(before, "scheduler", system.state)["ASSAY_KAFKA_FETCH_MAX_WAIT_MS"] == "20"
        os.kill(before.processes["kafka"].pid, signal.SIGKILL)
        wait_for(
            lambda: (
                settings_of(before, "scheduler", system.state)["ASSAY_KAFKA_BOOTSTRAP_SERVERS"]
                == system.record().kafka_bootstrap_servers
                != before.kafka_bootstrap_servers
            )
        )
    finally:
        system.stop()
    assert any("memory only" in line for line in lines)
    assert any("events are lost" in line for line in lines)


async def test_what_the_environment_offers_is_used_instead(
    tmp_path: Path, stand_in: str, kafka: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka)
    monkeypatch.setenv("ASSAY_DATABASE_URL", database_url)
    system = EmbeddedSystem(tmp_path / "state", services={"scheduler": stand_in})
    try:
        record = system.start()
        settings = settings_of(record, "scheduler", system.state)
    finally:
        system.stop()
    assert set(record.processes) == {"scheduler"}
    assert (record.kafka, record.kafka_bootstrap_servers) == ("external", kafka)
    assert settings["ASSAY_DATABASE_URL"] == database_url
