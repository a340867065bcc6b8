"""What failed, why, and the last lines of its log."""

from __future__ import annotations

from assay_reporter.blocks import AnyBlock, Bullets, Paragraph, Section
from assay_reporter.sections.findings import Findings
from assay_reporter.unfinished import unfinished

LOG_LINES = 12


def failures(findings: Findings) -> Section | None:
    """Nothing where everything succeeded."""
    sentences = unfinished(findings.evidence)
    if not sentences:
        return None
    blocks: list[AnyBlock] = [
        Paragraph(text="These runs are missing from every number in this report.", tone="warning"),
        Bullets(items=sentences),
    ]
    for end in findings.evidence.result.ends:
        if end.error is not None and end.error.log:
            tail = "\n".join(end.error.log.strip().splitlines()[-LOG_LINES:])
            blocks.append(Paragraph(text=f"Log of {end.kind} {end.key[:12]}:\n{tail}"))
    return Section(title="What is missing", anchor="missing", blocks=blocks)
