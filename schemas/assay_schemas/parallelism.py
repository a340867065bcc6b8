"""How one job is spread over processes: the degrees of each kind of parallelism, and which device each uses.

Decides nothing; `cost_parallelism` chooses where a specification says `auto`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Dimension = Literal["data", "tensor", "context", "pipeline", "expert"]
DIMENSIONS: tuple[Dimension, ...] = ("pipeline", "data", "expert", "context", "tensor")


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
