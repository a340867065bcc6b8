"""Hardware for an experiment that names none: the standard for its model's size.

Pure. What is given is never changed, and whether the standard fits is the estimate's to say.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from assay_schemas.cost.shape import ModelShape
from assay_schemas.experiments import ExperimentSpec, Hardware
from assay_schemas.problems import Problem
from assay_schemas.resolved import hyperparameters_of
from assay_schemas.standard_hardware import HardwareTable


@dataclass
class Equipped:
    """The specification with its hardware, what to tell people of it, and what is wrong with it."""

    spec: ExperimentSpec
    words: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def standard_hardware(spec: ExperimentSpec, shape: ModelShape | None, table: HardwareTable) -> Equipped:
    """Fills in `hardware` and `evaluation_hardware` where the specification gives neither."""
    if "hardware" in spec.model_fields_set or shape is None or shape.parameters < table.from_parameters:
        return Equipped(spec)
    size = table.size_of(shape.parameters)
    if size is None:
        message = f"is not given, and no standard is for a model of {shape.parameters / 1e9:.1f} billion parameters."
        mend = f"Give it; the largest standard is for {table.sizes[-1].up_to_parameters / 1e9:g} billion."
        return Equipped(spec, problems=[Problem(field="hardware", message=message, mend=mend)])
    adapters = hyperparameters_of(spec).lora is not None
    training = size.adapters if adapters else size.training
    evaluation = spec.evaluation_hardware or size.evaluation
    words = (
        f"hardware was not given: the standard for {size.name} models is used, {in_words(training)} for training"
        f"{' with adapters' if adapters else ''} and {in_words(evaluation)} for an evaluation."
    )
    return Equipped(spec.model_copy(update={"hardware": training, "evaluation_hardware": evaluation}), [words])


def in_words(hardware: Hardware) -> str:
    """Such as `2 machines of 8 NVIDIA-H200`."""
    devices = f"{hardware.gpus} {hardware.gpu_type or 'GPUs'}" if hardware.gpus else f"{hardware.cpus:g} cores"
    return devices if hardware.nodes == 1 else f"{hardware.nodes} machines of {devices}"
