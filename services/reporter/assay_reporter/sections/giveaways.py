"""What gives the chosen side of preference pairs away, and how often each source was preferred.

Names cues; whether a model leans on them is for arms with interventions to tell.
"""

from __future__ import annotations

from assay_reporter.blocks import AnyBlock, Paragraph, Section, TableBlock
from assay_reporter.diagnosis.giveaways import Cue, Giveaways, giveaways_of
from assay_reporter.sections.findings import Findings

GIVEN_AWAY = 0.65
"""A cue stands out once the lower limit of its AUC is above this."""


def giveaways(findings: Findings) -> Section | None:
    """Nothing where no arm has preference pairs."""
    examined = findings.examined
    by_digest: dict[str, Giveaways | None] = {}
    for arm, rows in examined.rows_by_arm.items():
        if examined.digests[arm] not in by_digest:
            by_digest[examined.digests[arm]] = giveaways_of(rows.rows)
    arms = {arm: one for arm in examined.rows_by_arm if (one := by_digest[examined.digests[arm]]) is not None}
    if not arms:
        return None
    found = [_said(arm, cue) for arm, one in arms.items() for cue in one.cues if cue.interval[0] > GIVEN_AWAY]
    blocks: list[AnyBlock] = [Paragraph(text=one, tone="warning") for one in found]
    blocks.append(_cues(arms))
    if any(one.chosen_rates for one in arms.values()):
        blocks.append(_rates(arms))
    return Section(title="What gives the chosen side away", anchor="giveaways", blocks=blocks, findings=found)


def _said(arm: str, cue: Cue) -> str:
    marks = f": {_marks(cue)}" if cue.strongest else ""
    return (
        f"{arm}: {cue.name} alone tells the chosen answer from the rejected one (AUC {cue.auc:.2f}, 95 % interval "
        f"{cue.interval[0]:.2f} to {cue.interval[1]:.2f}; 0.5 is chance){marks}."
    )


def _marks(cue: Cue) -> str:
    return ", ".join(f"more {name} in {side} answers" for name, side in cue.strongest)


def _cues(arms: dict[str, Giveaways]) -> TableBlock:
    rows = [
        [
            arm,
            cue.name,
            f"{cue.auc:.2f}",
            f"{cue.interval[0]:.2f} to {cue.interval[1]:.2f}",
            _marks(cue),
            f"{one.pairs:,}",
        ]
        for arm, one in arms.items()
        for cue in one.cues
    ]
    caption = (
        "AUC of telling the chosen answer by one cue alone, cross-validated over prompts (0.5: it tells nothing; "
        "1: it tells everything). A liked quality may show as a cue; external benchmarks do not reward a shortcut."
    )
    columns = ["arm", "by", "AUC", "95 % interval", "strongest marks", "pairs"]
    return TableBlock(columns=columns, rows=rows, numeric=[2, 3, 5], caption=caption)


def _rates(arms: dict[str, Giveaways]) -> TableBlock:
    rows = [
        [arm, source, f"{100 * won / there:.0f} %", f"{there:,}"]
        for arm, one in arms.items()
        for source, (won, there) in one.chosen_rates.items()
        if there
    ]
    caption = "How often an answer of a source was the chosen one, against answers of other sources."
    return TableBlock(columns=["arm", "source", "chosen", "answers"], rows=rows, numeric=[2, 3], caption=caption)
