"""References to what lies in the object store, and the layout of its keys.

Large things never travel in events: an event carries one of these references instead.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from assay_schemas.ids import Sha256


class Reference(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ArtifactRef(Reference):
    """One object: where it is, what it must hash to, how large it is in bytes."""

    uri: str
    sha256: Sha256
    size: int = Field(ge=0)
    media_type: str = "application/json"


class ModelRef(Reference):
    """A model folder (config, tokenizer, safetensors): `uri` is the folder, `digest` is over its files."""

    uri: str
    digest: Sha256
    name: str = ""


class DatasetRef(Reference):
    """An immutable dataset snapshot: `uri` is its `rows.jsonl`, `digest` the SHA-256 of those canonical bytes."""

    uri: str
    digest: Sha256
    rows: int = Field(ge=0)
    source: str = ""


class CheckpointRef(Reference):
    """Weights saved in training at `step`, as a folder of plain Hugging Face files."""

    uri: str
    digest: Sha256
    step: int = Field(ge=0)


def dataset_prefix(digest: str) -> str:
    return f"datasets/{digest}"


def rows_key(digest: str) -> str:
    """Where a snapshot's canonical JSONL lies; its manifest is `manifest.json` beside it."""
    return f"{dataset_prefix(digest)}/rows.jsonl"


def row_sample_key(digest: str) -> str:
    """Where a sample of a snapshot's rows lies, as JSONL, for those who only need to know what rows are like."""
    return f"{dataset_prefix(digest)}/sample.jsonl"


def model_prefix(digest: str) -> str:
    return f"models/{digest}"


def checkpoint_prefix(job_key: str, attempt: int, step: int) -> str:
    return f"checkpoints/{job_key}/{attempt}/{step:08d}"


def results_prefix(job_key: str) -> str:
    """Where everything of a job lies, one folder an attempt."""
    return f"results/{job_key}"


def result_prefix(job_key: str, attempt: int) -> str:
    return f"{results_prefix(job_key)}/{attempt}"


def manifest_key(job_key: str, attempt: int) -> str:
    """Where an attempt's result manifest lies: written last, and atomically."""
    return f"{result_prefix(job_key, attempt)}/manifest.json"


def overlap_key(dataset: str, items: str) -> str:
    """Where the overlap of a training snapshot with some benchmark items lies, by the digests of both."""
    return f"contamination/{dataset}/{items}.parquet"


def experiment_prefix(experiment_id: str) -> str:
    return f"experiments/{experiment_id}"


def report_prefix(experiment_id: str) -> str:
    return f"reports/{experiment_id}"
