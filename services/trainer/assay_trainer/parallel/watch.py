"""Who watches a spread job: the lead reports for all, and all stop after the same step.

Never decides to stop by itself.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist

from assay_trainer.loop import Watch
from assay_trainer.parallel.world import World


class AgreedWatch:
    """Lets only the lead report, and all stop at the same step."""

    def __init__(self, watch: Watch, world: World) -> None:
        self._watch = watch
        self._world = world

    def report_progress(self, record: dict[str, Any]) -> None:
        if self._world.lead:
            self._watch.report_progress(record)

    def should_stop(self) -> bool:
        asked = torch.tensor(int(self._watch.should_stop()), device=self._world.device)
        dist.all_reduce(asked, dist.ReduceOp.MAX)
        return bool(asked)
