"""The estimate of an experiment's cost in words, as `assay submit --dry-run` prints it.

Only words: the figures are the scheduler's, and the report compares them with what was measured.
"""

from __future__ import annotations

from typing import Any

from assay_schemas.cost.estimate import PlanCost

PREFIXES = ((1e21, "Z"), (1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"))
NO_ESTIMATE = "No estimate of the cost: the model's config.json is of an architecture whose shape is not known."


def cost_lines(found: dict[str, Any] | None) -> list[str]:
    """The estimate, line by line; `found` is the plan's `cost` as JSON."""
    if found is None:
        return [NO_ESTIMATE]
    cost = PlanCost.model_validate(found)
    lines = [f"Estimate: {flops_in_words(cost.flops)}, {_hours(cost)} on {cost.machine}; {_memory(cost)}"]
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in cost.parameters_by_kind.items())
    lines.append(f"Model: {cost.parameters:,} parameters ({kinds})")
    for digest, tokens in cost.tokens.items():
        how = "by the model's tokenizer" if tokens.source == "tokenizer" else "from bytes, 4 a token"
        lines.append(
            f"Data {digest[:12]}: {tokens.rows:,} rows, {tokens.mean_tokens:.0f} tokens a sequence, counted {how} "
            f"in {tokens.sampled_rows} rows"
        )
    reasons = sorted({job.parallelism_reason for job in cost.jobs.values() if job.parallelism_reason})
    lines += [f"Parallelism: {reason}" for reason in reasons]
    return [*lines, *(f"Assumed: {assumption}" for assumption in cost.assumptions)]


def flops_in_words(flops: float) -> str:
    """1.2e15 is 1.2 PFLOP."""
    unit, prefix = next(((unit, prefix) for unit, prefix in PREFIXES if flops >= unit), (1.0, ""))
    return f"{flops / unit:.3g} {prefix}FLOP"


def _hours(cost: PlanCost) -> str:
    unit = "GPU-hours" if cost.device == "gpu" else "processor-hours"
    saved = f" ({cost.reused_device_hours:.3g} more saved by reuse)" if cost.reused_device_hours else ""
    return f"{cost.device_hours:.3g} {unit}{saved}"


def _memory(cost: PlanCost) -> str:
    largest = f"at most {cost.largest_memory_gib:.3g} GiB in one process"
    if cost.memory_available_gib is None:
        return f"{largest}; whether it fits is not known"
    fits = "fits" if cost.fits else "DOES NOT FIT"
    return f"{largest} of {cost.memory_available_gib:.3g} GiB: {fits}"
