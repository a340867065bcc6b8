"""Whole systems for the session, started when a test first asks: one with every service, one with the scheduler alone.

Neither uses what the tester's shell offers.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
def whole(tmp_path_factory: pytest.TempPathFactory, collector: Any) -> Iterator[Any]:
    """Every service, with traces."""
    environment = {"ASSAY_RETRY_BACKOFF_S": "0.5", "OMP_NUM_THREADS": "1", **ground.CANARIES}
    if collector is not None:
        environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.url
    with running(tmp_path_factory.mktemp("whole"), SERVICES, environment) as one:
        yield one


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
