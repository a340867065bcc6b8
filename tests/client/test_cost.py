"""How an estimate is told to people."""

from __future__ import annotations

from typing import Any

from assay.cost import NO_ESTIMATE, cost_lines, flops_in_words
from assay_schemas.cost.estimate import DataTokens, PlanCost


def estimate(**changes: Any) -> dict[str, Any]:
    cost = PlanCost(
        device="gpu",
        machine="8 x h100",
        parameters=8_030_261_248,
        parameters_by_kind={"attention": 5, "norms": 1},
        tokens={"b" * 64: DataTokens(rows=5000, sampled_rows=256, mean_tokens=311.6, source="tokenizer")},
        flops=2.5e18,
        device_hours=3.14159,
        largest_memory_gib=61.0,
        memory_available_gib=72.7,
        fits=True,
        assumptions=["the peak's share"],
    )
    return cost.model_copy(update=changes).model_dump(mode="json")


def test_the_estimate_leads_with_work_time_and_memory() -> None:
    lines = cost_lines(estimate())
    assert lines[0] == (
        "Estimate: 2.5 EFLOP, 3.14 GPU-hours on 8 x h100; at most 61 GiB in one process of 72.7 GiB: fits"
    )
    assert "5,000 rows, 312 tokens a sequence, counted by the model's tokenizer in 256 rows" in lines[2]
    assert lines[-1] == "Assumed: the peak's share"


def test_what_does_not_fit_stands_out_and_what_is_not_known_is_said() -> None:
    assert "DOES NOT FIT" in cost_lines(estimate(fits=False))[0]
    assert "not known" in cost_lines(estimate(fits=None, memory_available_gib=None))[0]
    assert cost_lines(None) == [NO_ESTIMATE]


def test_operations_have_their_prefix() -> None:
    assert [flops_in_words(value) for value in (5.0, 1.2e15, 3e21)] == ["5 FLOP", "1.2 PFLOP", "3 ZFLOP"]
