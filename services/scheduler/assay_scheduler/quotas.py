"""Owners' quotas: the most that the jobs of one owner may hold at once, read from the operator's file.

Never says what is held; admission does.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml
from assay_chassis.errors import Misconfigured
from assay_schemas.experiments import ExperimentSpec, Hardware
from assay_schemas.problems import Problem, in_one_line
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from assay_scheduler.planner import hardware_of
from assay_scheduler.policy import UNLIMITED, Resources, never_fits, quota_of


class OwnerQuota(BaseModel):
    """What is left out has no limit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cpus: float = Field(default=UNLIMITED, gt=0)
    gpus: float = Field(default=UNLIMITED, ge=0)
    memory_gib: float = Field(default=UNLIMITED, gt=0)


_QUOTAS: TypeAdapter[dict[str, OwnerQuota]] = TypeAdapter(dict[str, OwnerQuota])


def read_quotas(path: Path | None) -> dict[str, Resources]:
    """Quotas by owner, `*` for everybody not named; none without a file. Raises Misconfigured."""
    if path is None:
        return {}
    try:
        found = _QUOTAS.validate_python(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except (OSError, yaml.YAMLError) as error:
        raise Misconfigured(f"ASSAY_OWNER_QUOTAS_FILE: {error}; correct the file, or leave it out") from error
    except ValidationError as error:
        raise Misconfigured(f"ASSAY_OWNER_QUOTAS_FILE: {path}: {in_one_line(error)}") from error
    return {owner: Resources(quota.cpus, quota.gpus, quota.memory_gib) for owner, quota in found.items()}


def over_quota(spec: ExperimentSpec, owner: str, quotas: Mapping[str, Resources]) -> list[Problem]:
    """What one job of an experiment asks for that its owner may never hold."""
    fields = {"hardware": "training"} | ({"evaluation_hardware": "eval"} if spec.evaluation_hardware else {})
    pairs = [(field, hardware_of(spec, kind)) for field, kind in fields.items()]
    return [problem for field, hardware in pairs for problem in beyond_quota(field, hardware, owner, quotas)]


def beyond_quota(field: str, hardware: Hardware, owner: str, quotas: Mapping[str, Resources]) -> list[Problem]:
    """What one job asks for that its owner may never hold; `field` is where its hardware stands in the request."""
    problems = []
    for name, asked, most in never_fits(hardware, quota_of(owner, quotas)):
        message = f"asks for {asked:g}, and the quota of owner {owner} is {most:g}."
        mend = f"Ask for at most {most:g}, or have the quota raised (ASSAY_OWNER_QUOTAS_FILE)."
        problems.append(Problem(field=f"{field}.{name}", message=message, mend=mend))
    return problems
