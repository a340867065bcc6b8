"""Which trackers a user has set, read from the environment by the service and by its jobs.

Never holds a tracker's credentials: each library reads its own variables.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

TrackerName = Literal["tensorboard", "mlflow", "wandb"]


class TrackingSettings(BaseSettings):
    """Read from ASSAY_* variables. Raises pydantic.ValidationError for a name that is not known."""

    model_config = SettingsConfigDict(env_prefix="ASSAY_", extra="ignore")

    trackers: Annotated[list[TrackerName], NoDecode] = Field(
        default=[],
        description="Where metrics of training also go, separated by commas: tensorboard, mlflow, wandb; "
        "servers and credentials are the libraries' own variables, such as MLFLOW_TRACKING_URI or WANDB_API_KEY",
    )
    tracking_dir: Path = Field(
        default=Path(".assay/state/tracking"),
        description="Folder of TensorBoard's event files and of W&B's own; unless set, `tracking` in the trainer's "
        "ASSAY_STATE_DIR",
    )
    tracking_project: str = Field(default="assay", description="Experiment or project that trackers file runs under")

    @field_validator("trackers", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value
