"""Standard hardware by the size of a model, as data: what jobs get where a specification names none.
Never overrides what is given; whether a job fits is the estimate's to say."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from assay_schemas.experiments import Hardware
from assay_schemas.problems import in_one_line

SHIPPED = Path(__file__).with_suffix(".yaml")


class HardwareTableUnreadable(ValueError):
    """A table of standard hardware cannot be read; the message names the file and the field."""


class StandardHardware(BaseModel):
    """For models of at most `up_to_parameters`: what a training run, one with adapters, and an eval get."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    up_to_parameters: float = Field(gt=0)
    training: Hardware
    adapters: Hardware
    evaluation: Hardware


class HardwareTable(BaseModel):
    """All sizes, the smallest first. Models under `from_parameters` get the specification's own default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    from_parameters: float = Field(gt=0)
    sizes: tuple[StandardHardware, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _grow(self) -> Self:
        limits = [self.from_parameters, *(size.up_to_parameters for size in self.sizes)]
        if limits != sorted(limits):
            raise ValueError("from_parameters and each size's up_to_parameters must grow from size to size")
        return self

    def size_of(self, parameters: int) -> StandardHardware | None:
        """The smallest size that takes a model of so many parameters; None for one too small or too large."""
        if parameters < self.from_parameters:
            return None
        return next((size for size in self.sizes if parameters <= size.up_to_parameters), None)


@cache
def hardware_table(path: Path = SHIPPED) -> HardwareTable:
    """A table from a YAML file. Raises HardwareTableUnreadable."""
    try:
        return HardwareTable.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError) as error:
        raise HardwareTableUnreadable(f"{path}: {error}") from error
    except ValidationError as error:
        raise HardwareTableUnreadable(f"{path}: {in_one_line(error)}") from error
