"""The evaluator's settings: what every service has, and where models are kept on this machine.

Only declares them; never opens anything.
"""

from __future__ import annotations

from pathlib import Path

from assay_chassis.compute import ComputeSettings
from assay_chassis.settings import ServiceSettings
from pydantic import Field


class EvaluatorSettings(ServiceSettings):
    """Read from ASSAY_* variables, by the service and by the processes that evaluate."""

    evaluation_cache: Path | None = Field(
        default=None,
        description="Folder for models fetched from the object store and the harness's index of tasks; "
        "default: evaluation under the state folder",
    )

    evaluations_together: int = Field(
        default=1,
        ge=1,
        le=256,
        description="Most evaluations in one run, served by one engine whose weights are exchanged; above 1 where "
        "opening a model takes longer than an evaluation, or many are asked for at once",
    )

    @property
    def cache_folder(self) -> Path:
        """`evaluation_cache` as an absolute path, with its default."""
        return (self.evaluation_cache or self.state_dir / "evaluation").absolute()


def compute_settings(settings: EvaluatorSettings) -> ComputeSettings:
    """Where jobs run, from the same environment; without a folder of their own, under the service's state."""
    compute = ComputeSettings()
    if "compute_root" in compute.model_fields_set:
        return compute
    return compute.model_copy(update={"compute_root": settings.state_dir.absolute() / "compute"})
