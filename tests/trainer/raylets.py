"""Ray clusters for tests: several machines, as processes here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

TRIES = 3
"""Ray gives each machine 30 s to start, which a busy machine may exceed."""


@contextmanager
def raylets(head: Mapping[str, Any], others: int = 0) -> Iterator[Any]:
    """A cluster of a head and `others` of one core each; skips the test where Ray does not start."""
    import ray
    from ray.cluster_utils import Cluster

    for _ in range(TRIES):
        made = Cluster()
        try:
            made.add_node(include_dashboard=False, **head)
            for _ in range(others):
                made.add_node(num_cpus=1)
        except Exception as error:  # Ray raises no class of its own
            made.shutdown()
            reason = error
            continue
        try:
            yield made
        finally:
            ray.shutdown()
            made.shutdown()
        return
    pytest.skip(f"Ray did not start in {TRIES} tries ({reason}): this machine is too busy")
