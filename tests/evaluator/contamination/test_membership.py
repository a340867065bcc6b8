"""Min-K% and Min-K%++: by their formulas, and stored with an evaluation that asks for them."""

from __future__ import annotations

import io
import math
import statistics

import pytest
from assay_chassis.job_service import JobFailed
from assay_evaluator.contamination.membership import membership_of

pytestmark = pytest.mark.real
LOGITS = [[2.0, 0.0, -1.0], [0.5, 0.5, 3.0], [1.0, -2.0, 0.0], [0.0, 0.0, 0.1]]
IDS = [0, 1, 2, 1]


def by_hand(share: float) -> tuple[float, float]:
    """The two papers' formulas, token by token."""
    plain, normalised = [], []
    for logits, chosen in zip(LOGITS, IDS, strict=True):
        total = math.log(sum(math.exp(one) for one in logits))
        log_p = [one - total for one in logits]
        mean = sum(math.exp(one) * one for one in log_p)
        variance = sum(math.exp(one) * (one - mean) ** 2 for one in log_p)
        plain.append(log_p[chosen])
        normalised.append((log_p[chosen] - mean) / math.sqrt(variance))
    count = max(1, int(len(IDS) * share))
    return statistics.mean(sorted(plain)[:count]), statistics.mean(sorted(normalised)[:count])


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_scores_are_those_of_the_formulas(share: float) -> None:
    import torch
    from assay_evaluator.contamination.membership import min_k

    tokens, first, second = min_k(torch.tensor(LOGITS), torch.tensor(IDS), share)
    assert (tokens, first, second) == (4, *(pytest.approx(value, rel=1e-6) for value in by_hand(share)))


def test_an_evaluation_that_asks_for_them_stores_every_items_scores(evaluated, store, sums) -> None:
    import pyarrow.parquet as pq

    result, samples = evaluated("multiple_choice", sums[:6], {"min_k": 0.5})
    plain, _ = evaluated("multiple_choice", sums[:6])
    assert plain.membership is None
    assert result.metrics == plain.metrics
    rows = pq.ParquetFile(io.BytesIO(store.get_bytes(result.membership.scores))).read().to_pylist()
    assert {row["item_id"] for row in rows} == {sample.item_id for sample in samples}
    assert all(row["tokens"] > 10 and row["min_k"] < 0 for row in rows)
    assert result.membership.min_k == pytest.approx(statistics.mean(row["min_k"] for row in rows))
    assert (result.membership.items, result.membership.share) == (6, 0.5)


def test_an_engine_without_every_tokens_probability_says_so() -> None:
    with pytest.raises(JobFailed, match=r"parameters\.min_k: needs every token's probability"):
        membership_of(object(), {"a": ["text"]}, 0.2)
