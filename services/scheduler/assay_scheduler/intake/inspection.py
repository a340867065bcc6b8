"""Looks at everything an experiment names, and finds every problem at once, or what planning needs.

Reads the raw document too, so that a broken specification still has its locations looked up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from assay_schemas.artifacts import ModelRef
from assay_schemas.comparability import version_warnings
from assay_schemas.experiments import ExperimentSpec
from assay_schemas.problems import WHOLE_DOCUMENT, Problem
from assay_schemas.specification import Reading, not_yet_available, read_specification
from assay_schemas.versions import VersionsUnreadable

from assay_scheduler.findings import Findings
from assay_scheduler.intake.beyond import (
    Benchmarks,
    bulky,
    hardware_beyond,
    mappings_in,
    missing_engines,
    on_blind_engines,
    showing_images,
)
from assay_scheduler.intake.datasets import DatasetIntake
from assay_scheduler.intake.equipping import Equipped, standard_hardware
from assay_scheduler.intake.installation import Installation
from assay_scheduler.intake.look_ups import LookUps
from assay_scheduler.intake.models import ModelIntake


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
    """Inspects documents, each against what the installation has to offer."""

    def __init__(self, datasets: DatasetIntake, models: ModelIntake, installation: Installation) -> None:
        self.datasets = datasets
        self.models = models
        self.installation = installation

    async def inspect(self, document: Mapping[str, Any], dataschema: str = "") -> Inspection:
        """Everything that is wrong with a document, or its specification with what it refers to."""
        reading = self.reading(document, dataschema)
        known = {problem.field for problem in reading.problems}
        look_up = LookUps(self.datasets, self.models, self.installation.endpoints, document, known)
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
        engine = self.installation.rollout_engine
        findings = Findings(look_up.model, arms, look_up.items, look_up.rewards, engine, references)
        warnings = [*reading.warnings, *equipped.words]
        return Inspection(equipped.spec, findings, warnings=warnings)

    def reading(self, document: Mapping[str, Any], dataschema: str = "") -> Reading:
        """What a document says by the versions there are now; a file of theirs that is broken is its one problem."""
        try:
            versions = self.installation.versions()
        except VersionsUnreadable as error:
            problem = Problem(field=WHOLE_DOCUMENT, message=f"cannot be read now: {error}.", mend="Mend that file.")
            return Reading(None, [problem])
        found = read_specification(document, dataschema, versions)
        more = version_warnings(found.spec, versions) if found.spec else []
        return replace(found, warnings=[*found.warnings, *more])

    async def equipped(self, spec: ExperimentSpec, model: ModelRef) -> Equipped:
        """The specification with standard hardware where it gives none, checked against what there is."""
        found = standard_hardware(spec, await self.models.shape(model), self.installation.standard_hardware)
        if found.spec.hardware != spec.hardware:
            found.problems += hardware_beyond(found.spec.hardware, self.installation)
        if found.spec.evaluation_hardware is not None:
            found.problems += hardware_beyond(
                found.spec.evaluation_hardware, self.installation, field="evaluation_hardware"
            )
        return found

    async def _independent_problems(
        self, document: Mapping[str, Any], model: ModelRef | None, known: set[str]
    ) -> list[Problem]:
        """What this system cannot do, each part looked at by itself: what is wrong elsewhere hides none of it."""
        benchmarks, apart = mappings_in(document.get("benchmarks")), document.get("evaluation_hardware")
        found = [
            *hardware_beyond(document.get("hardware"), self.installation),
            *(hardware_beyond(apart, self.installation, field="evaluation_hardware") if apart is not None else []),
            *bulky(document),
            *missing_engines(benchmarks, self.installation.evaluation_engines),
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
