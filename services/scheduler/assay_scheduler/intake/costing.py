"""What a plan will cost: reads the model's config and a sample of the data from the store, and estimates.

Never stops an experiment: where something cannot be read there is no estimate, and the log says why.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

from assay_chassis.app import ServiceApp
from assay_chassis.object_store import KeyRefused, ObjectDamaged, ObjectNotFound, ObjectTooLarge, StoreUnavailable
from assay_schemas.artifacts import DatasetRef, ModelRef, row_sample_key
from assay_schemas.canonical import digest_of
from assay_schemas.cost.estimate import JobCost, PlanCost, evaluation_cost, plan_cost, training_cost
from assay_schemas.cost.evaluation import ASSUMED
from assay_schemas.cost.shape import ModelShape, shape_of
from assay_schemas.cost.tokens import SAMPLED_ROWS, TokenSample, token_sample
from assay_schemas.jobs import EvalInputs, TrainingInputs
from assay_schemas.resolved import hyperparameters_of
from assay_schemas.results import Plan

from assay_scheduler.intake.cache import FindingCache
from assay_scheduler.planner import hardware_of

RULES = 1  # grows when counting changes
LARGEST_TOKENIZER = 64 * 2**20
UNREADABLE = (KeyRefused, ObjectDamaged, ObjectNotFound, ObjectTooLarge, StoreUnavailable, ValueError)
Count = Callable[[Sequence[str]], Sequence[int]]


class Costing:
    """Token counts are remembered by model and dataset, so that a plan like an earlier one reads nothing."""

    def __init__(self, app: ServiceApp, cache: FindingCache) -> None:
        self._app = app
        self._cache = cache

    async def of(self, plan: Plan) -> PlanCost | None:
        """The plan's cost; None where the model's shape is not known or cannot be read."""
        try:
            shape = shape_of(json.loads(await self._app.store.get_bytes(f"{plan.model.uri}/config.json")))
            if shape is None:
                return None
            samples = await self._samples(plan)
        except UNREADABLE as error:
            self._app.log.info("no cost estimate", experiment_id=plan.experiment_id, why=str(error))
            return None
        return estimated(plan, shape, samples)

    async def _samples(self, plan: Plan) -> dict[str, TokenSample]:
        named = [arm.dataset for arm in plan.arms] + [benchmark.items for benchmark in plan.benchmarks]
        datasets = {dataset.digest: dataset for dataset in named if dataset is not None}
        keys = {digest: digest_of(["tokens", RULES, plan.model.digest, digest]) for digest in datasets}
        known = {digest: await self._cache.get(key) for digest, key in keys.items()}
        missing = [digest for digest, finding in known.items() if finding is None]
        count = await self._counter(plan.model) if missing else None
        for digest in missing:
            sample = await self._counted(datasets[digest], count)
            known[digest] = sample.model_dump(mode="json")
            await self._cache.put(keys[digest], known[digest] or {})
        return {digest: TokenSample.model_validate(finding) for digest, finding in known.items()}

    async def _counted(self, dataset: DatasetRef, count: Count | None) -> TokenSample:
        try:
            data = await self._app.store.get_bytes(row_sample_key(dataset.digest))
        except ObjectNotFound:
            data = await self._app.store.get_bytes(dataset.uri)
        rows = [json.loads(line) for line in data.splitlines()[:SAMPLED_ROWS]]
        return await asyncio.to_thread(token_sample, dataset.rows, rows, count)

    async def _counter(self, model: ModelRef) -> Count | None:
        """Counts with the model's own tokenizer, where it has a tokenizer.json and the library is installed."""
        try:
            content = await self._app.store.get_bytes(f"{model.uri}/tokenizer.json", max_bytes=LARGEST_TOKENIZER)
        except (ObjectNotFound, ObjectTooLarge):
            return None
        return await asyncio.to_thread(tokenizer_counter, content)


def tokenizer_counter(tokenizer_json: bytes) -> Count | None:
    """Token counts by a tokenizer.json; None where the library is missing or does not read the file."""
    try:
        from tokenizers import Tokenizer
    except ImportError:
        return None
    try:
        tokenizer: Any = Tokenizer.from_str(tokenizer_json.decode())
    except Exception:  # the library raises Exception itself for a file it does not know
        return None

    def count(texts: Sequence[str]) -> list[int]:
        return [len(encoded.ids) for encoded in tokenizer.encode_batch(list(texts), add_special_tokens=False)]

    return count


def estimated(plan: Plan, shape: ModelShape, samples: dict[str, TokenSample]) -> PlanCost:
    """The cost of every job of a plan. Samples by dataset digest."""
    hardware, evaluating = plan.spec.hardware, hardware_of(plan.spec, "eval")
    jobs: dict[str, JobCost] = {}
    assumed = False
    for job in plan.jobs:
        if isinstance(job.inputs, TrainingInputs):
            jobs[job.key] = training_cost(job.inputs, shape, samples[job.inputs.dataset], hardware)
        elif isinstance(job.inputs, EvalInputs) and job.inputs.model in (None, plan.model.digest):
            items = samples.get(job.inputs.items) if job.inputs.items else None
            assumed = assumed or items is None
            jobs[job.key] = evaluation_cost(job.inputs, shape, items, evaluating)
    reused = {job.key for job in plan.jobs if job.reused}
    dtype = hyperparameters_of(plan.spec).dtype
    return plan_cost(jobs, reused, shape, samples, hardware, dtype, [ASSUMED] if assumed else [])
