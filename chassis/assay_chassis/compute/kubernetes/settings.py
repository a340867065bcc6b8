"""Where on a cluster jobs run, and as what.
Never holds a secret: pods get theirs from the cluster's own Secrets, named by `env_from`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from assay_chassis.compute.base import JobRun

KINDS_OF_SOURCE = {"secret": "secretRef", "configmap": "configMapRef"}
Names = Annotated[tuple[str, ...], NoDecode]


class KubernetesSettings(BaseSettings):
    """Read from ASSAY_KUBERNETES_* variables by the services whose jobs run on a cluster."""

    model_config = SettingsConfigDict(env_prefix="ASSAY_KUBERNETES_", extra="ignore")

    namespace: str = Field(default="assay", description="Namespace of the jobs")
    kubeconfig: Path | None = Field(
        default=None, description="Kubeconfig file; default: the pod's service account, or else ~/.kube/config"
    )
    queue: str = Field(default="assay", description="Kueue's LocalQueue that jobs wait in")
    owner_queues: Names = Field(
        default=(), description="LocalQueues of owners' own, such as research:research-queue,product:product-queue"
    )
    priority_class_prefix: str = Field(
        default="assay-", description="Kueue's WorkloadPriorityClasses are this with low, med and high behind it"
    )
    image: str = Field(default="", description="Image of the jobs; mostly the service's own")
    image_pull_secrets: Names = Field(default=(), description="Secrets to pull the image with, comma-separated")
    service_account: str = Field(default="assay-job", description="Service account of the jobs; it needs no permission")
    env_from: Names = Field(
        default=(), description="Where jobs get settings and credentials, such as secret:assay-object-store,configmap:x"
    )
    files_from: Names = Field(
        default=(),
        description="ConfigMaps and Secrets whose files jobs see in /etc/assay, such as configmap:assay-shared-files",
    )
    gpu_resource: str = Field(default="nvidia.com/gpu", description="Name of the GPU resource on nodes")
    gpu_type_label: str = Field(
        default="nvidia.com/gpu.product", description="Node label whose value is `hardware.gpu_type`"
    )
    shared_claim: str = Field(
        default="",
        description="ReadWriteMany PersistentVolumeClaim that the machines of one job share; empty: one machine a job",
    )
    topology: str = Field(
        default="",
        description="Node label whose value the machines of one job must share, as a rack's; preferred:<label>: where "
        "there is room. It is a level of a Topology of Kueue's",
    )
    ray_version: str = Field(
        default="2.60.0", description="Version of Ray in the image, for jobs over several machines"
    )
    start_patience_s: float = Field(
        default=300.0,
        ge=0,
        description="Seconds that a pod may fail to start, as for want of its image, before its job fails",
    )
    ttl_s: int = Field(default=86400, ge=60, description="Seconds that the cluster keeps an ended Job nobody fetched")

    @field_validator("image_pull_secrets", "env_from", "files_from", "owner_queues", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("env_from", "files_from")
    @classmethod
    def _sources(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            kind, _, name = entry.partition(":")
            if kind not in KINDS_OF_SOURCE or not name:
                raise ValueError(f"{entry!r} is neither secret:<name> nor configmap:<name>")
        return value

    @field_validator("owner_queues")
    @classmethod
    def _queues(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            owner, _, queue = entry.rpartition(":")
            if not owner or not queue:
                raise ValueError(f"{entry!r} is not <owner>:<LocalQueue>")
        return value

    @property
    def queues(self) -> tuple[str, ...]:
        """Every LocalQueue that jobs may wait in, each once."""
        return tuple(dict.fromkeys([self.queue, *(entry.rpartition(":")[2] for entry in self.owner_queues)]))

    def queue_of(self, run: JobRun) -> str:
        """The LocalQueue of the run's owner, where there is one."""
        for entry in self.owner_queues:
            owner, _, queue = entry.rpartition(":")
            if owner == run.labels.get("owner"):
                return queue
        return self.queue

    def priority_class(self, priority: Literal["LOW", "MED", "HIGH"] | str) -> str:
        """The WorkloadPriorityClass of a priority."""
        return f"{self.priority_class_prefix}{priority.lower()}"
