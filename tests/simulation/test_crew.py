"""Tasks in processes side by side: each is done once, and a process that dies is an error that names what it did."""

from __future__ import annotations

import os
import signal

import pytest

from simulation.crew import WorkerDied, side_by_side


def test_each_task_is_done_once_and_a_process_does_no_more_than_it_may() -> None:
    done = list(side_by_side(lambda task: (task * task, os.getpid()), range(7), 2, 3))
    assert sorted((task, square) for task, (square, _) in done) == [(task, task * task) for task in range(7)]
    assert len({process for _, (_, process) in done}) == 3


def test_a_process_that_is_killed_in_a_task_is_an_error_that_names_the_task() -> None:
    def work(task: int) -> int:
        if task == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return task

    with pytest.raises(WorkerDied, match="the process that ran 3 was killed by signal 9"):
        list(side_by_side(work, range(10), 2, 50))


def test_who_wants_no_more_leaves_no_process_behind() -> None:
    done = side_by_side(lambda task: os.getpid(), range(100), 2, 50)
    _, process = next(done)
    done.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
