"""`python -m assay_trainer.merge`: a base model and an adapter in PEFT's format to one plain model, where it is wanted.

Checkpoints hold the merged model already; this is for adapters that were kept alone. Never changes its inputs.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assay_chassis.job_service.failures import JobFailed
from assay_schemas.algorithms import Lora
from pydantic import BaseModel, ConfigDict, ValidationError

from assay_trainer.errors import BadInput

EXAMPLE = "example: python -m assay_trainer.merge --base models/llama --adapter checkpoint/adapter --output merged"


class AdapterFile(BaseModel):
    """What of PEFT's `adapter_config.json` decides how an adapter is merged."""

    model_config = ConfigDict(extra="ignore")

    r: int
    lora_alpha: float
    task_type: str | None = None
    bias: str = "none"
    use_dora: bool = False
    use_rslora: bool = False
    fan_in_fan_out: bool = False
    rank_pattern: dict[str, int] = {}
    alpha_pattern: dict[str, float] = {}

    def refused(self) -> list[str]:
        """What it asks that is not plain low-rank adaptation."""
        plain = AdapterFile(r=self.r, lora_alpha=self.lora_alpha, task_type=self.task_type)
        return [name for name, value in self if value != getattr(plain, name)]


def merge(base: Path, adapter: Path, output: Path, dtype: str = "float32") -> None:
    """Write base weights with the adapter's change added, W + (alpha / r) B A, and the base's tokenizer files.

    Raises BadInput where either folder cannot be read, or the adapter is of another kind or for another model."""
    import torch

    from assay_trainer.checkpoints.export import export_model
    from assay_trainer.lora import add_adapters, load_adapters, merged
    from assay_trainer.model import load, load_tokenizer, padding_id_of

    described, tensors = _read(adapter)
    kind = "sequence_classification" if described.task_type == "SEQ_CLS" else "causal_lm"
    padding_id = padding_id_of(load_tokenizer(base))
    model: Any = load(kind, base, torch.device("cpu"), padding_id, 0)  # type: ignore[arg-type]
    names = sorted({name.rpartition(".lora_")[0].rpartition(".")[2] for name in tensors if ".lora_" in name})
    add_adapters(model, Lora(rank=described.r, alpha=described.lora_alpha, target_modules=names))
    try:
        load_adapters(model, tensors)
    except (KeyError, RuntimeError) as error:
        raise BadInput(f"adapter: does not fit this base model ({error}); give the one it was trained on") from error
    output.mkdir(parents=True, exist_ok=True)
    with merged(model):
        export_model(model.to(getattr(torch, dtype)), None, base, output)


def _read(adapter: Path) -> tuple[AdapterFile, dict[str, Any]]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        described = AdapterFile.model_validate(json.loads((adapter / "adapter_config.json").read_bytes()))
        tensors = load_file(adapter / "adapter_model.safetensors")
    except (OSError, ValueError, ValidationError, SafetensorError) as error:
        raise BadInput(f"adapter: {adapter} cannot be read ({error}); give a folder that PEFT loads") from error
    if described.refused():
        raise BadInput(f"adapter: has {', '.join(described.refused())}; only plain LoRA is merged here, use PEFT")
    return described, tensors


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m assay_trainer.merge", description=(__doc__ or "").splitlines()[0], epilog=EXAMPLE
    )
    parser.add_argument("--base", type=Path, required=True, help="folder of the model that the adapter was trained on")
    parser.add_argument("--adapter", type=Path, required=True, help="folder with adapter_config.json")
    parser.add_argument("--output", type=Path, required=True, help="folder to write, which must be empty or new")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32", help="of what is written")
    given = parser.parse_args(arguments)
    if given.output.is_dir() and any(given.output.iterdir()):
        print(f"output: {given.output} is not empty; give another folder", file=sys.stderr)
        return 1
    try:
        merge(given.base, given.adapter, given.output, given.dtype)
    except JobFailed as error:
        print(error, file=sys.stderr)
        return 1
    print(f"merged model in {given.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
