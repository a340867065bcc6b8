"""Runs that are killed: a training job in a child process that SIGKILL ends after a given step."""

from __future__ import annotations

import os
import signal
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from assay_schemas.jobs import TrainingRequest
from assay_trainer.checkpoints.layout import MARKER
from training_ground import Watched

PATIENCE_S = 60.0


class Killed(Watched):
    """Kills its own process with SIGKILL after a step, once a checkpoint lies in the store: uploads go on beside the
    training, and a slow disk may have none by then."""

    def __init__(self, after: int, checkpoints: Path) -> None:
        super().__init__()
        self._after = after
        self._checkpoints = checkpoints

    def report_progress(self, record: dict[str, Any]) -> None:
        if record["step"] == self._after:
            give_up = time.monotonic() + PATIENCE_S
            while not list(self._checkpoints.rglob(MARKER)) and time.monotonic() < give_up:
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGKILL)


def kill(train: Callable[..., Any], request: TrainingRequest, root: Path, after: int = 5) -> None:
    """Run the request in a child process that is killed after a step; `root` is the store's folder."""
    child = os.fork()
    if child == 0:
        try:
            train(request, Killed(after, root / "checkpoints" / request.job_key))
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)  # a child that went on would run the tests that are left, as its parent does
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
