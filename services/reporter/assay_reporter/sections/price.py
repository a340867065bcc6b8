"""What the answer cost, by kind of job, and what reuse saved."""

from __future__ import annotations

from assay_schemas.results import JobEnd

from assay_reporter.blocks import Section, TableBlock
from assay_reporter.sections.findings import Findings

KINDS = {"training": "training", "selection": "checkpoint selection", "eval": "evaluation"}


def price(findings: Findings) -> Section | None:
    """Measured seconds of this experiment's own jobs, and those of jobs that were reused."""
    rows = []
    for kind, title in KINDS.items():
        ends = [end for end in findings.evidence.result.ends if end.kind == kind]
        own = [end for end in ends if not end.reused]
        reused = [end for end in ends if end.reused]
        if ends:
            rows.append([title, str(len(own)), _hours(own), str(len(reused)), _hours(reused)])
    if not rows:
        return None
    columns = ["work", "jobs run", "device or processor time", "jobs reused", "time saved"]
    return Section(title="Price", anchor="price", blocks=[TableBlock(columns=columns, rows=rows, numeric=[1, 2, 3, 4])])


def _hours(ends: list[JobEnd]) -> str:
    gpu = sum(end.usage.gpu_s for end in ends)
    cpu = sum(end.usage.cpu_s for end in ends)
    return f"{gpu / 3600:.2f} GPU-hours" if gpu else f"{cpu:.1f} processor-seconds"
