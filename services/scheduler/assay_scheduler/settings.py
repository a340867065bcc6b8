"""The scheduler's own settings, beside those every service shares.

Read from ASSAY_* variables; holds no secret of its own.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Literal

from assay_chassis.settings import ServiceSettings
from pydantic import Field

from assay_scheduler.policy import UNLIMITED, Resources
from assay_scheduler.states import Limits

LEAST_PAUSE_S = 5.0


def machine_memory_gib() -> float:
    """This machine's memory in GiB."""
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)


class SchedulerSettings(ServiceSettings):
    readable_roots: str = Field(
        default="", description=f"Folders that data and models may be read from, separated by {os.pathsep!r}"
    )
    capacity_cpus: float | None = Field(
        default=None, gt=0, description="Cores that jobs may hold at once; default: this machine's"
    )
    capacity_gpus: float = Field(default=0, ge=0, description="GPUs that jobs may hold at once")
    capacity_memory_gib: float | None = Field(
        default=None, gt=0, description="Memory in GiB that jobs may hold at once; default: this machine's"
    )
    capacity_nodes: int = Field(default=1, ge=1, description="Most machines one job may ask for")
    retries: int = Field(default=2, ge=0, description="Times a failed job is tried again, where that can help")
    lost_retries: int = Field(default=5, ge=0, description="Times a job that was lost is asked for again")
    retry_backoff_s: float = Field(default=5.0, ge=0, description="Wait before the first retry; doubles each time")
    retry_backoff_cap_s: float = Field(default=300.0, ge=0, description="Longest wait before a retry")
    job_deadline_s: float = Field(default=86400.0, gt=0, description="Longest time one attempt may run")
    lease_s: float = Field(default=120.0, gt=0, description="Silence after which a running attempt counts as lost")
    start_lease_s: float = Field(default=900.0, gt=0, description="The same for an attempt that never spoke")
    patience_s: float = Field(
        default=900.0, gt=0, description="Wait after which a job of low priority gets every fourth place"
    )
    intake_workers: int = Field(default=2, ge=1, le=64, description="Experiments taken in at the same time")
    intake_lease_s: float = Field(default=60.0, gt=0, description="Silence after which another worker takes over")
    intake_timeout_s: float = Field(default=3600.0, gt=0, description="Longest time one try at intake may take")
    intake_wait_s: float = Field(default=10.0, gt=0, description="How long HTTP waits for intake before it answers 202")
    rollout_engine: Literal["transformers", "vllm"] = Field(
        default="transformers", description="What `rollout_engine: auto` stands for: the best that trainers have"
    )
    standard_hardware_file: Path | None = Field(
        default=None, description="YAML file of what jobs get where none is given; default: the table shipped"
    )
    owner_quotas_file: Path | None = Field(
        default=None, description="YAML file of owner to the most cpus, gpus and memory_gib their jobs hold at once"
    )
    evaluates_with_vllm: bool | None = Field(
        default=None, description="Whether evaluators have vLLM; default: whether it is installed beside the scheduler"
    )
    system_user: str = Field(default="system", description="Owner of what names none")
    hub_offline: bool = Field(default=False, description="Read models of the Hub from the local cache alone")
    api_tokens_file: Path | None = Field(
        default=None,
        description="JSON file of owner to token, or to its hash and scopes (docs/security.md); with it, HTTP needs "
        "`Authorization: Bearer <token>`",
    )
    api_requests_per_minute: int = Field(
        default=1200, ge=0, description="Most HTTP requests a minute of one owner or address; 0 is no limit"
    )

    @property
    def roots(self) -> list[Path]:
        return [Path(part) for part in self.readable_roots.split(os.pathsep) if part]

    @property
    def capacity(self) -> Resources:
        """On Kubernetes, Kueue holds the slots and everything is submitted at once."""
        if self.backend == "kubernetes":
            return Resources(UNLIMITED, UNLIMITED, UNLIMITED)
        cpus = self.capacity_cpus or float(os.cpu_count() or 1)
        return Resources(cpus, self.capacity_gpus, self.capacity_memory_gib or machine_memory_gib())

    @property
    def evaluation_engines(self) -> frozenset[str]:
        """What a benchmark may name as its engine."""
        there = self.evaluates_with_vllm
        if there is None:
            there = importlib.util.find_spec("vllm") is not None
        return frozenset({"transformers", "vllm"} if there else {"transformers"})

    @property
    def pause_s(self) -> float:
        """How long a transaction may stand still with the rows it has locked: well within a lease, because signs of
        life wait for them."""
        return max(LEAST_PAUSE_S, self.lease_s / 4)

    @property
    def limits(self) -> Limits:
        return Limits(
            self.retries, self.lost_retries, self.retry_backoff_s, self.retry_backoff_cap_s, self.job_deadline_s
        )
