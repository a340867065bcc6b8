"""Fixtures every test may ask for: real Kafka, its mock, PostgreSQL. Nothing starts until a test asks.
Never starts a service of Assay's own.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

# Imported where they are needed: the process that only hears of others' tests would spend a second on them before
# those others start.
if TYPE_CHECKING:
    from assay_local.kafka import KafkaServer
    from assay_local.postgres import PostgresServer

LASTING = ("kafka_server", "strict_kafka", "ray_cluster", "whole", "scheduler_alone")
"""Fixtures of the session whose processes compute even while nobody asks them for anything: an idle broker takes a
twentieth of a processor, an idle Ray cluster a tenth."""
ASKED_BY_PARAMETER = {"kafka": "kafka_server", "ray": "ray_cluster"}
"""Fixtures that tests ask for while they run, by the parameter that makes them."""
USERS: dict[str, set[str]] = {name: set() for name in LASTING}
"""Which groups of tests use a lasting fixture."""

REAL_AS_A_WHOLE = re.compile(r"^pytestmark = (\[[^\]]*)?\bpytest\.mark\.real\b", re.MULTILINE)


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """One real broker for the session (3 s to start); tests that want its topics ask for `kafka`."""
    from assay_local import jars, testing

    if reason := jars.why_unavailable():
        pytest.skip(f"real Kafka cannot run here: {reason}")
    with testing.kafka_server(tmp_path_factory.mktemp("kafka")) as server:
        yield server


@pytest.fixture
def kafka(kafka_server: KafkaServer) -> str:
    """Bootstrap servers of the real broker, with every declared topic new and empty."""
    from assay_local import testing

    testing.renew_topics(kafka_server.bootstrap_servers)
    return kafka_server.bootstrap_servers


@pytest.fixture
def mock_kafka(tmp_path: Path) -> Iterator[str]:
    """Bootstrap servers of a mock cluster of this test alone, with every declared topic."""
    from assay_local import testing

    with testing.mock_broker(tmp_path / "mock-kafka") as bootstrap_servers:
        yield bootstrap_servers


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """One PostgreSQL server for the session (1 s to start); tests that want a database ask for `database_url`."""
    from assay_local import testing

    with testing.postgres_server(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture
def database_url(postgres_server: PostgresServer) -> Iterator[str]:
    """An empty database of this test alone."""
    from assay_local import testing

    with testing.fresh_database(postgres_server.url) as url:
        yield url


def pytest_configure(config: pytest.Config) -> None:
    """What is imported and collected stays until the end, so the garbage collector need not look at it. The process
    that only hears of others' tests collects none."""
    if getattr(config.option, "numprocesses", None):
        return
    gc.disable()
    from hypothesis import HealthCheck, settings

    # How fast a machine makes examples says nothing of what is tested.
    settings.register_profile("assay", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("assay")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Without the real tests, a module that is real as a whole is not imported: torch alone takes ten seconds."""
    if collection_path.suffix != ".py" or "not real" not in config.option.markexpr:
        return None
    return True if REAL_AS_A_WHOLE.search(collection_path.read_text()) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test on real processes that fails is tried again, twice at most; pytest's last line counts such reruns.

    Brokers, databases and training on a machine with two cores sometimes miss a deadline that has nothing to do
    with what is tested; a test that fails three times has failed. What takes long begins first, and who shares a
    broker comes together.
    """
    for item in items:
        if item.get_closest_marker("real"):
            item.add_marker(pytest.mark.flaky(reruns=2))
        for name in _lasting_of(item):
            USERS[name].add(_group_of(item.nodeid))
    items.sort(key=_turn)


def pytest_collection_finish() -> None:
    """From here on the collector looks at what tests make, and less often than it would: torch alone makes it look
    hundreds of times while it is imported."""
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)
    gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """A lasting fixture ends when the tests to come next have no use for it; it would start again for later ones."""
    next_group = _group_of(nextitem.nodeid) if nextitem else ""  # the last test may be tried again
    if next_group in ("", _group_of(item.nodeid)):
        return
    for name in LASTING:
        if next_group not in USERS[name]:
            for fixture in item.session._fixturemanager.getfixturedefs(name, item) or ():
                fixture.finish(item._request)


def _lasting_of(item: pytest.Item) -> set[str]:
    """The lasting fixtures that a test uses."""
    parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
    asked = {ASKED_BY_PARAMETER.get(one, "") for one in parameters if isinstance(one, str)}
    return (asked | set(getattr(item, "fixturenames", ()))) & set(LASTING)


def _turn(item: pytest.Item) -> int:
    group = _group_of(item.nodeid)
    if group == "system":
        return 0
    if group in USERS["kafka_server"]:
        return 1
    return 2 if item.get_closest_marker("real") else 3


def _group_of(nodeid: str) -> str:
    """Tests on a whole system are one group, others are grouped by their file."""
    return "system" if nodeid.startswith("tests/system/") else nodeid.split("::", 1)[0]


class SharedProcesses(LoadFileScheduling):
    """Which tests share a process when they run in several: those on a whole system one, others what their file
    starts."""

    def _split_scope(self, nodeid: str) -> str:
        return _group_of(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> SharedProcesses:
    return SharedProcesses(config, log)
