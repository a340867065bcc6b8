"""A comparison as data: the numbers, the verdict and the sentences that go with it.

Holds results only; nothing here computes or decides.
"""

from __future__ import annotations

from typing import Literal

from assay_schemas.reports import VerdictWord
from pydantic import BaseModel, ConfigDict, Field

Family = Literal["primary", "exploratory", "check"]
Interval = tuple[float, float]


class Comparison(BaseModel):
    """`arm` against `versus` on one benchmark; None = cannot be known, and `reason` says why.

    delta: mean of arm − mean of versus over the joined items, in the metric's unit; `better` already has
    the metric's direction in it. interval, interval_90, p: uncorrected. p_holm: corrected within `family`;
    None in the exploratory one. seeds: replicates, 0 for a fixed model. df: the fewest seed degrees of
    freedom the interval leans on (None for two fixed models). seed_sd: estimated sd of an arm's expected
    score over training seeds. half_widths: by one-sided confidence. own_interval: the interval from the arms'
    own seed variances.
    n_observations: items that are independent of each other, a cluster being one; n_differing is of these.
    more_seeds: seeds to add to each trained arm; more_items: items to add; None where no plan is offered.
    """

    model_config = ConfigDict(frozen=True)

    arm: str
    versus: str
    benchmark: str
    family: Family
    higher_is_better: bool
    proportion: bool
    verdict: VerdictWord
    reason: str
    smallest_effect: float
    mean: float | None = None
    versus_mean: float | None = None
    delta: float | None = None
    interval: Interval | None = None
    interval_90: Interval | None = None
    own_interval: Interval | None = None
    half_width: float | None = None
    half_widths: dict[float, float] = Field(default_factory=dict)
    p: float | None = None
    p_holm: float | None = None
    n_items: int = 0
    n_observations: int = 0
    n_dropped: int = 0
    n_differing: int = 0
    seeds: int = 0
    versus_seeds: int = 0
    df: float | None = None
    seed_sd: float | None = None
    smallest_detectable_effect: float | None = None
    more_seeds: int | None = None
    more_items: int | None = None
    notes: tuple[str, ...] = ()
