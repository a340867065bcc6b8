"""Chooses how a job is spread over its devices, where the specification says `auto`, and says why.

A pure function of the model's shape, the memory it would take and the devices there are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from assay_schemas.cost.shape import ModelShape
from assay_schemas.experiments import Hardware
from assay_schemas.parallelism import SINGLE, Parallelism, why_not

DEVICES_OF_A_FAST_LINK = 8  # tensor and expert parallelism exchange activations in every layer


@dataclass(frozen=True)
class Choice:
    """What was chosen, and the reason in a sentence."""

    parallelism: Parallelism
    reason: str


def layout_of(
    hardware: Hardware,
    algorithm: str,
    adapters: bool,
    shape: ModelShape | None,
    memory_available_gib: float | None,
    memory_gib: Callable[[Parallelism], float],
    rollout_engine: str = "transformers",
) -> Choice:
    """The declared parallelism, or for `auto` the first of `candidates` whose process fits.

    `memory_gib` estimates the memory of one process. Without GPUs there is nothing to spread over: one process.
    """
    if hardware.parallelism is not None:
        return Choice(hardware.parallelism, "declared in hardware.parallelism")
    devices = hardware.gpus * hardware.nodes
    if not devices and hardware.nodes > 1:
        return Choice(Parallelism(data=hardware.nodes), "auto: no GPUs, so one process a machine with all its cores")
    if devices <= 1:
        return Choice(SINGLE, "auto: one device" if devices else "auto: no GPUs, so one process with all cores")
    if shape is None:
        return Choice(Parallelism(data=devices), f"auto: the model's shape is not known, so data over all {devices}")
    spread = candidates(shape, hardware.gpus, hardware.nodes)
    tried = [
        layout for layout in spread if not why_not(layout, algorithm, adapters=adapters, rollout_engine=rollout_engine)
    ]
    if memory_available_gib is None:
        return Choice(tried[0], f"auto: device memory not known, so data over all {devices}")
    for layout in tried:
        needed = memory_gib(layout)
        if needed <= memory_available_gib:
            words = f"auto: {layout.in_words()}; {needed:.1f} of {memory_available_gib:.1f} GiB a device"
            return Choice(layout, words + (f"; {_before(tried, layout)}" if layout != tried[0] else ""))
    best = min(tried, key=memory_gib)
    words = f"auto: {best.in_words()} needs the least, {memory_gib(best):.1f} GiB a device, over the "
    return Choice(best, f"{words}{memory_available_gib:.1f} there are: it will probably not fit")


def _before(tried: list[Parallelism], chosen: Parallelism) -> str:
    return f"{tried[tried.index(chosen) - 1].in_words()} would not fit"


def candidates(shape: ModelShape, gpus: int, nodes: int) -> list[Parallelism]:
    """Every layout worth trying, the one with the least communication first: data alone, then experts, then tensor,
    then context over the devices of one machine, then a pipeline over machines."""
    devices = gpus * nodes
    found = [Parallelism(data=devices)]
    inside = [degree for degree in (2, 4, 8) if degree <= min(gpus, DEVICES_OF_A_FAST_LINK) and gpus % degree == 0]
    if shape.experts > 1:
        found += [Parallelism(data=devices // d, expert=d) for d in inside if shape.experts % d == 0]
    dense = shape.experts == 1
    heads = [d for d in inside if shape.heads % d == 0 and shape.kv_heads % d == 0]
    tensor = [d for d in heads if dense and shape.feed_forward % d == 0]
    found += [Parallelism(data=devices // d, tensor=d) for d in tensor]
    found += [Parallelism(data=devices // d, context=d) for d in heads]
    most = max(tensor, default=1)
    if nodes > 1 and dense and not shape.tied and shape.layers >= nodes:
        found.append(Parallelism(data=devices // (most * nodes), tensor=most, pipeline=nodes))
    return found
