"""A model's shape from its config.json: layers, widths, and the parameters of each kind of layer.

Pure; reads no weights, so a model of any size is described from a few hundred bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

GATED_FAMILIES = (
    "llama",
    "mistral",
    "mixtral",
    "qwen2",
    "qwen2_moe",
    "qwen3",
    "qwen3_moe",
    "gemma",
    "gemma2",
    "phi3",
    "olmo",
    "olmo2",
    "smollm3",
)
BIASED_QUERIES = ("qwen2", "qwen2_moe")
NORMED_HEADS = ("qwen3", "qwen3_moe", "olmo2")
ALWAYS_ROUTED = ("mixtral", "qwen2_moe", "qwen3_moe")


class ModelShape(BaseModel):
    """A decoder-only transformer. `experts` is 1 for a dense model; widths are numbers of features."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    family: str
    layers: int = Field(ge=1)
    hidden: int = Field(ge=1)
    heads: int = Field(ge=1)
    kv_heads: int = Field(ge=1)
    head_dim: int = Field(ge=1)
    feed_forward: int = Field(ge=1, description="inner width of one expert, or of the dense layer")
    matrices: int = Field(default=3, description="matrices of a feed-forward layer: 3 gated, 2 plain")
    experts: int = Field(default=1, ge=1)
    experts_per_token: int = Field(default=1, ge=1)
    shared_feed_forward: int = Field(default=0, description="inner width of the expert that every token passes")
    vocabulary: int = Field(ge=1)
    positions: int = Field(default=0, description="learned position embeddings")
    tied: bool = False
    query_bias: bool = False
    head_norms: bool = False
    biases: bool = Field(default=False, description="biases on every matrix and norm, as GPT-2 has")

    @property
    def attention_width(self) -> int:
        return self.heads * self.head_dim

    @property
    def kv_width(self) -> int:
        return self.kv_heads * self.head_dim

    @property
    def embedding_parameters(self) -> int:
        return (self.vocabulary + self.positions) * self.hidden

    @property
    def head_parameters(self) -> int:
        """The output matrix where it is one of its own; 0 where it is the embedding's."""
        return 0 if self.tied else self.vocabulary * self.hidden

    @property
    def attention_parameters(self) -> int:
        """Of all layers: query, key, value and output matrices, with their biases and norms of heads."""
        matrices = 2 * self.hidden * (self.attention_width + self.kv_width)
        bias = self.attention_width + 2 * self.kv_width if self.query_bias or self.biases else 0
        bias += self.hidden if self.biases else 0
        return self.layers * (matrices + bias + (2 * self.head_dim if self.head_norms else 0))

    @property
    def expert_parameters(self) -> int:
        """Of all layers' routed experts; for a dense model its feed-forward layers."""
        one = self.matrices * self.hidden * self.feed_forward
        bias = self.feed_forward + self.hidden if self.biases else 0
        return self.layers * self.experts * (one + bias)

    @property
    def shared_parameters(self) -> int:
        """Of all layers: what every token passes beside its experts, and the router."""
        if self.experts == 1:
            return 0
        shared = self.matrices * self.hidden * self.shared_feed_forward + (
            self.hidden if self.shared_feed_forward else 0
        )
        return self.layers * (shared + self.hidden * self.experts)

    @property
    def norm_parameters(self) -> int:
        width = self.hidden * (2 if self.biases else 1)
        return (2 * self.layers + 1) * width

    @property
    def parameters(self) -> int:
        """All of them, each tensor once."""
        return (
            self.embedding_parameters
            + self.head_parameters
            + self.attention_parameters
            + self.expert_parameters
            + self.shared_parameters
            + self.norm_parameters
        )

    @property
    def multiplied_parameters(self) -> int:
        """The N of 2·N·T: weights a token is multiplied with. Looking up an embedding multiplies nothing;
        the output matrix counts also where it is tied; of the experts only those that a token passes."""
        routed = self.expert_parameters * self.experts_per_token // self.experts
        return self.attention_parameters + routed + self.shared_parameters + self.vocabulary * self.hidden

    @property
    def linear_parameters_of_rank_one(self) -> int:
        """What adapters of rank 1 on every linear layer but the output have: inputs plus outputs of each."""
        attention = 2 * (self.hidden + self.attention_width) + 2 * (self.hidden + self.kv_width)
        feed_forward = self.experts * self.matrices * (self.hidden + self.feed_forward)
        return self.layers * (attention + feed_forward)


def shape_of(config: Mapping[str, Any]) -> ModelShape | None:
    """The shape that a config.json describes; None for an architecture whose layers are not known here."""
    family = str(config.get("model_type", ""))
    try:
        if family == "gpt2":
            return _gpt2(config)
        return _gated(family, config) if family in GATED_FAMILIES else None
    except (KeyError, TypeError, ValueError):
        return None


def _gated(family: str, config: Mapping[str, Any]) -> ModelShape:
    hidden, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
    experts = config.get("num_local_experts") or config.get("num_experts") or 1
    routed = family in ALWAYS_ROUTED
    inner = config.get("moe_intermediate_size") if family != "mixtral" and routed else None
    return ModelShape(
        family=family,
        layers=int(config["num_hidden_layers"]),
        hidden=hidden,
        heads=heads,
        kv_heads=int(config.get("num_key_value_heads") or heads),
        head_dim=int(config.get("head_dim") or hidden // heads),
        feed_forward=int(inner or config["intermediate_size"]),
        experts=int(experts) if routed else 1,
        experts_per_token=int(config.get("num_experts_per_tok") or 1) if routed else 1,
        shared_feed_forward=int(config.get("shared_expert_intermediate_size") or 0) if family == "qwen2_moe" else 0,
        vocabulary=int(config["vocab_size"]),
        tied=bool(config.get("tie_word_embeddings", family.startswith("gemma"))),
        query_bias=family in BIASED_QUERIES or bool(config.get("attention_bias", False)),
        head_norms=family in NORMED_HEADS,
    )


def _gpt2(config: Mapping[str, Any]) -> ModelShape:
    hidden, heads = int(config["n_embd"]), int(config["n_head"])
    return ModelShape(
        family="gpt2",
        layers=int(config["n_layer"]),
        hidden=hidden,
        heads=heads,
        kv_heads=heads,
        head_dim=hidden // heads,
        feed_forward=int(config.get("n_inner") or 4 * hidden),
        matrices=2,
        vocabulary=int(config["vocab_size"]),
        positions=int(config["n_positions"]),
        tied=bool(config.get("tie_word_embeddings", True)),
        biases=True,
    )
