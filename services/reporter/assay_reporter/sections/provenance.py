"""What exactly was compared: digests of model and data, harness and libraries, so that it can be done again."""

from __future__ import annotations

from assay_schemas.jobs import TrainingInputs

from assay_reporter.blocks import AnyBlock, Paragraph, Section, TableBlock
from assay_reporter.sections.findings import Findings


def provenance(findings: Findings) -> Section | None:
    """Always there: an experiment without provenance cannot be defended."""
    plan = findings.evidence.plan
    rows = [["base model", plan.model.name or plan.spec.base_model, plan.model.digest[:16], ""]]
    rows += [
        [f"data of {arm.name}", arm.dataset.source, arm.dataset.digest[:16], f"{arm.dataset.rows:,} rows"]
        for arm in plan.arms
        if arm.dataset is not None
    ]
    rows += [
        [f"items of {one.id}", one.items.source if one.items else one.harness_version,
         one.items.digest[:16] if one.items else "", f"{one.items.rows:,} items" if one.items else ""]
        for one in plan.benchmarks
    ]  # fmt: skip
    blocks: list[AnyBlock] = [TableBlock(columns=["what", "from", "SHA-256", "size"], rows=rows)]
    libraries = sorted({f"{name} {version}" for one in _manifests(findings) for name, version in one.items()})
    if libraries:
        blocks.append(Paragraph(text=f"Computed with {', '.join(libraries)}."))
    if mixed := _mixed(findings):
        words = "Evaluations were computed with different versions, some of them for an earlier experiment"
        blocks.append(Paragraph(text=f"{words}: {mixed}. Small differences may come from there."))
    if engines := _engines(findings):
        blocks.append(Paragraph(text=engines))
    blocks += [Paragraph(text=f"Noted when it was planned: {warning}") for warning in plan.warnings]
    return Section(title="What was compared", anchor="provenance", blocks=blocks)


def _engines(findings: Findings) -> str:
    """Who was trained by which version of the engine, where there is more than one."""
    jobs = {job.key: job.inputs for job in findings.evidence.plan.jobs}
    arms: dict[str, dict[str, None]] = {}
    for replicate in findings.evidence.plan.replicates:
        inputs = jobs.get(replicate.training) if replicate.training else None
        if isinstance(inputs, TrainingInputs):
            arms.setdefault(inputs.engine_version, {})[replicate.arm] = None
    listed = "; ".join(f"engine {version}: {', '.join(names)}" for version, names in arms.items())
    return f"Trained by different versions of the engine ({listed})." if len(arms) > 1 else ""


def _mixed(findings: Findings) -> str:
    """Libraries of evaluations that have more than one version."""
    versions: dict[str, set[str]] = {}
    for one in findings.evidence.evaluations.values():
        for name, version in one.result.libraries.items():
            versions.setdefault(name, set()).add(version)
    return "; ".join(f"{name} {' and '.join(sorted(found))}" for name, found in versions.items() if len(found) > 1)


def _manifests(findings: Findings) -> list[dict[str, str]]:
    evidence = findings.evidence
    trained = [one.libraries for one in evidence.trainings.values()]
    return trained + [one.result.libraries for one in evidence.evaluations.values()]
