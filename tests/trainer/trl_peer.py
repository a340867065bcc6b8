"""TRL's trainers on the same model, rows and order as ours, in float32, and what came of every step.

Options that make the two equal: rows in the given order, no weight decay, no gradient clipping or checkpointing,
dropout off, one process, the reference model computed in each step, truncation from the right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.trl_options import NO_MORE

OPTIONS = {**NO_MORE, "lr_scheduler_type": "cosine", "warmup_steps": 0, "weight_decay": 0.0, "max_grad_norm": 0.0}


@dataclass(frozen=True)
class Run:
    """The loss of each step, the first step's gradient, and the weights at the end; tensors by parameter name."""

    losses: list[float]
    gradient: dict[str, Any]
    weights: dict[str, Any]


def run_trl(
    algorithm: str, model: Any, tokenizer: Any, rows: Sequence[dict[str, Any]], folder: Path, **options: Any
) -> Run:
    """Train `model` on the rows as they lie."""
    import datasets
    import torch
    import trl
    from transformers import TrainerCallback

    datasets.disable_progress_bars()
    name = {"SFT": "SFT", "DPO": "DPO", "REWARD": "Reward"}[algorithm]
    gradients: list[dict[str, Any]] = []

    class Gradients(TrainerCallback):  # type: ignore[misc]
        def on_pre_optimizer_step(self, *_: Any, model: Any = None, **__: Any) -> None:
            gradients.append({key: parameter.grad.clone() for key, parameter in model.named_parameters()})

    class InOrder(getattr(trl, f"{name}Trainer")):  # type: ignore[misc]
        def _get_train_sampler(self, *_: Any) -> Any:
            return torch.utils.data.SequentialSampler(self.train_dataset)

    config = getattr(trl, f"{name}Config")(output_dir=str(folder), **OPTIONS, **options)
    trainer = InOrder(
        model=model,
        args=config,
        train_dataset=datasets.Dataset.from_list([dict(row) for row in rows]),
        processing_class=tokenizer,
        callbacks=[Gradients()],
    )
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return Run(losses, gradients[0], dict(model.state_dict()))


def run_ours(algorithm: Any, stepper: Any, batches: Sequence[Sequence[Any]]) -> Run:
    """Train with our stepper."""
    import torch
    from assay_trainer.data.packing import passes

    for part in passes(batches[0], None):
        loss = algorithm.loss(stepper.model.train(), part, torch.device("cpu")).total
        (loss / sum(example.weight for example in batches[0])).backward()
    gradient = {name: parameter.grad.clone() for name, parameter in stepper.model.named_parameters()}
    stepper.optimizer.zero_grad(set_to_none=True)
    losses = [stepper.step(number, len(batches), batch).loss for number, batch in enumerate(batches)]
    return Run(losses, gradient, dict(stepper.model.state_dict()))


def distance(ours: dict[str, Any], theirs: dict[str, Any]) -> float:
    """The norm of the difference over the norm of theirs, all tensors as one vector, in float64."""
    apart = sum(float((ours[name].double() - theirs[name].double()).square().sum()) for name in theirs)
    return float((apart / sum(float(tensor.double().square().sum()) for tensor in theirs.values())) ** 0.5)
