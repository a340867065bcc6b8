"""Takes checkpoints of a run: files to a local folder at once, to the object store beside the training.

One upload at a time; a checkpoint's marker is written last, and only then is an older state or checkpoint dropped.
"""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

from assay_chassis.object_store import SyncObjectStore
from assay_schemas.algorithms import Lora
from assay_schemas.artifacts import CheckpointRef, checkpoint_prefix
from assay_schemas.results import SavedCheckpoint

from assay_trainer.checkpoints.export import export_model, export_state
from assay_trainer.checkpoints.layout import (
    KEPT_RESUME_STATES,
    MARKER,
    METRICS,
    Marker,
    StoredFile,
    model_digest,
    resume_prefix,
)
from assay_trainer.stepper import Stepping

BEHIND = 2
"""Checkpoints that may wait on the disk for the object store."""


def kept(losses: Mapping[int, float | None], newest: int | None) -> set[int]:
    """Of checkpoints, by step with their validation loss: the newest, and the one with the lowest loss (the earliest
    of equals); all where `newest` is None."""
    if newest is None:
        return set(losses)
    judged = [(loss, step) for step, loss in losses.items() if loss is not None]
    return {*sorted(losses)[-newest:], *([min(judged)[1]] if judged else [])}


class CheckpointWriter:
    """The checkpoints that one attempt takes, of which all or the `keep` newest and the best stay.

    Close it to wait for what is still on its way."""

    def __init__(
        self,
        store: SyncObjectStore,
        job_key: str,
        attempt: int,
        base: Path,
        lora: Lora | None,
        scratch: Path,
        keep: int | None = None,
    ):
        self._store = store
        self._job_key = job_key
        self._attempt = attempt
        self._base = base
        self._lora = lora
        self._scratch = scratch
        self._keep = keep
        self._losses: dict[int, float | None] = {}
        self._uploads = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._pending: deque[Future[SavedCheckpoint]] = deque()
        self._resumable: deque[int] = deque()

    def take(self, stepper: Stepping, step: int, validation_loss: float | None, metrics: bytes) -> None:
        """Save the model and everything the next step depends on. Returns while the upload goes on.

        Waits first while BEHIND others are on their way, so that a slow store does not fill the disk."""
        self.room()
        folder = self._scratch / f"{step:08d}"
        model, resume = folder / "model", folder / "resume"
        model.mkdir(parents=True)
        export_model(stepper.model, self._lora, self._base, model)
        export_state(stepper, resume)
        (resume / METRICS).write_bytes(metrics)
        self.upload(folder, step, validation_loss)

    def room(self, timeout_s: float | None = None) -> bool:
        """Wait, `timeout_s` at most, until fewer than BEHIND checkpoints are on their way; whether that came about.

        Raises what an upload raised."""
        while len(self._pending) >= BEHIND:
            if not wait([self._pending[0]], timeout_s).done:
                return False
            self._pending.popleft().result()
        return True

    def upload(self, folder: Path, step: int, validation_loss: float | None) -> None:
        """Begin to upload a checkpoint that lies in `folder`, as `model` and `resume`; it is removed afterwards."""
        while self._pending and self._pending[0].done():
            self._pending.popleft().result()
        self._pending.append(self._uploads.submit(self._upload, folder, step, validation_loss))

    def _upload(self, folder: Path, step: int, validation_loss: float | None) -> SavedCheckpoint:
        prefix = checkpoint_prefix(self._job_key, self._attempt, step)
        resume_files = self._put(folder / "resume", resume_prefix(self._job_key, self._attempt, step))
        files = self._put(folder / "model", prefix)
        marker = Marker(
            step=step,
            digest=model_digest(files),
            validation_loss=validation_loss,
            files=files,
            resume_files=resume_files,
        )
        self._store.put_bytes(f"{prefix}/{MARKER}", marker.model_dump_json().encode(), media_type="application/json")
        self._resumable.append(step)
        while len(self._resumable) > KEPT_RESUME_STATES:
            self._store.delete_prefix(resume_prefix(self._job_key, self._attempt, self._resumable.popleft()))
        self._losses[step] = validation_loss
        for left in self._losses.keys() - kept(self._losses, self._keep):
            self._drop(left)
        shutil.rmtree(folder)
        checkpoint = CheckpointRef(uri=self._store.uri(prefix), digest=marker.digest, step=step)
        return SavedCheckpoint(checkpoint=checkpoint, validation_loss=validation_loss)

    def _drop(self, step: int) -> None:
        """The marker first: what has none does not exist."""
        prefix = checkpoint_prefix(self._job_key, self._attempt, step)
        for gone in (f"{prefix}/{MARKER}", prefix, resume_prefix(self._job_key, self._attempt, step)):
            self._store.delete_prefix(gone)
        del self._losses[step]

    def _put(self, folder: Path, prefix: str) -> list[StoredFile]:
        tree = self._store.put_tree(prefix, folder)
        root = f"{self._store.uri(prefix)}/"
        return [StoredFile(name=file.uri.removeprefix(root), sha256=file.sha256, size=file.size) for file in tree.files]

    def close(self) -> None:
        """Wait for the uploads. Raises what any of them raised."""
        self._uploads.shutdown(wait=True)
        while self._pending:
            self._pending.popleft().result()
