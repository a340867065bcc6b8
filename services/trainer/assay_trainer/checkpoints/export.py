"""A model in training as files in a local folder: plain Hugging Face, and the adapter in PEFT's format.

Leaves the model as it was, to the bit.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path
from typing import Any

from assay_schemas.algorithms import Lora
from safetensors.torch import save_file

from assay_trainer.checkpoints.layout import ADAPTER, OPTIMIZER, OWN
from assay_trainer.lora import adapter_config, adapter_tensors, merged
from assay_trainer.optimizer import optimizer_tensors
from assay_trainer.stepper import Stepping

NOT_COPIED = ("config.json", "generation_config.json")
COPIED_SUFFIXES = {".json", ".txt", ".model", ".jinja"}
LARGEST_SHARD = "50GB"


def export_model(model: Any, lora: Lora | None, base: Path, folder: Path) -> None:
    """Write config, weights (adapters merged in) and the base's tokenizer files, and the adapter beside them."""
    with merged(model) if lora else contextlib.nullcontext():
        model.save_pretrained(folder, safe_serialization=True, max_shard_size=LARGEST_SHARD)
    for path in base.iterdir():
        if path.suffix in COPIED_SUFFIXES and path.name not in NOT_COPIED and ".safetensors." not in path.name:
            shutil.copyfile(path, folder / path.name)
    if lora:
        _export_adapter(model, lora, folder / ADAPTER)


def _export_adapter(model: Any, lora: Lora, folder: Path) -> None:
    folder.mkdir()
    config = adapter_config(model, lora, str(model.config.name_or_path or ""))
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2, sort_keys=True))
    tensors = {name: tensor.contiguous() for name, tensor in adapter_tensors(model).items()}
    save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})


def export_state(stepper: Stepping, folder: Path) -> None:
    """Write the optimizer's state and what else the stepper needs to go on, as tensors by name."""
    folder.mkdir(parents=True)
    found = {OPTIMIZER: optimizer_tensors(stepper.model, stepper.optimizer), OWN: stepper.own_tensors()}
    for file, tensors in found.items():
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / file)
