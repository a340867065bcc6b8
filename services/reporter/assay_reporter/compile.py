"""From evidence to the report document: comparisons, the sentence on top, what is missing, what to try next.

Pure; the clock is passed in.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from assay_schemas.cost.actual import cost_checks
from assay_schemas.experiments import CONTROL, PLACEBO
from assay_schemas.jobs import Usage
from assay_schemas.reports import Finding, ReportDocument, Verdict, VerdictWord

from assay_reporter.conclusion import answers, conclusion
from assay_reporter.energy import counted_joules
from assay_reporter.evidence import Evidence
from assay_reporter.examination import Examination
from assay_reporter.interventions import in_words, same_runs
from assay_reporter.next_steps import next_steps
from assay_reporter.scoring import benchmark_scores, cells, smallest_effect
from assay_reporter.sections import SECTIONS, Findings
from assay_reporter.statistics import Comparison, ExperimentComparisons, compare_experiment
from assay_reporter.unfinished import unfinished
from assay_reporter.validity import broken_comparisons, cancelled_arms


def compile_report(evidence: Evidence, now: datetime) -> ReportDocument:
    """The whole report of an ended experiment. Deterministic given the evidence and the time."""
    plan = evidence.plan
    scores = {benchmark.id: benchmark_scores(evidence, benchmark) for benchmark in plan.benchmarks}
    examined = Examination(evidence, scores)
    cancelled = cancelled_arms(examined)
    found = _compared(examined, cancelled)
    verdicts = [_verdict(one, evidence) for one in found.comparisons]
    findings = Findings(examined, verdicts, list(found.placebo_flags))
    sections = [section for build in SECTIONS if (section := build(findings)) is not None]
    return ReportDocument(
        experiment_id=plan.experiment_id,
        name=plan.spec.name,
        question=plan.spec.question,
        owner=plan.owner,
        outcome=evidence.result.outcome,
        sentence=conclusion(evidence, verdicts, findings.flags),
        answers=answers(verdicts),
        arms=[arm.name for arm in plan.arms],
        benchmarks=[benchmark.id for benchmark in plan.benchmarks],
        cells=cells(evidence, scores, _against_control(verdicts), cancelled),
        verdicts=verdicts,
        missing=unfinished(evidence),
        findings=[Finding(section=section.anchor, text=text) for section in sections for text in section.findings],
        next_steps=next_steps(evidence, verdicts, findings.flags),
        jobs=len(plan.jobs),
        reused=sum(end.reused for end in evidence.result.ends),
        usage=total_usage(evidence),
        unsaid=evidence.unsaid,
        estimates=cost_checks(plan.cost, evidence.result.ends),
        generated_at=now,
        sections=[section.model_dump(mode="json") for section in sections],
    )


def _compared(examined: Examination, cancelled: Collection[tuple[str, str]]) -> ExperimentComparisons:
    """Every comparison, of which those of an arm with control are declared. `cancelled`: (arm, benchmark) pairs."""
    plan = examined.evidence.plan
    arms = [arm.name for arm in plan.arms if arm.role == "arm"]
    return compare_experiment(
        list(examined.scores.values()),
        smallest_effects={one.id: smallest_effect(one, examined.scores[one.id]) for one in plan.benchmarks},
        primary=[(arm, benchmark.id) for benchmark in plan.benchmarks for arm in arms],
        first_arm=arms[0] if arms else None,
        broken=broken_comparisons(examined),
        cancelled=cancelled,
        look=plan.spec.budget.look if plan.spec.budget else 1,
        looks=plan.spec.budget.looks if plan.spec.budget else 1,
    )


def _verdict(one: Comparison, evidence: Evidence) -> Verdict:
    if same_runs(evidence.plan, one.arm, one.versus):
        told = f"{one.arm} and {one.versus} are the same runs, of the same data: there is nothing to compare."
        one = one.model_copy(update={"reason": told, "more_seeds": None, "more_items": None})
    benchmark = evidence.plan.benchmark(one.benchmark)
    return Verdict(
        arm=one.arm,
        versus=one.versus,
        benchmark=one.benchmark,
        metric=benchmark.primary,
        higher_is_better=one.higher_is_better,
        proportion=one.proportion,
        verdict=one.verdict,
        reason=one.reason,
        family=one.family,
        mean=one.mean,
        versus_mean=one.versus_mean,
        delta=one.delta,
        interval=one.interval,
        half_widths=one.half_widths,
        own_interval=one.own_interval,
        p=one.p,
        p_corrected=one.p_holm,
        smallest_effect=one.smallest_effect,
        detectable_effect=one.smallest_detectable_effect,
        items=one.n_items,
        clusters=one.n_observations if one.n_observations < one.n_items else None,
        items_dropped=one.n_dropped,
        seeds=one.seeds,
        versus_seeds=one.versus_seeds,
        more_seeds=one.more_seeds,
        more_items=one.more_items,
        notes=[*one.notes, *_changed_on_purpose(one, evidence)],
    )


def _changed_on_purpose(one: Comparison, evidence: Evidence) -> list[str]:
    """That an arm's rows were intervened in, so that nobody takes its verdict for one about the data as it is."""
    specs = {arm.name: arm for arm in evidence.plan.spec.arms if arm.interventions}
    return [
        f"{name} has its rows changed on purpose: {in_words(specs[name].interventions)}."
        for name in (one.arm, one.versus)
        if name in specs
    ]


def _against_control(verdicts: list[Verdict]) -> dict[tuple[str, str], VerdictWord]:
    return {
        (one.arm, one.benchmark): one.verdict
        for one in verdicts
        if one.versus == CONTROL and (one.family == "primary" or one.arm == PLACEBO)
    }


def total_usage(evidence: Evidence) -> Usage:
    """What this experiment's own jobs cost; reused ones cost it nothing."""
    own = [end.usage for end in evidence.result.ends if not end.reused]
    return Usage(
        wall_s=sum(one.wall_s for one in own),
        cpu_s=sum(one.cpu_s for one in own),
        gpu_s=sum(one.gpu_s for one in own),
        gpu_energy_j=counted_joules(own),
        peak_memory_gib=max((one.peak_memory_gib for one in own), default=0.0),
        tokens=sum(one.tokens for one in own),
    )
