"""Tensor parallelism: which matrices of a Llama-like model are split by columns, which by rows (DTensor).

The plan of Shoeybi et al. 2019, section 3: attention by heads, feed-forward by inner features, the vocabulary over
embedding and output. Norms and biases of row-split layers are whole on every process.
"""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import Replicate
from torch.distributed.tensor.parallel import ColwiseParallel, ParallelStyle, RowwiseParallel, parallelize_module

from assay_trainer.errors import BadInput

COLUMNS = ("q_proj", "k_proj", "v_proj", "gate_proj", "up_proj")
ROWS = ("o_proj", "down_proj")


def split_matrices(model: Any, mesh: DeviceMesh) -> None:
    """Split the model's matrices over `mesh`, in place. Raises BadInput where it cannot be split that way."""
    check(model.config, mesh.size())
    decoder = model.get_decoder()
    for layer in decoder.layers:
        plan = _layer_plan(layer)
        if not plan:
            raise BadInput(
                f"hardware.parallelism.tensor: the layers of {type(model).__name__} are not known; set it to 1"
            )
        parallelize_module(layer, mesh, plan)
    if model.config.vocab_size % mesh.size():
        return  # embedding and output stay whole
    ends: dict[str, ParallelStyle] = {}
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    for name, module in model.named_modules():
        if module is embedding:
            ends[name] = RowwiseParallel(input_layouts=Replicate(), output_layouts=Replicate())
        elif module is head:
            ends[name] = ColwiseParallel(output_layouts=Replicate())
    tied = head is not None and embedding.weight is head.weight
    parallelize_module(model, mesh, ends)
    if tied:
        head.weight = embedding.weight


def _layer_plan(layer: nn.Module) -> dict[str, ParallelStyle]:
    plan: dict[str, ParallelStyle] = {}
    for name, module in layer.named_modules():
        last = name.rpartition(".")[2]
        if isinstance(module, nn.Linear) and last in COLUMNS:
            plan[name] = ColwiseParallel()
        elif isinstance(module, nn.Linear) and last in ROWS:
            plan[name] = RowwiseParallel()
    return plan


def check(config: Any, degree: int) -> None:
    """Raises BadInput where heads or inner features do not divide evenly."""
    if getattr(config, "num_local_experts", None) or getattr(config, "num_experts", None):
        raise BadInput("hardware.parallelism.tensor: experts are not split by columns; use expert parallelism instead")
    for name in ("num_attention_heads", "num_key_value_heads", "intermediate_size"):
        number = getattr(config, name, None)
        if not number or number % degree:
            raise BadInput(f"hardware.parallelism.tensor: {degree} does not divide the model's {name} ({number})")
