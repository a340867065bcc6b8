"""The machine a job gets, as the estimate sees it: rates, memory, how many devices; and how long work takes on it.

Pure; what the specification leaves open is assumed, and said.
"""

from __future__ import annotations

from dataclasses import dataclass

from assay_schemas.cost.hardware import (
    ASSUMED_DEVICE,
    CPU_BANDWIDTH_BYTES_PER_S,
    CPU_FLOPS_PER_S_PER_CORE,
    CPU_SECONDS_PER_STEP,
    CPU_SOURCE,
    DEVICE_CONTEXT_GIB,
    DEVICES,
    PROCESS_GIB,
    RESERVED_SHARE,
    UTILISATION,
    UTILISATION_SOURCE,
    Work,
    device_named,
)
from assay_schemas.cost.memory import Dtype
from assay_schemas.experiments import Hardware


@dataclass(frozen=True)
class Piece:
    """Work of one kind. `read_bytes` is what decoding moves through memory; `steps` are its separate launches."""

    work: Work
    flops: float
    read_bytes: float = 0.0
    steps: float = 0.0


@dataclass(frozen=True)
class Machine:
    """All of a job's devices: `devices` GPUs, or as many cores. `memory_gib` is what one process may use;
    None where it is not known. `device_gib` is all that a GPU has, 0 without one."""

    name: str
    on_gpu: bool
    devices: float
    flops_per_s: float
    bandwidth_bytes_per_s: float
    memory_gib: float | None
    device_gib: float
    process_gib: float
    seconds_per_step: float
    assumptions: tuple[str, ...]

    def seconds(self, piece: Piece) -> float:
        """The longer of computing and of moving memory, plus what each launch costs."""
        share = UTILISATION[piece.work] if self.on_gpu else 1.0
        computing = piece.flops / (self.flops_per_s * self.devices * (share if piece.work != "decode" else 1.0))
        machines = self.devices if self.on_gpu else 1.0
        moving = piece.read_bytes / (self.bandwidth_bytes_per_s * machines * (share if piece.work == "decode" else 1.0))
        return max(computing, moving) + piece.steps * self.seconds_per_step


def machine_of(hardware: Hardware, dtype: Dtype) -> Machine:
    """The machine that `hardware` asks for, computing in `dtype`."""
    return _gpus(hardware, dtype) if hardware.gpus else _cores(hardware)


def _gpus(hardware: Hardware, dtype: Dtype) -> Machine:
    named = device_named(hardware.gpu_type)
    device = named or DEVICES[ASSUMED_DEVICE]
    assumptions = [f"{device.name}: {device.source}", UTILISATION_SOURCE]
    if named is None:
        given = f"gpu_type {hardware.gpu_type!r} is not known" if hardware.gpu_type else "no gpu_type is given"
        assumptions.insert(0, f"{given}: taken for {device.name}; whether it fits is not known")
    peak = device.bfloat16_flops_per_s if dtype == "bfloat16" else device.float32_flops_per_s
    return Machine(
        name=f"{hardware.gpus * hardware.nodes} x {device.name}",
        on_gpu=True,
        devices=float(hardware.gpus * hardware.nodes),
        flops_per_s=peak,
        bandwidth_bytes_per_s=device.bandwidth_bytes_per_s,
        memory_gib=device.memory_gib * (1 - RESERVED_SHARE) if named else None,
        device_gib=device.memory_gib,
        process_gib=DEVICE_CONTEXT_GIB,
        seconds_per_step=0.0,
        assumptions=tuple(assumptions),
    )


def _cores(hardware: Hardware) -> Machine:
    count = hardware.cpus * hardware.nodes
    return Machine(
        name=f"{count:g} core{'' if count == 1 else 's'}",
        on_gpu=False,
        devices=hardware.cpus * hardware.nodes,
        flops_per_s=CPU_FLOPS_PER_S_PER_CORE,
        bandwidth_bytes_per_s=CPU_BANDWIDTH_BYTES_PER_S,
        memory_gib=hardware.memory_gib,
        device_gib=0.0,
        process_gib=PROCESS_GIB,
        seconds_per_step=CPU_SECONDS_PER_STEP,
        assumptions=(f"{CPU_FLOPS_PER_S_PER_CORE / 1e9:g} GFLOP/s a core, {CPU_SOURCE}",),
    )
