"""What an evaluation amounts to: samples, metrics and the one that leads, whoever computed them.

Plain values; never runs a model and never stores anything.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from assay_schemas.canonical import digest_of
from assay_schemas.results import Metric, Sample

from assay_evaluator.engines.base import FailedText


@dataclass(frozen=True)
class Scored:
    """The result of one model on one benchmark. Failed items have a sample without a score.

    `texts` are the asked items' own texts by item id, without what a prompt adds to them.
    """

    primary: str
    metrics: dict[str, Metric]
    samples: list[Sample]
    texts: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def items(self) -> int:
        return len({sample.item_id for sample in self.samples})

    @property
    def items_failed(self) -> int:
        return len({sample.item_id for sample in self.samples if sample.error})

    @property
    def prompt_digest(self) -> str:
        """A digest over every item's prompt: equal digests mean that models were asked the same."""
        return digest_of(sorted({(sample.item_id, sample.prompt) for sample in self.samples if not sample.error}))


def is_failed(responses: Any) -> bool:
    """Whether the engine could not compute one of these responses: it gave NaN, or a text that says so."""
    if isinstance(responses, float):
        return math.isnan(responses)
    if isinstance(responses, FailedText):
        return True
    if isinstance(responses, list | tuple):
        return any(is_failed(response) for response in responses)
    return False


def item_value(value: Any) -> float | None:
    """One item's part in a metric, as a number.

    A pair of a log-likelihood and a weight (lm-eval's perplexities) is the negative log-likelihood
    for each unit; a pair of a right and a given label is 1 where they are equal; None for the rest.
    """
    if isinstance(value, tuple | list) and len(value) == 2:
        first, second = value
        if isinstance(first, float) and isinstance(second, int) and second > 0:
            return -first / second
        return float(first == second) if isinstance(first, int | str) else None
    if isinstance(value, bool | int | float) or hasattr(value, "item"):
        return float(value)
    return None


def aggregate(values: Sequence[Any], by: Callable[[Sequence[Any]], Any], higher_is_better: bool) -> Metric | None:
    """A metric over the items that did not fail, by the harness's own aggregation; None where it is no number.

    A mean of items' numbers has an interval; other aggregates have none.
    """
    values = [value for value in values if not is_failed(value)]
    if not values:
        return None
    value = item_value(by(values))
    if value is None or not math.isfinite(value):
        return None
    parts = [part for part in map(item_value, values) if part is not None]
    return Metric(
        value=value, higher_is_better=higher_is_better, items=len(values), interval=interval_of_mean(parts, value)
    )


def interval_of_mean(parts: Sequence[float], value: float) -> tuple[float, float] | None:
    """The 95 % interval of a mean over items by Student's t; None where `value` is not their mean.

    Each part is an item's own mean, so samples of one item are one cluster.
    """
    from scipy.special import stdtrit

    count = len(parts)
    if count < 2 or not math.isclose(sum(parts) / count, value, rel_tol=1e-9, abs_tol=1e-12):
        return None
    half = float(stdtrit(count - 1, 0.975)) * statistics.stdev(parts) / math.sqrt(count)
    return value - half, value + half


def failed_sample(item_id: str, index: int, error: str, prompt: str = "", target: str = "") -> Sample:
    """The sample of an item that has no score: it is counted as failed, never as wrong."""
    return Sample(item_id=item_id, item_index=index, prompt=prompt, target=target, error=error)


def in_item_order(samples: Iterable[Sample]) -> list[Sample]:
    """Samples by their item's place in the snapshot, then by response."""
    return sorted(samples, key=lambda sample: (sample.item_index, sample.item_id, sample.sample_index))
