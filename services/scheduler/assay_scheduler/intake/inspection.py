"""Looks at everything an experiment names, and finds every problem at once, or what planning needs.

Reads the raw document too, so that a broken specification still has its locations looked up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from assay_schemas.algorithms import ALGORITHMS
from assay_schemas.artifacts import DatasetRef, ModelRef
from assay_schemas.comparability import version_warnings
from assay_schemas.endpoints import Endpoint, is_endpoint
from assay_schemas.experiments import ExperimentSpec, Hardware, Location
from assay_schemas.problems import WHOLE_DOCUMENT, Problem
from assay_schemas.specification import Reading, not_yet_available, read_specification
from assay_schemas.standard_hardware import HardwareTable, hardware_table
from assay_schemas.versions import SHIPPED, Versions, VersionsUnreadable
from pydantic import TypeAdapter, ValidationError

from assay_scheduler.findings import Findings
from assay_scheduler.intake.behind_api import usable_endpoint
from assay_scheduler.intake.beyond import (
    Benchmarks,
    bulky,
    definition_in,
    missing_engines,
    on_blind_engines,
    showing_images,
)
from assay_scheduler.intake.datasets import DatasetIntake
from assay_scheduler.intake.equipping import Equipped, standard_hardware
from assay_scheduler.intake.models import ModelIntake
from assay_scheduler.intake.rewards import hyperparameters_in, reward_checkpoints, truth_columns
from assay_scheduler.intake.rows import Needs, needs_of_algorithm, needs_of_benchmark
from assay_scheduler.intake.unusable import NotThereNow, Unusable
from assay_scheduler.policy import Resources, never_fits

_LOCATION: TypeAdapter[str] = TypeAdapter(Location)
Found = TypeVar("Found")


@dataclass(frozen=True)
class Inspection:
    """What inspecting found: problems, or what is away now and may come back, or a specification and the findings that
    planning needs."""

    spec: ExperimentSpec | None = None
    findings: Findings | None = None
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    away: list[Problem] = field(default_factory=list)


class Inspector:
    """Inspects documents. `capacity` is all there is, for refusing what could never run; `rollout_engine` is what
    `auto` stands for; `endpoints` reads the models behind an API that may be asked, `versions` those of engine and
    harness; `evaluation_engines` are those that evaluators have."""

    def __init__(
        self,
        datasets: DatasetIntake,
        models: ModelIntake,
        capacity: Resources,
        most_nodes: int,
        rollout_engine: str = "transformers",
        endpoints: Callable[[], Mapping[str, Endpoint]] = dict,
        versions: Callable[[], Versions] = lambda: SHIPPED,
        table: HardwareTable | None = None,
        evaluation_engines: Collection[str] = ("transformers",),
        backend: str = "local",
    ) -> None:
        self.datasets = datasets
        self.models = models
        self.rollout_engine = rollout_engine
        self.endpoints = endpoints
        self.versions = versions
        self._evaluation_engines = evaluation_engines
        self._backend = backend
        self._capacity = capacity
        self._table = table or hardware_table()
        self._most_nodes = most_nodes

    async def inspect(self, document: Mapping[str, Any], dataschema: str = "") -> Inspection:
        """Everything that is wrong with a document, or its specification with what it refers to."""
        reading = self.reading(document, dataschema)
        known = {problem.field for problem in reading.problems}
        look_up = _LookUps(self, document, known)
        await look_up.run()
        problems = [*reading.problems, *look_up.problems]
        problems += await self._independent_problems(document, look_up.model, {one.field for one in problems})
        if look_up.away and not problems:
            return Inspection(away=look_up.away)
        if problems or reading.spec is None or look_up.model is None:
            return Inspection(problems=problems, warnings=reading.warnings)
        equipped = await self.equipped(reading.spec, look_up.model)
        if equipped.problems:
            return Inspection(problems=equipped.problems, warnings=reading.warnings)
        if unavailable := not_yet_available(equipped.spec):
            return Inspection(problems=unavailable, warnings=reading.warnings)
        arms = {reading.spec.arms[place].name: found for place, found in look_up.datasets.items()}
        references = {reading.spec.arms[place].name: found for place, found in look_up.references.items()}
        findings = Findings(look_up.model, arms, look_up.items, look_up.rewards, self.rollout_engine, references)
        warnings = [*reading.warnings, *equipped.words]
        return Inspection(equipped.spec, findings, warnings=warnings)

    def reading(self, document: Mapping[str, Any], dataschema: str = "") -> Reading:
        """What a document says by the versions there are now; a file of theirs that is broken is its one problem."""
        try:
            versions = self.versions()
        except VersionsUnreadable as error:
            problem = Problem(field=WHOLE_DOCUMENT, message=f"cannot be read now: {error}.", mend="Mend that file.")
            return Reading(None, [problem])
        found = read_specification(document, dataschema, versions)
        more = version_warnings(found.spec, versions) if found.spec else []
        return replace(found, warnings=[*found.warnings, *more])

    async def equipped(self, spec: ExperimentSpec, model: ModelRef) -> Equipped:
        """The specification with standard hardware where it gives none, checked against what there is."""
        found = standard_hardware(spec, await self.models.shape(model), self._table)
        if found.spec.hardware != spec.hardware:
            found.problems += self.hardware_problems(found.spec.hardware, set())
        if found.spec.evaluation_hardware is not None:
            found.problems += self.hardware_problems(found.spec.evaluation_hardware, set(), "evaluation_hardware")
        return found

    async def _independent_problems(
        self, document: Mapping[str, Any], model: ModelRef | None, known: set[str]
    ) -> list[Problem]:
        """What this system cannot do, each part looked at by itself: what is wrong elsewhere hides none of it."""
        benchmarks, apart = _mappings(document.get("benchmarks")), document.get("evaluation_hardware")
        found = [
            *self.hardware_problems(document.get("hardware"), known),
            *(self.hardware_problems(apart, known, "evaluation_hardware") if apart is not None else []),
            *bulky(document),
            *missing_engines(benchmarks, self._evaluation_engines),
            *await self._blind_problems(benchmarks, model),
        ]
        return [problem for problem in found if problem.field not in known]

    async def _blind_problems(self, benchmarks: Benchmarks, model: ModelRef | None) -> list[Problem]:
        """Benchmarks that show images, where the base model sees none; which model that is may not be known."""
        shown = showing_images(benchmarks)
        if blind := on_blind_engines(shown):
            return blind
        if not shown or model is None or await self.models.sees(model):
            return []
        message = "shows images, and the base model takes none: its config.json has no vision_config."
        mend = "Use a base model that sees, or leave the benchmark out."
        return [Problem(field=f"benchmarks.{place}.name", message=message, mend=mend) for place, _ in shown]

    def hardware_problems(self, declared: Any, known: set[str], prefix: str = "hardware") -> list[Problem]:
        """What a job asks for that this system never has; keys that nobody knows are no reason not to look."""
        given = {} if declared is None else declared
        if not isinstance(given, Mapping):
            return []
        try:
            hardware = Hardware.model_validate({key: given[key] for key in given if key in Hardware.model_fields})
        except ValidationError:
            return []
        problems = []
        if hardware.nodes > self._most_nodes:
            message = f"asks for {hardware.nodes} machines, and this system has {self._most_nodes}."
            mend = f"Ask for at most {self._most_nodes}, or raise ASSAY_CAPACITY_NODES for the scheduler."
            problems.append(Problem(field=f"{prefix}.nodes", message=message, mend=mend))
        if hardware.rollout_actors and self._backend != "ray":
            message = f"are only on the ray backend, and this system's is {self._backend}."
            mend = "Leave them out, or run the services with ASSAY_BACKEND=ray."
            problems.append(Problem(field=f"{prefix}.rollout_actors", message=message, mend=mend))
        for name, asked, there in [] if problems else never_fits(hardware, self._capacity):
            message = f"asks for {asked:g}, and this system has {there:g}."
            mend = f"Ask for at most {there:g}, or run the scheduler with more capacity."
            problems.append(Problem(field=f"{prefix}.{name}", message=message, mend=mend))
        return [problem for problem in problems if problem.field not in known]


class _LookUps:
    """All look-ups of one document, one after the other; the same data is read once."""

    def __init__(self, inspector: Inspector, document: Mapping[str, Any], known: set[str]) -> None:
        self._inspector = inspector
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
            self.model = await self._found("base_model", self._inspector.models.take(location))

    async def _arms(self) -> None:
        training = self._document.get("training")
        name = training.get("algorithm") if isinstance(training, Mapping) else None
        algorithm = ALGORITHMS.get(name) if isinstance(name, str) else None
        shared = truth_columns(hyperparameters_in(self._document))
        for place, arm in _mappings(self._document.get("arms")):
            field_path = f"arms.{place}.dataset"
            own = hyperparameters_in(arm)
            replaced = isinstance(own, Mapping) and "reward" in own
            needs = needs_of_algorithm(algorithm, truth_columns(own) if replaced else shared)
            location = self._location(field_path, arm.get("dataset"))
            if location and (found := await self._found(field_path, self._dataset(location, needs))):
                self.datasets[place] = found

    async def _references(self) -> None:
        for place, arm in _mappings(self._document.get("arms")):
            field_path = f"arms.{place}.model"
            location = self._location(field_path, arm.get("model"))
            if location and (found := await self._found(field_path, self._reference(location))):
                self.references[place] = found

    async def _reference(self, location: str) -> ModelRef:
        if is_endpoint(location):
            return usable_endpoint(location, self._inspector.endpoints, self._document.get("benchmarks"))
        return await self._inspector.models.take(location)

    async def _rewards(self) -> None:
        places = reward_checkpoints(hyperparameters_in(self._document), "training.hyperparameters")
        for place, arm in _mappings(self._document.get("arms")):
            places |= reward_checkpoints(hyperparameters_in(arm), f"arms.{place}.training.hyperparameters")
        for field_path, checkpoint in places.items():
            location = self._location(field_path, checkpoint)
            if location and location not in self.rewards:
                found = await self._found(field_path, self._inspector.models.take_reward_model(location))
                self.rewards |= {location: found} if found else {}

    async def _benchmarks(self) -> None:
        for place, benchmark in _mappings(self._document.get("benchmarks")):
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
            self._started[key] = asyncio.create_task(self._inspector.datasets.take(location, needs))
        return await self._started[key]

    async def _found(self, field_path: str, look_up: Awaitable[Found]) -> Found | None:
        try:
            return await look_up
        except Unusable as error:
            noted = self.away if isinstance(error, NotThereNow) else self.problems
            noted.append(error.as_problem(field_path))
            return None


def _mappings(value: Any) -> list[tuple[int, Mapping[str, Any]]]:
    if not isinstance(value, list):
        return []
    return [(place, entry) for place, entry in enumerate(value) if isinstance(entry, Mapping)]
