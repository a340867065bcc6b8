"""One model on one benchmark: the inputs made ready once, then scored on whatever engine they are given.

Never stores a result, and never looks at an item of the other side of a split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assay_chassis.object_store import SyncObjectStore
from assay_schemas.artifacts import DatasetRef
from assay_schemas.benchmarks import (
    BenchmarkParameters,
    HarnessTaskParameters,
    OwnParameters,
    TaskFileParameters,
    definition_of,
)
from assay_schemas.jobs import EvalInputs
from assay_schemas.problems import problems_of
from assay_schemas.results import Sample
from pydantic import ValidationError

from assay_evaluator.benchmarks import BENCHMARKS, OF_SCORERS
from assay_evaluator.engines import ENGINES, is_scorer
from assay_evaluator.engines.base import EngineSettings
from assay_evaluator.failures import bad_input
from assay_evaluator.images import with_images, with_shown
from assay_evaluator.inputs import read_rows
from assay_evaluator.items import Item, ordered_items
from assay_evaluator.scoring import Scored
from assay_evaluator.version import harness_version


@dataclass(frozen=True)
class Evaluation:
    """Inputs made ready. `items` are those of the asked side in the order in which a limit counts them, or None for
    a task that brings its own."""

    inputs: EvalInputs
    parameters: BenchmarkParameters
    items: Sequence[Item] | None
    cache: Path

    def engine_settings(self, folder: Path, device: str) -> EngineSettings:
        return EngineSettings(
            folder=folder, dtype=self.inputs.dtype, device=device, batch_size=self.parameters.batch_size
        )

    def score(self, lm: Any, folder: Path) -> Scored:
        """Samples and metrics of the model in `folder`, which `lm` has loaded. Raises JobFailed."""
        inputs = self.inputs
        benchmarks = OF_SCORERS if is_scorer(folder) else BENCHMARKS
        if benchmarks is OF_SCORERS and inputs.benchmark not in benchmarks:
            able = ", ".join(benchmarks)
            raise bad_input(f"inputs.benchmark: {inputs.benchmark} needs text, and this is a reward model; use {able}")
        if isinstance(self.parameters, HarnessTaskParameters):
            return self._score_harness(lm, self.parameters)
        from assay_evaluator.own import evaluate_own

        if self.items is None or not isinstance(self.parameters, OwnParameters):
            raise bad_input("items: are missing; give parameters.dataset, a file of items")
        benchmark = benchmarks[inputs.benchmark](self.parameters)
        return evaluate_own(
            lm, inputs.benchmark, benchmark, self.parameters, self.items, limit=inputs.limit, seed=inputs.seed
        )

    def _score_harness(self, lm: Any, parameters: HarnessTaskParameters) -> Scored:
        from assay_evaluator.harness import evaluate_harness
        from assay_evaluator.task_names import task_manager

        inputs = self.inputs
        brings_task = isinstance(parameters, TaskFileParameters)  # so the harness's own tasks need not be known
        manager = None if brings_task else task_manager(self.cache / "harness")
        asked = None if self.items is None else sorted(self.items, key=lambda item: item.index)
        scored = evaluate_harness(
            lm,
            manager,
            inputs.benchmark,
            parameters,
            None if asked is None else [with_shown(item) for item in asked],
            limit=inputs.limit,
            seed=inputs.seed,
            split=inputs.split if asked is None else None,
        )
        if asked is None:
            return scored
        return replace(scored, samples=[_of_item(sample, asked[sample.item_index]) for sample in scored.samples])


def _of_item(sample: Sample, item: Item) -> Sample:
    """The sample with its item's place in the snapshot, and the images that the item shows."""
    images = tuple(image.key for image in item.images.values())
    return sample.model_copy(update={"item_index": item.index, "images": images})


def made_ready(inputs: EvalInputs, snapshot: DatasetRef | None, store: SyncObjectStore, cache: Path) -> Evaluation:
    """Everything but the model. Raises JobFailed for what is unknown here, and for items that are not there."""
    parameters = _parameters(inputs)
    if snapshot is None:
        return Evaluation(inputs, parameters, None, cache)
    items, split = ordered_items(read_rows(store, snapshot)), inputs.split
    asked = [item for item in items if split is None or split.holds(item.id, item.cluster)]
    definition = definition_of(inputs.benchmark, inputs.harness_version)
    if definition is not None and definition.shows_images:
        # The harness counts a limit itself, over each task's documents.
        shown = asked if definition.scored_on == "harness" else asked[: inputs.limit]
        asked = with_images(store, shown, cache / "images")
    if items and not asked and split is not None:
        raise bad_input(
            f"inputs.split: none of {len(items)} items is on the {split.side} side of a share of {split.share:g}; "
            "change selection.share, or give more items"
        )
    return Evaluation(inputs, parameters, asked, cache)


def _parameters(inputs: EvalInputs) -> BenchmarkParameters:
    """The benchmark's parameters, typed. Raises JobFailed for a benchmark, version, engine or value unknown here."""
    here = harness_version()
    if inputs.harness_version != here:
        raise bad_input(f"inputs.harness_version: {inputs.harness_version} is not installed here; use {here}")
    if inputs.engine not in ENGINES:
        raise bad_input(f"inputs.engine: {inputs.engine} is not known here; use {', '.join(ENGINES)}")
    definition = definition_of(inputs.benchmark, inputs.harness_version)
    if definition is None or not (definition.scored_on == "harness" or definition.name in BENCHMARKS):
        raise bad_input(f"inputs.benchmark: {inputs.benchmark!r} is not known here; use {', '.join(BENCHMARKS)}")
    try:
        return definition.parameters.model_validate(inputs.parameters)
    except ValidationError as error:
        problems = problems_of(error, definition.parameters, "parameters")
        raise bad_input("; ".join(map(str, problems))) from error


def device_of(gpus: int) -> str:
    """Where the model computes. Raises JobFailed when a GPU was promised and none is there."""
    if not gpus:
        return "cpu"
    import torch

    if not torch.cuda.is_available():
        raise bad_input("hardware.gpus: this machine has no usable GPU; ask for 0, or run where there is one")
    return "cuda"
