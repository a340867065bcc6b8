"""The evaluator's settings: what every service has, where jobs run, and where models are kept on this machine.

Only declares them; never opens anything.
"""

from __future__ import annotations

from pathlib import Path

from assay_chassis.settings import ServiceSettings
from pydantic import Field


class EvaluatorSettings(ServiceSettings):
    """Read from ASSAY_* variables, by the service and by the processes that evaluate."""

    evaluation_cache: Path = Field(
        default=Path(".assay/evaluation"),
        description="Folder for models fetched from the object store and the harness's index of tasks",
    )
