"""The looks at an experiment with a budget, as `experiment.budget` told them.

Reads events; decides nothing.
"""

from __future__ import annotations

from assay_schemas.envelope import Record, Unreadable, decode
from assay_schemas.events import ExperimentBudget
from pydantic import ValidationError

from assay import stream
from assay.errors import NotFound
from assay.settings import ClientSettings

TOPIC = "experiment.budget"


async def looks(settings: ClientSettings, experiment_id: str) -> list[ExperimentBudget]:
    """Every look of the chain that an experiment belongs to, the first one first.

    Raises NotFound where no look was taken (yet), which is so for every experiment without a budget.
    """
    found = [one async for record in stream.records(settings, [TOPIC], follow=False) if (one := _look(record))]
    chains = {one.first for one in found if experiment_id in (one.experiment_id, one.first, one.next)}
    if not chains:
        raise NotFound(
            f"No look at experiment {experiment_id} was taken (yet). Experiments without `budget` have none; "
            f"of those with one see `assay watch {experiment_id[:8]}`."
        )
    return sorted({one.look: one for one in found if one.first in chains}.values(), key=lambda one: one.look)


def _look(record: Record | None) -> ExperimentBudget | None:
    if record is None:
        return None
    try:
        return ExperimentBudget.model_validate(decode(record).data)
    except (Unreadable, ValidationError):
        return None
