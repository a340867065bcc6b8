"""A verifier as a reward: its processes, and the row's column that each sample is held against.

Never runs a rule in the training process, so that one that hangs or breaks costs its sample alone.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

from assay_schemas.algorithms import VerifierReward

from assay_trainer.rewards import VERIFIERS
from assay_trainer.rewards.base import Failure, Score, Scored
from assay_trainer.rewards.process import VerifierProcess

MOST_PROCESSES = 8


class VerifiedReward:
    """Scores samples by one rule, on as many processes as the rule is worth."""

    def __init__(self, options: VerifierReward) -> None:
        self._column = options.truth
        count = min(MOST_PROCESSES, len(os.sched_getaffinity(0))) if VERIFIERS[options.name].parallel else 1
        self._all = [VerifierProcess(options) for _ in range(count)]
        self._free: SimpleQueue[VerifierProcess] = SimpleQueue()
        for process in self._all:
            self._free.put(process)
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="reward")

    def __call__(self, samples: Sequence[Scored]) -> list[Score]:
        return list(self._threads.map(self._one, samples))

    def _one(self, sample: Scored) -> Score:
        truth = sample.columns.get(self._column) if self._column else None
        if self._column and truth is None:
            return Failure(f"the row has nothing in {self._column!r}")
        process = self._free.get()
        try:
            return process.score(sample.completion, truth)
        finally:
            self._free.put(process)

    def close(self) -> None:
        self._threads.shutdown(wait=True)
        for process in self._all:
            process.close()
