"""What the example automation is told: which experiment to ask for, which policy to apply, where good data goes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.files import read_document
from assay.locations import located
from assay.policy import Policy, read_policy
from assay.settings import ClientSettings
from assay.store import Store

SNAPSHOT = "SNAPSHOT"
OWNER = "snapshot-gate"


@dataclass(frozen=True)
class Watch:
    """One automation: snapshots published under `name` are tested by `template` and judged by `policy`."""

    settings: ClientSettings
    template: dict[str, Any]
    policy: Policy
    name: str = ""
    downstream: str = "dataset.approved"
    group: str = "snapshot-gate"

    @classmethod
    def read(cls, settings: ClientSettings, template: Path, policy: Path, **options: Any) -> Watch:
        """Raises Refused when the template or the policy is none."""
        document = located(read_document(template), template.resolve().parent, Store(settings))
        return cls(settings, document, read_policy(read_document(policy, "policy")), **options)

    def experiment(self, digest: str, name: str) -> dict[str, Any]:
        """The template with this snapshot wherever an arm's dataset is the word SNAPSHOT."""
        arms = [
            {**arm, "dataset": f"sha256:{digest}"} if str(arm.get("dataset", "")).endswith(SNAPSHOT) else arm
            for arm in self.template["arms"]
        ]
        return {**self.template, "arms": arms, "owner": OWNER, "name": f"{name or digest[:12]} as a snapshot"}
