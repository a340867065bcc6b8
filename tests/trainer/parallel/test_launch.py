"""How many processes of one job end: together, with the reason of the one that failed first."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from assay_chassis.job_service.failures import JobFailed
from assay_trainer.parallel.launch import LostRank, launch

pytestmark = pytest.mark.real


def test_all_ranks_run_and_end(tmp_path: Path) -> None:
    launch(3, tmp_path, lambda rank: (tmp_path / f"was-{rank}").touch())
    assert sorted(path.name for path in tmp_path.glob("was-*")) == ["was-0", "was-1", "was-2"]


def test_a_killed_rank_ends_the_job_at_once_and_is_named(tmp_path: Path) -> None:
    def be(rank: int) -> None:
        if rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)

    began = time.monotonic()
    with pytest.raises(LostRank, match="process 1 of 2 was killed by SIGKILL") as caught:
        launch(2, tmp_path, be)
    assert time.monotonic() - began < 20
    assert caught.value.retryable
    assert caught.value.error_class == "lost_rank"
    assert "killed for memory" in str(caught.value)


def test_a_rank_that_ends_itself_is_not_explained_by_memory(tmp_path: Path) -> None:
    def be(rank: int) -> None:
        if rank == 1:
            os.abort()
        time.sleep(60)

    with pytest.raises(LostRank, match=r"was killed by SIGABRT.*last lines in the log") as caught:
        launch(2, tmp_path, be)
    assert "memory" not in str(caught.value)


def test_a_rank_killed_by_a_signal_without_a_name_is_named_all_the_same(tmp_path: Path) -> None:
    def be(rank: int) -> None:
        if rank == 1:
            os.kill(os.getpid(), signal.SIGRTMIN + 3)
        time.sleep(60)

    with pytest.raises(LostRank, match=f"process 1 of 2 was killed by signal {signal.SIGRTMIN + 3}"):
        launch(2, tmp_path, be)


def test_what_a_rank_raises_for_the_job_is_what_the_job_fails_with(tmp_path: Path) -> None:
    def be(rank: int) -> None:
        if rank == 0:
            raise JobFailed("diverged", "not finite at step 3", retryable=False)
        time.sleep(60)

    with pytest.raises(JobFailed, match="not finite at step 3") as caught:
        launch(2, tmp_path, be)
    assert (caught.value.error_class, caught.value.retryable) == ("diverged", False)


def test_nothing_is_left_running(tmp_path: Path) -> None:
    def be(rank: int) -> None:
        (tmp_path / f"pid-{rank}").write_text(str(os.getpid()))
        if rank == 0:
            time.sleep(0.3)
            raise JobFailed("bad_input", "no", retryable=False)
        time.sleep(60)

    with pytest.raises(JobFailed):
        launch(3, tmp_path, be)
    for path in tmp_path.glob("pid-*"):
        assert not Path(f"/proc/{path.read_text()}").exists()
