"""The Ray cluster that a job runs on: how its process joins it, and which settings go along.

Never starts a cluster.
"""

from __future__ import annotations

import os

from assay_chassis.compute.ray import CLUSTER

SECRET_WORDS = ("SECRET", "PASSWORD", "TOKEN", "KEY")


def connect() -> None:
    """Join the cluster of the environment; nothing where this process has joined."""
    import ray

    ray.init(address=os.environ[CLUSTER], log_to_driver=True, logging_level="warning", ignore_reinit_error=True)


def settings_of(environment: dict[str, str]) -> dict[str, str]:
    """The settings that processes elsewhere need. Secrets are not sent: every node has its own environment's."""
    return {
        name: value
        for name, value in environment.items()
        if name.startswith("ASSAY_") and not any(word in name for word in SECRET_WORDS)
    }
