"""How one job is spread over processes: the degrees of each kind of parallelism, and which device each uses.

Decides nothing; `cost.parallelism` chooses where a specification says `auto`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Dimension = Literal["data", "tensor", "context", "pipeline", "expert"]
DIMENSIONS: tuple[Dimension, ...] = ("pipeline", "expert", "data", "context", "tensor")


class Parallelism(BaseModel):
    """Degrees: rows over `data`, matrices over `tensor`, a row's tokens over `context`, layers over `pipeline`,
    experts over `expert`. The processes of a job are their product."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: int = Field(default=1, ge=1, le=4096)
    tensor: int = Field(default=1, ge=1, le=64)
    context: int = Field(default=1, ge=1, le=64)
    pipeline: int = Field(default=1, ge=1, le=64)
    expert: int = Field(default=1, ge=1, le=256)

    @property
    def processes(self) -> int:
        return self.data * self.tensor * self.context * self.pipeline * self.expert

    @property
    def sharding(self) -> int:
        """Over how many processes FSDP spreads weights that are not experts: all that see other tokens."""
        return self.data * self.context * self.expert

    def in_words(self) -> str:
        used = [f"{name} {getattr(self, name)}" for name in DIMENSIONS if getattr(self, name) > 1]
        return ", ".join(used) or "one process"


SINGLE = Parallelism()
ONLINE_ALGORITHMS = ("PPO", "GRPO")
NO_OFFLOAD = "{} samples with the model, which stays on the device."


def why_not(
    layout: Parallelism, algorithm: str, *, adapters: bool, nodes: int = 1, rollout_engine: str = "transformers"
) -> str:
    """Why the engine does not spread this run that way, as a sentence; empty where it does. `rollout_engine` matters
    to what samples, and `auto` is taken for one that can."""
    if layout.processes % nodes:
        return f"{layout.processes} processes cannot be shared out evenly over {nodes} machines (hardware.nodes)."
    if layout.processes == 1:
        return ""
    if algorithm in ONLINE_ALGORITHMS and rollout_engine == "vllm" and max(layout.pipeline, layout.expert) > 1:
        return "With rollout_engine vllm only data, tensor and context can be over 1: it takes whole models."
    if adapters and max(layout.tensor, layout.expert, layout.pipeline) > 1:
        return "With lora only data and context can be over 1."
    if layout.pipeline > 1 and max(layout.context, layout.expert) > 1:
        return "pipeline goes with data and tensor only."
    if layout.expert > 1 and layout.tensor > 1:
        return "expert goes with data and context only."
    return ""
