"""Looks up every location that a document names: models, data sets, benchmark items, reward models.

Notes what cannot be used, or is away now, and goes on with the next; judges nothing else of the document.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, TypeVar

from assay_schemas.algorithms import ALGORITHMS
from assay_schemas.artifacts import DatasetRef, ModelRef
from assay_schemas.endpoints import Endpoint, is_endpoint
from assay_schemas.experiments import Location
from assay_schemas.problems import Problem
from pydantic import TypeAdapter, ValidationError

from assay_scheduler.intake.behind_api import usable_endpoint
from assay_scheduler.intake.beyond import definition_in, mappings_in
from assay_scheduler.intake.datasets import DatasetIntake
from assay_scheduler.intake.models import ModelIntake
from assay_scheduler.intake.rewards import hyperparameters_in, reward_checkpoints, truth_columns
from assay_scheduler.intake.rows import Needs, needs_of_algorithm, needs_of_benchmark
from assay_scheduler.intake.unusable import NotThereNow, Unusable

_LOCATION: TypeAdapter[str] = TypeAdapter(Location)
Found = TypeVar("Found")


class LookUps:
    """All look-ups of one document, one after the other; the same data is read once."""

    def __init__(
        self,
        datasets: DatasetIntake,
        models: ModelIntake,
        endpoints: Callable[[], Mapping[str, Endpoint]],
        document: Mapping[str, Any],
        known: Collection[str],
    ) -> None:
        """`known`: the fields that something is known to be wrong with already; nothing is looked up for them."""
        self._dataset_intake = datasets
        self._model_intake = models
        self._endpoints = endpoints
        self._document = document
        self._known = known
        self._started: dict[tuple[str, Needs], asyncio.Task[DatasetRef]] = {}
        self.model: ModelRef | None = None
        self.datasets: dict[int, DatasetRef] = {}
        self.items: dict[int, DatasetRef] = {}
        self.rewards: dict[str, ModelRef] = {}
        self.references: dict[int, ModelRef] = {}
        self.problems: list[Problem] = []
        self.away: list[Problem] = []

    async def run(self) -> None:
        try:
            await self._model()
            await self._arms()
            await self._references()
            await self._rewards()
            await self._benchmarks()
        finally:
            for task in self._started.values():
                task.cancel()

    async def _model(self) -> None:
        location = self._location("base_model", self._document.get("base_model"))
        if location:
            self.model = await self._found("base_model", self._model_intake.take(location))

    async def _arms(self) -> None:
        training = self._document.get("training")
        name = training.get("algorithm") if isinstance(training, Mapping) else None
        algorithm = ALGORITHMS.get(name) if isinstance(name, str) else None
        shared = truth_columns(hyperparameters_in(self._document))
        for place, arm in mappings_in(self._document.get("arms")):
            field_path = f"arms.{place}.dataset"
            own = hyperparameters_in(arm)
            replaced = isinstance(own, Mapping) and "reward" in own
            needs = needs_of_algorithm(algorithm, truth_columns(own) if replaced else shared)
            location = self._location(field_path, arm.get("dataset"))
            if location and (found := await self._found(field_path, self._dataset(location, needs))):
                self.datasets[place] = found

    async def _references(self) -> None:
        for place, arm in mappings_in(self._document.get("arms")):
            field_path = f"arms.{place}.model"
            location = self._location(field_path, arm.get("model"))
            if location and (found := await self._found(field_path, self._reference(location))):
                self.references[place] = found

    async def _reference(self, location: str) -> ModelRef:
        if is_endpoint(location):
            return usable_endpoint(location, self._endpoints, self._document.get("benchmarks"))
        return await self._model_intake.take(location)

    async def _rewards(self) -> None:
        places = reward_checkpoints(hyperparameters_in(self._document), "training.hyperparameters")
        for place, arm in mappings_in(self._document.get("arms")):
            places |= reward_checkpoints(hyperparameters_in(arm), f"arms.{place}.training.hyperparameters")
        for field_path, checkpoint in places.items():
            location = self._location(field_path, checkpoint)
            if location and location not in self.rewards:
                found = await self._found(field_path, self._model_intake.take_reward_model(location))
                self.rewards |= {location: found} if found else {}

    async def _benchmarks(self) -> None:
        for place, benchmark in mappings_in(self._document.get("benchmarks")):
            field_path = f"benchmarks.{place}.parameters.dataset"
            parameters = benchmark.get("parameters")
            given = parameters.get("dataset") if isinstance(parameters, Mapping) else None
            location = self._location(field_path, given)
            needs = needs_of_benchmark(definition_in(benchmark))
            if location and (found := await self._found(field_path, self._dataset(location, needs))):
                self.items[place] = found

    def _location(self, field_path: str, given: Any) -> str | None:
        """A location that the schema found nothing wrong with."""
        if field_path in self._known or given is None:
            return None
        try:
            return _LOCATION.validate_python(given)
        except ValidationError:
            return None

    async def _dataset(self, location: str, needs: Needs) -> DatasetRef:
        key = (location, needs)
        if key not in self._started:
            self._started[key] = asyncio.create_task(self._dataset_intake.take(location, needs))
        return await self._started[key]

    async def _found(self, field_path: str, look_up: Awaitable[Found]) -> Found | None:
        try:
            return await look_up
        except Unusable as error:
            noted = self.away if isinstance(error, NotThereNow) else self.problems
            noted.append(error.as_problem(field_path))
            return None
