"""Where a checkpoint's files lie, and the marker that says they are all there.

`checkpoints/<job key>/<attempt>/<step>/` is the model; `…/resume/<step>/` what only the trainer reads.
"""

from __future__ import annotations

from assay_schemas.artifacts import checkpoint_prefix
from assay_schemas.canonical import digest_of
from assay_schemas.ids import Sha256
from pydantic import BaseModel, ConfigDict

MARKER = "complete.json"
ADAPTER = "adapter"
OPTIMIZER = "optimizer.safetensors"
OWN = "own.safetensors"
METRICS = "metrics.jsonl"
KEPT_RESUME_STATES = 2


class StoredFile(BaseModel):
    """A file by its name within its folder, and what it must be."""

    model_config = ConfigDict(frozen=True)

    name: str
    sha256: Sha256
    size: int


class Marker(BaseModel):
    """`complete.json`, written last: the files of the checkpoint and of its resume state."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    step: int
    digest: Sha256
    validation_loss: float | None
    files: list[StoredFile]
    resume_files: list[StoredFile]


def attempt_prefix(job_key: str, attempt: int) -> str:
    return checkpoint_prefix(job_key, attempt, 0).rpartition("/")[0]


def resume_prefix(job_key: str, attempt: int, step: int) -> str:
    return f"{attempt_prefix(job_key, attempt)}/resume/{step:08d}"


def model_digest(files: list[StoredFile]) -> str:
    """The digest of a model folder: over the names and hashes of its own files, adapters beside it not counted."""
    return digest_of({file.name: file.sha256 for file in files if "/" not in file.name})
