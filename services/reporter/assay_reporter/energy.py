"""Energy and carbon of device time: by the GPUs' own counters where they told, from rated power otherwise.

What is estimated is shown as such; the sources are beside the figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assay_schemas.cost.hardware import ASSUMED_DEVICE, device_named
from assay_schemas.jobs import Usage

RATED_WATTS = {
    "b200": 1000.0,
    "h200": 700.0,
    "h100": 700.0,
    "a100": 400.0,
    "a100-40gb": 400.0,
    "l40s": 350.0,
    "l4": 72.0,
    "a10g": 150.0,
    "v100": 300.0,
    "t4": 70.0,
}
"""Board power, from the makers' data sheets: an upper bound of what a job draws."""
WATTS_PER_CORE = 10.0
KG_CO2_PER_KWH = 0.48
CARBON = (
    "0.48 kg of CO2 a kWh, the world's average of 2023 (Ember, Global Electricity Review 2024); no cooling, and no "
    "memory or network."
)
JOULES_PER_KWH = 3.6e6


@dataclass(frozen=True)
class Energy:
    """Kilowatt-hours; `measured`: how much of them GPUs counted."""

    kwh: float
    measured: float = 0.0

    @property
    def kg_co2(self) -> float:
        return self.kwh * KG_CO2_PER_KWH


def energy_of(usages: Sequence[Usage], gpu_type: str | None) -> Energy:
    """The energy of some jobs: what their GPUs counted, and what all other device and processor time stands for."""
    device = device_named(gpu_type)
    watts = RATED_WATTS.get(device.name if device else ASSUMED_DEVICE, RATED_WATTS[ASSUMED_DEVICE])
    measured = counted_joules(usages) or 0.0
    guessed = sum(
        one.cpu_s * WATTS_PER_CORE + (one.gpu_s * watts if one.gpu_energy_j is None else 0.0) for one in usages
    )
    return Energy((measured + guessed) / JOULES_PER_KWH, measured / JOULES_PER_KWH)


def counted_joules(usages: Sequence[Usage]) -> float | None:
    """What GPUs counted, over all jobs; None where none of them told."""
    told = [one.gpu_energy_j for one in usages if one.gpu_energy_j is not None]
    return sum(told) if told else None


def source_of(energies: Sequence[Energy]) -> str:
    """How the figures came about, for the line below them."""
    whole, measured = sum(one.kwh for one in energies), sum(one.measured for one in energies)
    estimate = "rated board power for GPU time, 10 W a busy processor core"
    if measured:
        share = f"{100 * measured / whole:.0f} % of the energy was counted by the GPUs, the rest is estimated"
        return f"{share} ({estimate}). Carbon: {CARBON}"
    return f"Energy and carbon are estimates: {estimate}, and {CARBON}"


def in_words(energy: Energy) -> str:
    """`1.2 kWh, 0.58 kg CO2`, in the unit that leaves a readable number."""
    if energy.kwh < 1:
        return f"{1000 * energy.kwh:.3g} Wh, {1000 * energy.kg_co2:.3g} g CO2"
    return f"{energy.kwh:.3g} kWh, {energy.kg_co2:.3g} kg CO2"
