"""A cluster whose objects the test moves, and the backends opened on it."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assay_chassis.clock import ManualClock
from assay_chassis.compute import Environments, RunStatus
from assay_chassis.compute.kubernetes.backend import KubernetesBackend
from assay_chassis.compute.kubernetes.settings import KubernetesSettings
from assay_chassis.object_store import MemoryStore
from contract_bench import make_run
from fake_api import JOBS, PODS, WORKLOADS, FakeApi

RUN = make_run(payload={"seed": 1}, labels={"priority": "LOW"})
POD_LABELS = {"app.kubernetes.io/managed-by": "assay", "app.kubernetes.io/component": "trainer", "assay/run": RUN.name}


@dataclass
class Ground:
    """A fake cluster, a store, and the backends opened on them."""

    api: FakeApi
    kubeconfig: Path
    store: MemoryStore = field(default_factory=lambda: MemoryStore("memory://runs"))
    clock: ManualClock = field(default_factory=ManualClock)
    opened: list[KubernetesBackend] = field(default_factory=list)
    environments: Environments = field(default_factory=Environments)

    async def open(self, **more: Any) -> KubernetesBackend:
        settings = KubernetesSettings(**{"kubeconfig": self.kubeconfig, "image": "trainer:1", **more})
        backend = KubernetesBackend(
            settings, "trainer", self.store, refresh_s=0.0, clock=self.clock, environments=self.environments
        )
        self.opened.append(backend)
        await backend.start()
        return backend

    def let_in(self) -> None:
        self.api.change(JOBS, RUN.name, lambda job: job["spec"].update(suspend=False))

    def put_pod(self, phase: str = "Running", name: str = "pod-1", **status: Any) -> None:
        status["phase"] = phase
        self.api.put(PODS, {"metadata": {"name": name, "uid": name, "labels": POD_LABELS}, "status": status})

    def put_workload(self, *conditions: dict[str, str], **spec: Any) -> None:
        uid = self.api.collections[JOBS][RUN.name]["metadata"]["uid"]
        metadata = {"name": "workload-1", "ownerReferences": [{"uid": uid}]}
        spec = {"queueName": "assay", **spec}
        self.api.put(WORKLOADS, {"metadata": metadata, "spec": spec, "status": {"conditions": list(conditions)}})

    async def write_records(self, pod: str = "pod-1", **records: Any) -> None:
        """As the pod would."""
        content = {"keeper": {"pid": 1, "at": 1.0}, "job": {"pid": 2, "at": 2.0}, "pod": pod, **records}
        await self.store.put_bytes(f"runs/trainer/{RUN.name}/records.json", json.dumps(content).encode())


async def wait_for(backend: KubernetesBackend, done: Callable[[RunStatus], bool]) -> RunStatus:
    for _ in range(300):
        status = await backend.status(RUN.name)
        if done(status):
            return status
        await asyncio.sleep(0.01)
    raise AssertionError(status)
