"""Versions of the training engine and of the evaluation harness: those that come with the services, and others that
an operator has put beside them and declared in a file. Never looks into an environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from assay_schemas.algorithms import ENGINE_VERSIONS
from assay_schemas.benchmarks import HARNESS_VERSIONS
from assay_schemas.problems import in_one_line

VARIABLE = "ASSAY_VERSIONS_FILE"
VersionKind = Literal["engine", "harness"]
LIBRARIES: Mapping[VersionKind, tuple[str, ...]] = {
    "engine": ("torch", "transformers", "tokenizers", "safetensors", "assay-trainer"),
    "harness": ("lm_eval", "torch", "transformers", "tokenizers", "datasets", "numpy"),
}
"""What computes a result of either kind, as every description and manifest names it."""

VersionName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,62}$")]


class VersionsUnreadable(ValueError):
    """The file of versions cannot be read; the message says what is wrong with it."""


class Environment(BaseModel):
    """Where one version is: the interpreter that has it (absolute path, on every machine that runs jobs), the image
    on a cluster, and what it computes with. Without either it is the services' own.

    `comparable_with` are other versions whose results stand beside this one's, as its changelog says.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    python: Path | None = None
    image: str | None = None
    libraries: dict[str, str] = Field(default_factory=dict)
    comparable_with: tuple[str, ...] = ()


class Described(BaseModel):
    """What an environment says of itself when it is asked (`python -m assay_trainer.version`)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: VersionKind
    version: VersionName
    libraries: dict[str, str] = Field(default_factory=dict)
    comparable_with: tuple[str, ...] = ()


class Versions(BaseModel):
    """Every version that may be asked for, by its name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    engines: dict[VersionName, Environment] = Field(default_factory=dict)
    harnesses: dict[VersionName, Environment] = Field(default_factory=dict)

    def of(self, kind: VersionKind) -> Mapping[str, Environment]:
        return self.engines if kind == "engine" else self.harnesses

    def with_one(self, described: Described, environment: Environment) -> Versions:
        """The same with one more, or in place of one of that name."""
        name = "engines" if described.kind == "engine" else "harnesses"
        return self.model_copy(update={name: {**self.of(described.kind), described.version: environment}})

    def without(self, kind: VersionKind, version: str) -> Versions:
        """The same without one."""
        left = {name: one for name, one in self.of(kind).items() if name != version}
        return self.model_copy(update={"engines" if kind == "engine" else "harnesses": left})

    def comparable(self, kind: VersionKind, one: str, other: str) -> bool:
        """Whether results of two versions stand beside each other."""
        found = self.of(kind)
        said = [found[name].comparable_with if name in found else () for name in (one, other)]
        return one == other or other in said[0] or one in said[1]


SHIPPED = Versions(
    engines={version: Environment() for version in ENGINE_VERSIONS},
    harnesses={version: Environment() for version in HARNESS_VERSIONS},
)


def declared_versions(path: Path | None) -> Versions:
    """What the operator's JSON file declares; nothing without a file. Raises VersionsUnreadable."""
    if path is None or not path.exists():
        return Versions()
    try:
        return Versions.model_validate_json(path.read_bytes())
    except OSError as error:
        raise VersionsUnreadable(f"{VARIABLE}: {error}") from error
    except ValidationError as error:
        raise VersionsUnreadable(f"{VARIABLE}: {path}: {in_one_line(error)}") from error


def available_versions(path: Path | None) -> Versions:
    """Those that come with the services and those that are declared; the services' own are never replaced.

    Raises VersionsUnreadable."""
    declared = declared_versions(path)
    return Versions(
        engines={**declared.engines, **SHIPPED.engines}, harnesses={**declared.harnesses, **SHIPPED.harnesses}
    )
