"""What the budget was spent on: this look's decision on every arm, and what stopping early saved."""

from __future__ import annotations

from assay_schemas.differences import hours as hours_text
from assay_schemas.events import ExperimentBudget

from assay_reporter.blocks import AnyBlock, Paragraph, Section, TableBlock
from assay_reporter.budget import look_at
from assay_reporter.sections.findings import Findings

WORDS = {
    "decided": "decided",
    "out_of_reach": "stopped: out of reach",
    "added": "goes on",
    "kept": "waits",
    "stopped": "stopped: still open",
}


def budget(findings: Findings) -> Section | None:
    """Nothing where no budget was declared."""
    decided = look_at(findings.evidence.plan, findings.verdicts, findings.evidence.result.outcome)
    if decided is None:
        return None
    rows = [[one.arm, str(one.seeds), WORDS[one.action], str(one.added or "–"), one.reason] for one in decided.arms]
    columns = ["arm", "seeds so far", "now", "seeds added", "why"]
    said = f"Look {decided.look} of at most {decided.looks}: {decided.used} of {decided.runs} training runs are used."
    blocks: list[AnyBlock] = [Paragraph(text=said), TableBlock(columns=columns, rows=rows, numeric=[1, 3])]
    if decided.more_items:
        limits = ", ".join(f"{name} {limit:,}" for name, limit in decided.more_items.items())
        blocks.append(Paragraph(text=f"Items at the next look: {limits}."))
    blocks.append(Paragraph(text=_ending(findings, decided)))
    return Section(title="Budget", anchor="budget", blocks=blocks)


def _ending(findings: Findings, decided: ExperimentBudget) -> str:
    if decided.next is not None:
        return f"The next look is experiment {decided.next}; it reuses all that was done here."
    saved = decided.saved_runs
    if not saved:
        return "This was the last look: all runs were used" + (
            "." if decided.settled else ", and verdicts are still open."
        )
    hours = _hours_a_run(findings)
    about = f", about {hours_text(saved * hours)} device-hours of training" if hours else ""
    settled = "not needed" if decided.settled else "not used"
    return f"This was the last look: {saved} run{'s' if saved > 1 else ''} of the budget {settled}{about}."


def _hours_a_run(findings: Findings) -> float:
    """Device-hours of a mean training run, reused ones included."""
    ends = [end for end in findings.evidence.result.ends if end.kind == "training" and end.outcome == "succeeded"]
    seconds = sum(end.usage.gpu_s or end.usage.cpu_s for end in ends)
    return seconds / 3600 / len(ends) if ends else 0.0
