"""Memory of one process of a job, part by part, from a model's shape: what training and what generating hold.

Pure arithmetic in bytes and GiB; whether it fits is a comparison with what the process has.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, computed_field

from assay_schemas.cost.shape import ModelShape
from assay_schemas.parallelism import SINGLE, Parallelism

GIB = 2**30
MASTER_BYTES = 4  # weights and gradients are kept in float32 also where bfloat16 computes
ADAM_BYTES = 8  # two moments in float32
LOGIT_BYTES = 12  # logits in float32, their softmax and its gradient
LOGITS_AT_ONCE = 2**24  # the trainer's own limit: more are computed in parts, and again in the backward pass
Dtype = Literal["float32", "bfloat16"]


class Memory(BaseModel):
    """GiB of one process, the largest of a job's."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    weights_gib: float = 0.0
    gradients_gib: float = 0.0
    optimizer_gib: float = 0.0
    activations_gib: float = 0.0
    logits_gib: float = 0.0
    other_models_gib: float = 0.0
    cache_gib: float = 0.0
    engine_gib: float = 0.0
    process_gib: float = 0.0

    @computed_field  # type: ignore[prop-decorator]
    @property
    def total_gib(self) -> float:
        return (
            self.weights_gib
            + self.gradients_gib
            + self.optimizer_gib
            + self.activations_gib
            + self.logits_gib
            + self.other_models_gib
            + self.cache_gib
            + self.engine_gib
            + self.process_gib
        )


def bytes_of(dtype: Dtype) -> int:
    return 2 if dtype == "bfloat16" else 4


def held_parameters(shape: ModelShape, layout: Parallelism = SINGLE, *, sharded: bool = True) -> float:
    """Parameters that one process keeps, or whose shard. The largest stage of a pipeline has the embedding or the
    output. What is not sharded is whole on every process that sees other tokens, but for experts that are spread."""
    experts = shape.expert_parameters / (1 if sharded or shape.experts == 1 else layout.expert)
    layers = shape.attention_parameters + shape.shared_parameters + experts + shape.norm_parameters
    ends = shape.embedding_parameters + shape.head_parameters
    ends_here = ends if layout.pipeline == 1 else max(shape.embedding_parameters, shape.vocabulary * shape.hidden)
    return (layers / layout.pipeline + ends_here) / layout.tensor / (layout.sharding if sharded else 1)


def gathered_parameters(shape: ModelShape, layout: Parallelism = SINGLE, *, offloaded: bool = False) -> float:
    """Parameters that FSDP has gathered at a time beside its shards: two layers, or the embedding if larger.

    One process has nothing to gather, but for what it fetches from main memory."""
    if layout.sharding == 1 and not offloaded:
        return 0.0
    experts = shape.expert_parameters / layout.expert if shape.experts > 1 else shape.expert_parameters
    layer = (shape.attention_parameters + shape.shared_parameters + experts) / shape.layers
    return max(2.0 * layer, float(shape.vocabulary * shape.hidden)) / layout.tensor


def activation_elements_per_token(shape: ModelShape) -> float:
    """Numbers that one layer saves for its backward pass, per token (after Korthikanti et al. 2022, section 4.1,
    with attention that keeps no square matrix and a feed-forward layer as this model has it).

    Residual and normed input of both halves with the norm's own copy (6·H), queries and keys before and after
    rotation, values and the attended (3·A + 3·K), and the inner widths: gate, its activation, up and their product.
    """
    inner = 4 if shape.matrices == 3 else 2
    routed = inner * shape.feed_forward * shape.experts_per_token + inner * shape.shared_feed_forward
    return 6.0 * shape.hidden + 3.0 * shape.attention_width + 3.0 * shape.kv_width + routed


def training_memory(
    shape: ModelShape,
    *,
    tokens_per_pass: float,
    targets_per_pass: float,
    dtype: Dtype = "float32",
    lora_rank: int | None = None,
    layout: Parallelism = SINGLE,
    checkpointed: bool = False,
    offloaded: bool = False,
    sharded: bool = True,
    process_gib: float = 0.0,
) -> Memory:
    """Memory of a training process. `tokens_per_pass` are the tokens of one forward pass of one data rank,
    `targets_per_pass` those whose logits are computed. `offloaded`: shards rest in the machine's memory. Where
    weights are not `sharded`, the optimizer's state still is, over all processes that see other tokens."""
    held = held_parameters(shape, layout, sharded=sharded)
    adapters = shape.linear_parameters_of_rank_one * (lora_rank or 0) / layout.pipeline
    trained = held if lora_rank is None else adapters
    adapters_updated = adapters / (1 if sharded else layout.sharding)
    updated = held_parameters(shape, layout) if lora_rank is None else adapters_updated
    gathered = gathered_parameters(shape, layout, offloaded=offloaded) if sharded else 0.0
    working = gathered * MASTER_BYTES
    if dtype == "bfloat16":  # autocast keeps a 16-bit copy of each weight that has a gradient during a pass
        working += 2 * (gathered or held)
    resting = 0.0 if offloaded else held * MASTER_BYTES
    return Memory(
        weights_gib=(resting + adapters * MASTER_BYTES + working) / GIB,
        gradients_gib=(0.0 if offloaded else trained * MASTER_BYTES) / GIB,
        optimizer_gib=(0.0 if offloaded else updated * ADAM_BYTES) / GIB,
        activations_gib=_activation_bytes(shape, tokens_per_pass, dtype, layout, checkpointed) / GIB,
        logits_gib=LOGIT_BYTES * min(shape.vocabulary * targets_per_pass, float(LOGITS_AT_ONCE)) / GIB,
        process_gib=process_gib,
    )


def _activation_bytes(shape: ModelShape, tokens: float, dtype: Dtype, layout: Parallelism, checkpointed: bool) -> float:
    """Checkpointed layers keep their input alone, and one layer at a time is computed again."""
    here = tokens / layout.context
    layers = shape.layers / layout.pipeline
    one = activation_elements_per_token(shape) * here * bytes_of(dtype) / layout.tensor
    if not checkpointed:
        return layers * one
    return layers * shape.hidden * here * bytes_of(dtype) + one


def cache_bytes(shape: ModelShape, sequences: float, tokens: float, dtype: Dtype) -> float:
    """Keys and values of sequences that are generated side by side, `tokens` each."""
    return 2.0 * shape.layers * shape.kv_width * bytes_of(dtype) * sequences * tokens


def generation_memory(
    shape: ModelShape,
    *,
    sequences: float,
    tokens: float,
    dtype: Dtype,
    tensor: int = 1,
    process_gib: float = 0.0,
) -> Memory:
    """Memory of evaluating: weights in `dtype`, the cache, and the logits of one position of each sequence."""
    return Memory(
        weights_gib=shape.parameters * bytes_of(dtype) / tensor / GIB,
        cache_gib=cache_bytes(shape, sequences, tokens, dtype) / tensor / GIB,
        activations_gib=activation_elements_per_token(shape) * sequences * tokens * bytes_of(dtype) / tensor / GIB,
        logits_gib=4 * shape.vocabulary * sequences / GIB,
        process_gib=process_gib,
    )
