"""Runs that are killed: a training job in a child process, or one of many processes, that SIGKILL ends."""

from __future__ import annotations

import os
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from assay_schemas.jobs import TrainingRequest
from assay_trainer.checkpoints.layout import MARKER
from assay_trainer.checkpoints.writer import CheckpointWriter
from training_ground import Watched

PATIENCE_S = 60.0
MODULES_INTO = 10
"""How many modules of a model begin a forward pass before one is killed in the middle of it."""


class Killed(Watched):
    """Kills its own process with SIGKILL after a step, once a checkpoint lies in the store: uploads go on beside the
    training, and a slow disk may have none by then."""

    def __init__(self, after: int, checkpoints: Path) -> None:
        super().__init__()
        self._after = after
        self._checkpoints = checkpoints

    def report_progress(self, record: dict[str, Any]) -> None:
        if record["step"] == self._after:
            wait_for_checkpoint(self._checkpoints)
            os.kill(os.getpid(), signal.SIGKILL)


def wait_for_checkpoint(folder: Path) -> None:
    give_up = time.monotonic() + PATIENCE_S
    while not list(folder.rglob(MARKER)) and time.monotonic() < give_up:
        time.sleep(0.01)


@dataclass(frozen=True)
class Kill:
    """After step `after`, of one of a job's processes; with `everybody`, of the job's own process, and so of all.

    `moment`: at once, or in the step that follows, while it samples, or learns, or uploads its checkpoint."""

    after: int
    rank: int
    moment: Literal["between", "sampling", "learning", "uploading"]
    everybody: bool = False

    def strike(self) -> None:
        os.kill(os.getppid() if self.everybody else os.getpid(), signal.SIGKILL)
        time.sleep(PATIENCE_S)


class Doomed(Watched):
    """Watches one process of many. It is asked after every step whether to stop."""

    def __init__(self, kill: Kill, rank: int, checkpoints: Path) -> None:
        super().__init__()
        self._kill = kill
        self._struck = rank == kill.rank
        self._checkpoints = checkpoints
        self._steps = 0

    def should_stop(self) -> bool:
        self._steps += 1
        if self._struck and self._steps == self._kill.after:
            wait_for_checkpoint(self._checkpoints)
            self._arm()
        return False

    def _arm(self) -> None:
        if self._kill.moment == "between":
            self._kill.strike()
        elif self._kill.moment == "uploading":
            strike_before_the_marker(self._kill)
        else:
            strike_in_a_pass(self._kill)


def strike_in_a_pass(kill: Kill) -> None:
    import torch
    from torch.nn.modules.module import register_module_forward_pre_hook

    begun = 0

    def count(*_: Any) -> None:
        nonlocal begun
        begun += torch.is_grad_enabled() == (kill.moment == "learning")
        if begun == MODULES_INTO:
            kill.strike()

    register_module_forward_pre_hook(count)


def strike_before_the_marker(kill: Kill) -> None:
    """The resume state is in the store by then, and the model is not."""
    put = CheckpointWriter._put

    def strike(writer: CheckpointWriter, folder: Path, prefix: str) -> Any:
        if folder.name == "model":
            kill.strike()
        return put(writer, folder, prefix)

    CheckpointWriter._put = strike  # type: ignore[method-assign]


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
