"""Runs that are killed: a training job in a child process that SIGKILL ends after a given step."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

from assay_schemas.jobs import TrainingRequest
from training_ground import Watched


class Killed(Watched):
    """Kills its own process with SIGKILL after a step."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self._after = after

    def report_progress(self, record: dict[str, Any]) -> None:
        if record["step"] == self._after:
            os.kill(os.getpid(), signal.SIGKILL)


def kill(train: Callable[..., Any], request: TrainingRequest, after: int = 5) -> None:
    """Run the request in a child process that is killed after a step."""
    child = os.fork()
    if child == 0:
        train(request, Killed(after))
        os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
