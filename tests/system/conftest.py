"""Whole systems for the session, started when a test first asks: one with every service, one with the scheduler alone.

Neither uses what the tester's shell offers.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from assay.settings import load_settings
from assay_local import jars
from assay_local.service import SERVICES
from assay_local.system import EmbeddedSystem
from beside import load_beside

if str(root := Path(__file__).resolve().parents[2]) not in sys.path:
    sys.path.insert(0, str(root))
ground = load_beside("system_ground", Path(__file__).parent / "ground.py")
collectors = load_beside("system_collector", Path(__file__).parent / "collector.py")
moody = load_beside("moody_endpoint", Path(__file__).parent / "moody_endpoint.py")
cases = load_beside("contract_cases", Path(__file__).parents[1] / "contract" / "cases.py")


@contextmanager
def running(folder: Path, services: Mapping[str, str], environment: Mapping[str, str]) -> Iterator[Any]:
    """A system on real Kafka, with settings of its services that make waits short."""
    if reason := jars.why_unavailable():
        pytest.skip(f"real Kafka cannot run here: {reason}")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("ASSAY_") and name != "ASSAY_GSM8K"]:
            patch.delenv(name)
        patch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setenv("ASSAY_HOME", str(folder / "state"))
        system = EmbeddedSystem(folder / "state", broker="apache", services=services)
        try:
            system.start()
            yield ground.Ground(system, load_settings(), ground.write_data(folder / "data"))
        finally:
            system.stop()


@pytest.fixture(scope="session")
def collector() -> Iterator[Any]:
    """Takes the traces of `whole`; None in an environment that was made before traces were sent."""
    if importlib.util.find_spec("opentelemetry.exporter.otlp") is None:
        yield None
        return
    with collectors.collector() as one:
        yield one


@pytest.fixture(scope="session")
def endpoint() -> Iterator[Any]:
    """The models behind an API that `whole` may ask, as `moody`."""
    with moody.endpoint() as one:
        yield one


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory, collector: Any, endpoint: Any) -> Iterator[Any]:
    """Every service, with traces and a declared endpoint."""
    declared = tmp_path_factory.mktemp("declared") / "endpoints.json"
    declared.write_text(json.dumps({"moody": endpoint.declared()}), encoding="utf-8")
    environment = {"ASSAY_RETRY_BACKOFF_S": "0.5", "OMP_NUM_THREADS": "1", **ground.CANARIES}
    environment |= {"ASSAY_ENDPOINTS_FILE": str(declared), moody.KEY_VARIABLE: moody.KEY}
    if collector is not None:
        environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.url
    with running(tmp_path_factory.mktemp("whole"), SERVICES, environment) as one:
        yield one


@pytest.fixture(scope="session")
def started() -> Callable[..., AbstractContextManager[Any]]:
    """Starts a system of every service in a folder, with an environment of its own."""
    return lambda folder, environment: running(folder, SERVICES, environment)


@pytest.fixture(scope="session")
def scheduler_alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A scheduler whose requests nobody answers."""
    only = {"scheduler": SERVICES["scheduler"]}
    roomy = {"ASSAY_CAPACITY_CPUS": "1000", "ASSAY_CAPACITY_MEMORY_GIB": "1000"}
    with running(tmp_path_factory.mktemp("alone"), only, roomy) as one:
        yield one


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with DATA and MODELS that the contract's cases name."""
    root: Path = cases.write_files(tmp_path_factory.mktemp("contract"))
    return root
