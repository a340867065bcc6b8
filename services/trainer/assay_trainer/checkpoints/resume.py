"""Finds what a run can go on from: the latest complete checkpoint of this or an earlier attempt.

A damaged checkpoint is passed over, with a line in the log, for the one before it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

from assay_chassis.object_store import ObjectDamaged, ObjectNotFound, ObjectTooLarge, SyncObjectStore
from assay_schemas.artifacts import ArtifactRef, CheckpointRef, checkpoint_prefix
from assay_schemas.results import SavedCheckpoint
from pydantic import ValidationError
from safetensors.torch import load_file
from torch import Tensor

from assay_trainer.checkpoints.layout import ADAPTER, MARKER, METRICS, OWN, Marker, StoredFile, resume_prefix
from assay_trainer.checkpoints.shards import read_optimizer

log = logging.getLogger(__name__)
DAMAGE = (ObjectDamaged, ObjectNotFound, ObjectTooLarge)


@dataclass(frozen=True)
class Found:
    """A checkpoint whose marker was read."""

    attempt: int
    marker: Marker


@dataclass(frozen=True)
class ResumePoint:
    """A run's state after `step` steps: the model's folder and, where it has them, its adapters."""

    step: int
    model: Path
    optimizer: dict[str, Tensor] = field(repr=False)
    own: dict[str, Tensor] = field(repr=False)
    adapters: dict[str, Tensor] = field(repr=False)
    metrics: bytes = field(repr=False)


class CheckpointReader:
    """The complete checkpoints of a job, of every attempt up to this one."""

    def __init__(self, store: SyncObjectStore, job_key: str, attempt: int) -> None:
        self._store = store
        self._job_key = job_key
        self._attempt = attempt

    def found(self) -> list[Found]:
        """All of them, by step; where two attempts took one at the same step, the newer comes last."""
        root = f"checkpoints/{self._job_key}"
        found = []
        for entry in self._store.list(root):
            attempt, _, rest = self._store.store.key(entry.uri).removeprefix(f"{root}/").partition("/")
            if rest.endswith(f"/{MARKER}") and rest.count("/") == 1 and int(attempt) <= self._attempt:
                marker = self._marker(entry.uri)
                found += [Found(int(attempt), marker)] if marker else []
        return sorted(found, key=lambda each: (each.marker.step, each.attempt))

    def _marker(self, uri: str) -> Marker | None:
        try:
            return Marker.model_validate_json(self._store.get_bytes(uri))
        except (ValidationError, *DAMAGE) as error:
            log.warning("checkpoint %s: its marker cannot be read (%s); it is passed over", uri, error)
            return None

    def latest(self, scratch: Path) -> ResumePoint | None:
        """The furthest state that is whole, fetched into `scratch`; None where training starts anew."""
        for found in reversed(self.found()):
            try:
                return self._fetch(found, scratch / f"from-{found.attempt}-{found.marker.step}")
            except DAMAGE as error:
                log.warning(
                    "checkpoint of step %d, attempt %d is damaged (%s); falling back to the one before",
                    found.marker.step,
                    found.attempt,
                    error,
                )
        return None

    def _fetch(self, found: Found, folder: Path) -> ResumePoint:
        step, marker = found.marker.step, found.marker
        state = self._get(marker.resume_files, resume_prefix(self._job_key, found.attempt, step), folder / "resume")
        model = self._get(marker.files, checkpoint_prefix(self._job_key, found.attempt, step), folder / "model")
        adapter = model / ADAPTER / "adapter_model.safetensors"
        return ResumePoint(
            step=step,
            model=model,
            optimizer=read_optimizer(state),
            own=load_file(state / OWN),
            adapters=load_file(adapter) if adapter.exists() else {},
            metrics=(state / METRICS).read_bytes(),
        )

    def _get(self, files: list[StoredFile], prefix: str, folder: Path) -> Path:
        for file in files:
            path = folder / file.name
            path.parent.mkdir(parents=True, exist_ok=True)
            uri = self._store.uri(f"{prefix}/{file.name}")
            self._store.get_file(ArtifactRef(uri=uri, sha256=file.sha256, size=file.size), path)
        return folder

    def saved(self, steps: set[int]) -> list[SavedCheckpoint]:
        """The checkpoints taken at the given steps, as a result names them; one a step, the newest attempt's."""
        by_step = {found.marker.step: found for found in self.found() if found.marker.step in steps}
        return [
            SavedCheckpoint(
                checkpoint=CheckpointRef(
                    uri=self._store.uri(checkpoint_prefix(self._job_key, found.attempt, step)),
                    digest=found.marker.digest,
                    step=step,
                ),
                validation_loss=found.marker.validation_loss,
            )
            for step, found in sorted(by_step.items())
        ]
