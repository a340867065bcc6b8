"""What a simulated reporter reads and writes instead of samples and statistics: small, and made of the same references.

Never judges anything; what reports say is not what a simulation tries.
"""

from __future__ import annotations

from typing import Any

from assay_chassis.object_store import ObjectStore
from assay_reporter.evidence import Evidence
from assay_reporter.render import FORMS
from assay_schemas.reports import ReportDocument
from assay_schemas.results import ExperimentResult, Plan


async def evidence_of(store: ObjectStore, result: ExperimentResult) -> Evidence:
    """The plan, and every manifest read against its reference."""
    plan = Plan.model_validate_json(await store.get_bytes(result.plan))
    for end in result.ends:
        if end.outcome == "succeeded" and end.result is not None:
            await store.get_bytes(end.result)
    return Evidence(plan, result)


async def no_training_rows(_store: ObjectStore, evidence: Evidence) -> Evidence:
    return evidence


def compiled(evidence: Evidence, _unknown: list[str]) -> tuple[ReportDocument, dict[str, str]]:
    """A report that tells how each job ended."""
    report = ReportDocument(
        experiment_id=evidence.plan.experiment_id,
        name=evidence.plan.spec.name,
        outcome=evidence.result.outcome,
        sentence=f"{len(evidence.result.ends)} jobs ended.",
        arms=[],
        benchmarks=[],
        cells=[],
        verdicts=[],
        generated_at=evidence.result.completed_at,
    )
    text = "\n".join(f"{end.key} {end.outcome}" for end in evidence.result.ends)
    return report, {form: f"{form}\n{text}" for form in FORMS}


REPLACEMENTS: dict[str, Any] = {
    "assay_reporter.publication.warm_up": lambda: None,
    "assay_reporter.publication.gather_evidence": evidence_of,
    "assay_reporter.publication.with_training_rows": no_training_rows,
    "assay_reporter.publication.baselines_of": lambda _evidence: {},
    "assay_reporter.publication._compiled": compiled,
    "assay_reporter.publication.POLL_S": 6.0,
}
