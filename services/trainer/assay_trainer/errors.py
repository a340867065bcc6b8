"""The ends of a training run that are the run's own, as classes people can search for.

Each message names the field and how to mend it; never raised for a fault of the platform.
"""

from __future__ import annotations

from collections.abc import Sequence

from assay_chassis.job_service.failures import JobFailed

SHOWN_ROWS = 20


class BadInput(JobFailed):
    """The data, model or configuration cannot be trained with; trying again changes nothing."""

    def __init__(self, message: str) -> None:
        super().__init__("bad_input", message, retryable=False)


class Diverged(JobFailed):
    """The loss or the gradient was not finite for as many steps in a row as the configuration allows."""

    def __init__(self, step: int, row_ids: Sequence[str], learning_rate: float) -> None:
        rows = ", ".join(row_ids[:SHOWN_ROWS]) + (", …" if len(row_ids) > SHOWN_ROWS else "")
        super().__init__(
            "diverged",
            f"loss or gradient not finite at step {step}, rows {rows}; lower hyperparameters.learning_rate "
            f"(now {learning_rate:g}), or look at these rows",
        )


class OutOfMemory(JobFailed):
    """An allocation failed; the same job would fail again."""

    def __init__(self, step: int, tokens: int) -> None:
        super().__init__(
            "out_of_memory",
            f"no memory left at step {step} with {tokens} tokens in the batch; lower "
            "hyperparameters.micro_batch_size or max_length, set hardware.activation_checkpointing, or raise "
            "hardware.memory_gib",
        )


class OutOfMemoryBetweenSteps(JobFailed):
    """An allocation failed while a model was loaded, held-out rows were read, or a checkpoint was taken."""

    def __init__(self) -> None:
        super().__init__(
            "out_of_memory",
            "no memory left to load the models, to validate or to save; raise hardware.memory_gib or hardware.gpus, "
            "lower hyperparameters.micro_batch_size, or train with hyperparameters.lora",
        )


class Interrupted(JobFailed):
    """The run was told to stop; it saved its state first and goes on from there in the next attempt."""

    def __init__(self, step: int) -> None:
        super().__init__("interrupted", f"told to stop after step {step}, which is saved", retryable=True)


class RolloutEngineLost(JobFailed):
    """The engine that samples for online training ended or broke; the run can go on from its last checkpoint."""

    def __init__(self, engine: str, reason: str) -> None:
        super().__init__(
            "rollout_engine_lost",
            f"the rollout engine {engine} failed ({reason}); the next attempt goes on from the last checkpoint. If it "
            "fails again, set hyperparameters.rollout_engine to transformers",
            retryable=True,
        )
