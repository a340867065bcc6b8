"""What an attempt used: GPUs of all machines, and their energy where their counters tell. NVML is stood in for."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
from assay_chassis.compute.metering import Meter, counters
from assay_schemas.experiments import Hardware


class NVMLError(Exception):
    pass


class Counters:
    """A driver with some GPUs: millijoules by place, which grow by a thousand at each look."""

    NVMLError = NVMLError

    def __init__(self, *millijoules: int | None) -> None:
        self.of = list(millijoules)
        self.open = 0

    def nvmlInit(self) -> None:
        self.open += 1

    def nvmlShutdown(self) -> None:
        self.open -= 1

    def nvmlDeviceGetCount(self) -> int:
        return len(self.of)

    def nvmlDeviceGetHandleByIndex(self, place: int) -> int:
        if place >= len(self.of):
            raise NVMLError("no such device")
        return place

    def nvmlDeviceGetHandleByUUID(self, name: str) -> int:
        return int(name.removeprefix("GPU-"))

    def nvmlDeviceGetTotalEnergyConsumption(self, place: int) -> int:
        counted = self.of[place]
        if counted is None:
            raise NVMLError("not supported")
        self.of[place] = counted + 1000
        return counted


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch):
    def installed(*millijoules: int | None) -> Counters:
        nvml = Counters(*millijoules)
        monkeypatch.setitem(sys.modules, "pynvml", nvml)
        return nvml

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return installed


def test_energy_is_what_the_gpus_counted_meanwhile(driver) -> None:
    nvml = driver(5000, 70000)
    used = Meter(2).usage(peak_memory_gib=1.5, tokens=7)
    assert used.gpu_energy_j == pytest.approx(2.0)
    assert (used.peak_memory_gib, used.tokens) == (1.5, 7)
    assert used.gpu_s == pytest.approx(2 * used.wall_s)
    assert nvml.open == 0


def test_only_the_jobs_own_gpus_are_counted(driver) -> None:
    driver(1, 2, 3)
    assert counters(2, {"CUDA_VISIBLE_DEVICES": "2,GPU-0"}) == {"2": 3, "GPU-0": 1}


@pytest.mark.parametrize(
    ("millijoules", "gpus", "why"),
    [((5, None), 2, "one does not count"), ((5,), 2, "one is of another machine"), ((5,), 0, "no GPU was asked for")],
)
def test_energy_is_unknown_where_not_every_gpu_tells(driver, millijoules, gpus, why) -> None:
    nvml = driver(*millijoules)
    assert Meter(gpus).usage(peak_memory_gib=0).gpu_energy_j is None, why
    assert nvml.open == 0


def test_energy_is_unknown_without_a_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_driver() -> None:
        raise NVMLError("library not found")

    monkeypatch.setitem(sys.modules, "pynvml", SimpleNamespace(NVMLError=NVMLError, nvmlInit=no_driver))
    assert counters(1) is None


def test_gpus_of_all_machines_and_of_sampling_processes_are_counted() -> None:
    assert Hardware(gpus=8, nodes=2).all_gpus == 16
    assert Hardware(gpus=1, rollout_actors=2).all_gpus == 3
    assert Hardware(rollout_actors=2).all_gpus == 0
