"""What the answer cost, by kind of job, what reuse saved, and how far the estimate was off."""

from __future__ import annotations

from assay_schemas.cost.actual import cost_checks
from assay_schemas.cost.estimate import CostCheck
from assay_schemas.results import JobEnd

from assay_reporter.blocks import AnyBlock, Section, TableBlock
from assay_reporter.energy import energy_of, in_words, source_of
from assay_reporter.sections.findings import Findings

KINDS = {"training": "training", "selection": "checkpoint selection", "eval": "evaluation"}


def price(findings: Findings) -> Section | None:
    """Measured seconds of this experiment's own jobs, and those of jobs that were reused."""
    gpu_type = findings.evidence.plan.spec.hardware.gpu_type
    rows, energies = [], []
    for kind, title in KINDS.items():
        ends = [end for end in findings.evidence.result.ends if end.kind == kind]
        own = [end for end in ends if not end.reused and _ran(end)]
        reused = [end for end in ends if end.reused]
        if ends:
            spent, saved = (energy_of([end.usage for end in some], gpu_type) for some in (own, reused))
            energies += [spent, saved]
            rows.append([title, str(len(own)), _hours(own), in_words(spent), str(len(reused)), _hours(reused),
                         in_words(saved)])  # fmt: skip
    if not rows:
        return None
    mark = "" if any(one.measured for one in energies) else " (est.)"
    columns = ["work", "jobs run", "device time", f"energy{mark}", "jobs reused", "time saved", f"energy saved{mark}"]
    caption = source_of(energies)
    blocks: list[AnyBlock] = [TableBlock(columns=columns, rows=rows, numeric=list(range(1, 7)), caption=caption)]
    evidence = findings.evidence
    if checks := cost_checks(evidence.plan.cost, evidence.result.ends):
        blocks.append(_estimates(checks, evidence.plan.cost.device if evidence.plan.cost else ""))
    return Section(title="Price", anchor="price", blocks=blocks)


def _ran(end: JobEnd) -> bool:
    """Whether there was anything to pay: a job that was stopped or skipped before its turn had no attempt."""
    return end.attempt is not None or end.outcome in ("succeeded", "failed")


def _estimates(checks: list[CostCheck], device: str) -> TableBlock:
    unit = "GPU-hours" if device == "gpu" else "processor-hours"
    columns = ["work", f"{unit}, estimated", "measured", "measured / estimated", "GiB, estimated", "GiB, measured"]
    rows = [
        [
            KINDS[check.kind],
            f"{check.estimated_device_hours:.3g}",
            f"{check.measured_device_hours:.3g}",
            f"{check.hours_ratio:.2f}" if check.hours_ratio is not None else "",
            f"{check.estimated_memory_gib:.3g}",
            f"{check.measured_memory_gib:.3g}",
        ]
        for check in checks
    ]
    caption = "The estimate made at planning against what was measured, over jobs that ran and succeeded."
    return TableBlock(columns=columns, rows=rows, numeric=[1, 2, 3, 4, 5], caption=caption)


def _hours(ends: list[JobEnd]) -> str:
    gpu = sum(end.usage.gpu_s for end in ends)
    cpu = sum(end.usage.cpu_s for end in ends)
    return f"{gpu / 3600:.2f} GPU-hours" if gpu else f"{cpu:.1f} processor-seconds"
