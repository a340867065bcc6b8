"""What vLLM holds where it generates: the share of a GPU that it is given, or its copy and its cache on processors.

Trainer and evaluator open it with these figures; nothing here imports it.
"""

from __future__ import annotations

from assay_schemas.cost.machine import Machine
from assay_schemas.cost.memory import GIB, Dtype, bytes_of
from assay_schemas.cost.shape import ModelShape

SHARE_BESIDE_TRAINING = 0.3
"""Of a GPU, for the weights, cache and activations of an engine that shares it with the model in training."""
SHARE_ALONE = 0.9
CPU_CACHE_GIB = 1
"""What VLLM_CPU_KVCACHE_SPACE is, unless the operator sets another."""
LIBRARY_GIB = 0.4
"""vLLM and what it brings, imported beside torch and transformers (measured with 0.32 on processors)."""


def engine_gib(shape: ModelShape, dtype: Dtype, machine: Machine, share: float) -> float:
    """Memory of the engine in one process. It holds the model whole, however the trainer has split it; a GPU's `share`
    is taken whole, since what weights and activations leave of it becomes cache."""
    weights = shape.parameters * bytes_of(dtype) / GIB
    if machine.on_gpu:
        return max(weights, share * machine.device_gib)
    return weights + CPU_CACHE_GIB + LIBRARY_GIB
