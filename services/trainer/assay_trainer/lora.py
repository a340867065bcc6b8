"""Low-rank adapters (Hu et al. 2021): put on, saved in PEFT's format, and merged for export.

Never changes the base model's weights, so taking a merged export leaves training where it was.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from assay_schemas.algorithms import Lora
from torch import Tensor, nn

from assay_trainer.errors import BadInput
from assay_trainer.model import HEAD

PREFIX = "base_model.model."


class LoraLinear(nn.Module):
    """y = W x + (alpha / rank) B A dropout(x), with W frozen. A: (R, in), B: (out, R)."""

    def __init__(self, base: nn.Linear, lora: Lora) -> None:
        super().__init__()
        self.base = base
        self.scale = lora.alpha / lora.rank
        self.dropout = nn.Dropout(lora.dropout)
        options: dict[str, Any] = {"dtype": torch.float32, "device": base.weight.device}
        self.lora_A = nn.Parameter(torch.empty(lora.rank, base.in_features, **options))
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, lora.rank, **options))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        low = F.linear(self.dropout(x).to(self.lora_A.dtype), self.lora_A)
        plain: Tensor = self.base(x)
        return plain + (self.scale * F.linear(low, self.lora_B)).to(plain.dtype)

    def merged(self) -> nn.Linear:
        """A plain layer that computes the same."""
        weight = self.base.weight
        change = self.scale * (self.lora_B @ self.lora_A)
        layer = nn.Linear(self.base.in_features, self.base.out_features, bias=False, device="meta")
        layer.weight = nn.Parameter(weight + change.to(weight.dtype), requires_grad=False)
        layer.bias = self.base.bias
        return layer


def add_adapters(model: Any, lora: Lora) -> None:
    """Freeze the model and put adapters on the target modules, initialised from torch's generator.

    A scorer's head is new, so it is trained whole. Raises BadInput where no module has a target's name.
    """
    targets = [name for name, module in model.named_modules() if _is_target(model, name, module, lora)]
    if not targets:
        linear = {name.rpartition(".")[2] for name, module in model.named_modules() if isinstance(module, nn.Linear)}
        raise BadInput(
            f"hyperparameters.lora.target_modules: none of {lora.target_modules} is a linear layer of the model; "
            f"it has {', '.join(sorted(linear))}"
        )
    model.requires_grad_(False)
    for parameter in _head(model).values():
        parameter.requires_grad_(True)
    for name in targets:
        _replace(model, name, LoraLinear(model.get_submodule(name), lora))


def _is_target(model: Any, name: str, module: nn.Module, lora: Lora) -> bool:
    if not isinstance(module, nn.Linear) or module is model.get_output_embeddings() or name == HEAD:
        return False
    return lora.target_modules == "all-linear" or name.rpartition(".")[2] in lora.target_modules


def _replace(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, module)


def adapted(model: nn.Module) -> dict[str, LoraLinear]:
    """The adapted layers by their name in the base model."""
    return {name: module for name, module in model.named_modules() if isinstance(module, LoraLinear)}


def _head(model: nn.Module) -> dict[str, nn.Parameter]:
    """The weights of a scorer's head by their name in the model; none of a causal model."""
    return {name: parameter for name, parameter in model.named_parameters() if name.startswith(f"{HEAD}.")}


@contextlib.contextmanager
def merged(model: nn.Module) -> Iterator[None]:
    """Within: the model has plain layers with the adapters merged in. After: as it was, to the bit."""
    with torch.no_grad():
        plain = {name: layer.merged() for name, layer in adapted(model).items()}
    with _replaced(model, plain):
        yield


@contextlib.contextmanager
def without_adapters(model: nn.Module) -> Iterator[None]:
    """Within: the base model alone. After: as it was, to the bit."""
    with _replaced(model, {name: layer.base for name, layer in adapted(model).items()}):
        yield


@contextlib.contextmanager
def _replaced(model: nn.Module, plain: dict[str, nn.Linear]) -> Iterator[None]:
    layers = adapted(model)
    for name, layer in plain.items():
        _replace(model, name, layer)
    try:
        yield
    finally:
        for name, adapter in layers.items():
            _replace(model, name, adapter)


def adapter_tensors(model: nn.Module) -> dict[str, Tensor]:
    """The adapters' weights, and those of a scorer's head, under the names PEFT gives them."""
    tensors: dict[str, Tensor] = {}
    for name, layer in adapted(model).items():
        tensors[f"{PREFIX}{name}.lora_A.weight"] = layer.lora_A.detach()
        tensors[f"{PREFIX}{name}.lora_B.weight"] = layer.lora_B.detach()
    return tensors | {f"{PREFIX}{name}": parameter.detach() for name, parameter in _head(model).items()}


def adapter_config(model: nn.Module, lora: Lora, base_model: str) -> dict[str, Any]:
    """PEFT's `adapter_config.json` for these adapters."""
    return {
        "peft_type": "LORA",
        "task_type": "SEQ_CLS" if _head(model) else "CAUSAL_LM",
        "modules_to_save": [HEAD] if _head(model) else None,
        "base_model_name_or_path": base_model,
        "r": lora.rank,
        "lora_alpha": lora.alpha,
        "lora_dropout": lora.dropout,
        "target_modules": sorted({name.rpartition(".")[2] for name in adapted(model)}),
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "init_lora_weights": True,
    }


def load_adapters(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Put back what `adapter_tensors` gave."""
    with torch.no_grad():
        for name, tensor in adapter_tensors(model).items():
            tensor.copy_(tensors[name])
