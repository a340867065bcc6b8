"""How much of its devices a run uses: the operations that its steps stand for, against what the devices could do.

Counts from the model's shape; never measures a device.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from assay_schemas.algorithms import Hyperparameters
from assay_schemas.cost.flops import training_flops
from assay_schemas.cost.hardware import device_named
from assay_schemas.cost.shape import ModelShape, shape_of
from assay_schemas.experiments import Hardware


@dataclass(frozen=True)
class Work:
    """What is trained, and the operations a second that all devices together could do; None: not known."""

    shape: ModelShape
    lora_rank: int | None
    peak_flops_per_s: float | None

    def flops(self, lengths: Sequence[int]) -> float:
        """Model operations of forward and backward passes over these sequences (lengths in tokens).

        Without what activation checkpointing computes again, and without sampling (Chowdhery et al. 2022, PaLM,
        appendix B: model FLOPs)."""
        return training_flops(self.shape, lengths, lora_rank=self.lora_rank)

    def utilisation(self, flops: float, seconds: float) -> float | None:
        """MFU: the share of the devices' peak that the model's own operations used."""
        return flops / seconds / self.peak_flops_per_s if self.peak_flops_per_s else None


def work_of(base: Path, hardware: Hardware, hyperparameters: Hyperparameters, device: torch.device) -> Work | None:
    """None for an architecture whose operations are not known here. Processors have no peak."""
    shape = shape_of(json.loads((base / "config.json").read_text(encoding="utf-8")))
    if shape is None:
        return None
    known = device_named(torch.cuda.get_device_name(device)) if device.type == "cuda" else None
    peak = None
    if known is not None:
        bfloat16 = hyperparameters.dtype == "bfloat16"
        each = known.bfloat16_flops_per_s if bfloat16 else known.float32_flops_per_s
        peak = each * max(1, hardware.gpus) * hardware.nodes
    return Work(shape, hyperparameters.lora.rank if hyperparameters.lora else None, peak)
