"""Energy and carbon of device time, estimated from rated power: no device reports its own here.

Every number is an estimate and is shown as one; the sources are beside the figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assay_schemas.cost_hardware import ASSUMED_DEVICE, device_named
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
SOURCE = (
    "Energy and carbon are estimates: rated board power for GPU time, 10 W a busy processor core, and 0.48 kg of CO2 a "
    "kWh, the world's average of 2023 (Ember, Global Electricity Review 2024); no cooling."
)
JOULES_PER_KWH = 3.6e6


@dataclass(frozen=True)
class Energy:
    """Kilowatt-hours."""

    kwh: float

    @property
    def kg_co2(self) -> float:
        return self.kwh * KG_CO2_PER_KWH


def energy_of(usages: Sequence[Usage], gpu_type: str | None) -> Energy:
    """The energy that some jobs' device and processor time stands for."""
    device = device_named(gpu_type)
    watts = RATED_WATTS.get(device.name if device else ASSUMED_DEVICE, RATED_WATTS[ASSUMED_DEVICE])
    joules = sum(one.gpu_s * watts + one.cpu_s * WATTS_PER_CORE for one in usages)
    return Energy(joules / JOULES_PER_KWH)


def in_words(energy: Energy) -> str:
    """`1.2 kWh, 0.58 kg CO2`, in the unit that leaves a readable number."""
    if energy.kwh < 1:
        return f"{1000 * energy.kwh:.3g} Wh, {1000 * energy.kg_co2:.3g} g CO2"
    return f"{energy.kwh:.3g} kWh, {energy.kg_co2:.3g} kg CO2"
