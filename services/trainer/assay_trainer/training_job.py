"""One attempt at a training job: from a request's inputs in the store to its checkpoints there, and its result.

Never touches the broker and never says that the job is done: who runs it writes the manifest.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import torch
from assay_chassis.compute.metering import Meter
from assay_chassis.object_store import KeyRefused, ObjectNotFound, SyncObjectStore
from assay_chassis.object_store.keys import path_of_file_uri
from assay_schemas.algorithms import Hyperparameters
from assay_schemas.artifacts import ModelRef, model_prefix, result_prefix
from assay_schemas.jobs import TrainingRequest, Usage
from assay_schemas.problems import problems_of
from assay_schemas.results import TrainingResult
from pydantic import ValidationError

from assay_trainer.algorithms import algorithm_named
from assay_trainer.algorithms.base import Algorithm, Surroundings
from assay_trainer.checkpoints.resume import CheckpointReader, ResumePoint
from assay_trainer.checkpoints.writer import CheckpointWriter
from assay_trainer.data.preferences import prompt_apart
from assay_trainer.data.prepare import Prepared, prepare
from assay_trainer.data.rows import Row, Split, read_rows, split_rows
from assay_trainer.errors import BadInput, OutOfMemory, OutOfMemoryBetweenSteps
from assay_trainer.interventions import intervene
from assay_trainer.loop import Checkpoints, Schedule, TrainingLoop, Watch
from assay_trainer.lora import add_adapters, load_adapters, without_adapters
from assay_trainer.memory import memory_lacking_as
from assay_trainer.metrics import MetricsLog, final_loss, peak_memory_gib
from assay_trainer.model import (
    choose_device,
    load,
    load_model,
    load_tokenizer,
    padding_id_of,
    recompute_activations,
    repeat_exactly,
)
from assay_trainer.optimizer import restore_optimizer
from assay_trainer.stepper import Stepping
from assay_trainer.utilisation import work_of
from assay_trainer.version import library_versions

log = logging.getLogger(__name__)
LARGEST_DATASET = 64 * 2**30


class Writer(Checkpoints, Protocol):
    """Where checkpoints go, and what waits until they are there."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class Trained:
    """A run that came to its end, `resumed_from` being the step that it went on from."""

    schedule: Schedule
    prepared: Prepared
    metrics: MetricsLog
    device: torch.device
    resumed_from: int


class TrainingJob:
    """One attempt at a training job, from its request to its result."""

    def __init__(self, request: TrainingRequest, store: SyncObjectStore, scratch: Path, watch: Watch) -> None:
        self._meter = Meter(request.hardware.all_gpus)
        self._request = request
        self._inputs = request.inputs
        self._store = store
        self._scratch = scratch
        self._watch = watch
        self._algorithm_class = algorithm_named(request.inputs.algorithm)
        self._hyperparameters = _hyperparameters(request, self._algorithm_class)
        self._reader = CheckpointReader(store, request.job_key, request.attempt)

    def run(self) -> TrainingResult:
        """Train to the end. Raises JobFailed for every end that is the job's own."""
        return self.result(self.train())

    def train(self) -> Trained:
        """Train to the end; the checkpoints are in the store."""
        with memory_lacking_as(OutOfMemoryBetweenSteps):
            return self._prepared_and_run()

    def _prepared_and_run(self) -> Trained:
        device = self._device()
        repeat_exactly(device)
        base = self._model_folder(self._request.model)
        tokenizer = load_tokenizer(base)
        algorithm = self._algorithm_class(self._hyperparameters, tokenizer)
        prepared = prepare(self._split(), algorithm, self._hyperparameters, self._inputs.seed)
        log.info("%d rows, %d steps, seed %d", prepared.training_rows, prepared.steps, self._inputs.seed)
        with contextlib.ExitStack() as closing:
            around = Surroundings(
                self._inputs.seed,
                device,
                base,
                self._scratch,
                training=prepared.training(),
                model_folder=self._other_model,
                closing=closing,
                rollout_actors=self._request.hardware.rollout_actors,
            )
            return self._run(around, algorithm, prepared, padding_id_of(tokenizer))

    def _run(self, around: Surroundings, algorithm: Algorithm, prepared: Prepared, padding_id: int) -> Trained:
        resumed = self._reader.latest(self._scratch)
        device, base = around.device, around.base
        stepper = self._stepper(algorithm, around, padding_id, resumed)
        self._begin(algorithm, stepper, prepared, around, resumed is not None)
        metrics = MetricsLog.read(resumed.metrics if resumed else b"")
        schedule = Schedule.of(prepared.steps, self._hyperparameters)
        start = resumed.step if resumed else 0
        self._train(stepper, schedule, prepared, metrics, base, start)
        return Trained(schedule, prepared, metrics, device, start)

    def _device(self) -> torch.device:
        return choose_device(self._request.hardware.gpus)

    def _split(self) -> Split:
        """Held-out rows are split off before interventions change both parts alike."""
        split = split_rows(self._rows(), self._hyperparameters.validation_share)
        return intervene(split, self._inputs.interventions, self._inputs.seed)

    def _rows(self) -> list[Row]:
        dataset = self._request.dataset
        try:
            data = self._store.get_bytes(dataset.uri, max_bytes=LARGEST_DATASET)
        except (ObjectNotFound, KeyRefused) as error:
            raise BadInput(f"dataset: no snapshot at {dataset.uri}; publish the dataset again") from error
        return [prompt_apart(row) for row in read_rows(data, dataset.digest, self._algorithm_class.row_formats)]

    def _model_folder(self, model: ModelRef) -> Path:
        """The model as a local folder: in place where the store is one, else a copy."""
        if model.uri.startswith("file://"):
            folder = path_of_file_uri(model.uri)
            if not folder.is_dir():
                raise BadInput(f"base_model: no folder at {model.uri}; give the model again")
            return folder
        try:
            return self._store.get_tree(model.uri, self._scratch / "base")
        except (ObjectNotFound, KeyRefused) as error:
            raise BadInput(f"base_model: nothing at {model.uri}; give the model again") from error

    def _other_model(self, reference: str) -> Path:
        """A model that planning took into the object store, by its `sha256:`, as a local folder."""
        digest = reference.removeprefix("sha256:")
        uri = self._store.uri(model_prefix(digest))
        try:
            return self._store.get_tree(uri, self._scratch / f"model-{digest}")
        except (ObjectNotFound, KeyRefused) as error:
            raise BadInput(f"hyperparameters.reward.checkpoint: nothing at {uri}; give the model again") from error

    def _stepper(
        self, algorithm: Algorithm, around: Surroundings, padding_id: int, resumed: ResumePoint | None
    ) -> Stepping:
        model = self._model(algorithm, around, padding_id, resumed, around.device)
        stepper = algorithm.stepper(model, self._hyperparameters, around)
        if resumed is not None:
            restore_optimizer(model, stepper.optimizer, resumed.optimizer)
            stepper.restore_own(resumed.own)
        return stepper

    def _model(
        self,
        algorithm: Algorithm,
        around: Surroundings,
        padding_id: int,
        resumed: ResumePoint | None,
        device: torch.device,
    ) -> Any:
        """The model to train, with its adapters where it has them, as the run has it where it goes on."""
        lora = self._hyperparameters.lora
        torch.manual_seed(around.seed)
        folder = resumed.model if resumed and lora is None else around.base
        model = load(algorithm.model_kind, folder, device, padding_id, around.seed)
        if resumed is not None:
            log.info("resuming after step %d", resumed.step)
        if lora is not None:
            add_adapters(model, lora)
            if resumed is not None:
                load_adapters(model, resumed.adapters)
        if self._request.hardware.activation_checkpointing:
            recompute_activations(model)
        return model

    def _begin(
        self, algorithm: Algorithm, stepper: Stepping, prepared: Prepared, around: Surroundings, resumed: bool
    ) -> None:
        examples = prepared.examples()
        with memory_lacking_as(lambda: OutOfMemory(0, max(example.length for example in examples))):
            algorithm.before_first_step(self._base_model(stepper, around, resumed), examples, around.device)

    @contextlib.contextmanager
    def _base_model(self, stepper: Stepping, around: Surroundings, resumed: bool) -> Iterator[Any]:
        """The untouched base model: what is in training where it still is that, without its adapters, or loaded."""
        with contextlib.ExitStack() as stack:
            model = stepper.model
            if self._hyperparameters.lora is not None:
                stack.enter_context(without_adapters(model))
            elif resumed:
                model = load_model(around.base, around.device)
            model.eval()
            stack.enter_context(torch.no_grad())
            yield model

    def _train(
        self, stepper: Stepping, schedule: Schedule, prepared: Prepared, metrics: MetricsLog, base: Path, start: int
    ) -> None:
        writer = self._checkpoints(base)
        loop = TrainingLoop(
            stepper,
            schedule,
            prepared.batches,
            prepared.validation,
            metrics=metrics,
            checkpoints=writer,
            watch=self._watch,
            work=work_of(base, self._request.hardware, self._hyperparameters, stepper.device),
        )
        try:
            loop.run(start)
        finally:
            writer.close()

    def _checkpoints(self, base: Path) -> Writer:
        return self._writer(base, self._scratch / "checkpoints")

    def _writer(self, base: Path, folder: Path) -> CheckpointWriter:
        key, attempt, options = self._request.job_key, self._request.attempt, self._hyperparameters
        return CheckpointWriter(self._store, key, attempt, base, options.lora, folder, options.keep_checkpoints)

    def result(self, trained: Trained) -> TrainingResult:
        """What a run left, for its manifest."""
        request, schedule, prepared, metrics = self._request, trained.schedule, trained.prepared, trained.metrics
        where = f"{result_prefix(request.job_key, request.attempt)}/metrics.jsonl"
        reference = self._store.put_bytes(where, metrics.as_jsonl(), media_type="application/jsonl")
        return TrainingResult(
            job_key=request.job_key,
            attempt=request.attempt,
            completed_at=datetime.now(UTC),
            usage=self._usage(metrics, trained.device),
            libraries=library_versions(),
            inputs=self._inputs,
            checkpoints=self._reader.saved(schedule.checkpoints()),
            metrics=reference,
            steps=schedule.steps,
            rows=prepared.training_rows,
            validation_rows=len(prepared.validation),
            rows_truncated=prepared.truncated,
            rows_dropped=prepared.dropped,
            tokens=metrics.tokens,
            final_loss=final_loss(metrics.records),
            resumed_from_step=trained.resumed_from,
        )

    def _usage(self, metrics: MetricsLog, device: torch.device) -> Usage:
        return self._meter.usage(peak_memory_gib=peak_memory_gib(device), tokens=metrics.tokens)


def _hyperparameters(request: TrainingRequest, algorithm: type[Algorithm]) -> Any:
    """The request's hyperparameters, typed. Raises BadInput listing every problem."""
    try:
        return algorithm.hyperparameters_class.model_validate(request.inputs.hyperparameters)
    except ValidationError as error:
        problems = problems_of(error, Hyperparameters, "hyperparameters")
        raise BadInput("; ".join(map(str, problems))) from error
