"""Plans an experiment: from its specification and what intake found to the graph of jobs, by job key.

A pure function of values: it knows nothing of what was ever done, which reuse.py judges afterwards.

What is in a job key and what is not. `hardware` and `priority` never are: they decide where and when.
`micro_batch_size` and an eval's `batch_size` are: they change the order in which floats are summed and how
rows are padded, which moves losses in the last digits and can flip a greedy token. A key promises the same
work, so what can change a result stays in it. A benchmark's `dataset` location is not: the digest of its
items stands for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from assay_schemas.algorithms import Hyperparameters
from assay_schemas.artifacts import DatasetRef, ModelRef
from assay_schemas.benchmarks import NEWEST_HARNESS, AnyEngine, BenchmarkDefinition, definition_of
from assay_schemas.canonical import digest_of
from assay_schemas.endpoints import is_endpoint
from assay_schemas.experiments import (
    CONTROL,
    PLACEBO,
    ArmSpec,
    BenchmarkSpec,
    ExperimentSpec,
    Hardware,
    Intervention,
)
from assay_schemas.interventions import written_out
from assay_schemas.jobs import EvalInputs, ItemSplit, JobInputs, SelectionInputs, TrainingInputs, job_key
from assay_schemas.resolved import benchmark_ids, benchmark_parameters, engine_version_of, hyperparameters_of
from assay_schemas.results import Plan, PlannedArm, PlannedBenchmark, PlannedJob, PlannedReplicate

from assay_scheduler.findings import Findings
from assay_scheduler.states import Job, Wanted


def plan_experiment(
    spec: ExperimentSpec, findings: Findings, *, experiment_id: str, owner: str, warnings: list[str] | None = None
) -> Plan:
    """Every arm, replicate and job of an experiment; jobs that are the same work appear once."""
    benchmarks = planned_benchmarks(spec, findings)
    graph = _Graph(spec, findings, benchmarks)
    replicates = [graph.control()]
    for arm, name, seeds in _conditions(spec):
        replicates += [graph.replicate(arm, name, seed) for seed in seeds]
    replicates += [graph.reference(arm) for arm in spec.arms if arm.model is not None]
    return Plan(
        experiment_id=experiment_id,
        spec=spec,
        owner=owner,
        model=findings.model,
        arms=_planned_arms(spec, findings),
        benchmarks=benchmarks,
        replicates=replicates,
        jobs=list(graph.jobs.values()),
        warnings=[*(warnings or []), *_warnings(spec)],
    )


def _conditions(spec: ExperimentSpec) -> list[tuple[ArmSpec, str, list[int]]]:
    """What is trained: each arm with its seeds or the experiment's, and the placebo with seeds of its own."""
    trained = _trained(spec)
    conditions = [(arm, arm.name, arm.seeds or spec.seeds) for arm in trained]
    if spec.placebo:
        conditions.append((trained[0], PLACEBO, spec.placebo_seeds))
    return conditions


def _trained(spec: ExperimentSpec) -> list[ArmSpec]:
    return [arm for arm in spec.arms if arm.model is None]


def _planned_arms(spec: ExperimentSpec, findings: Findings) -> list[PlannedArm]:
    control = PlannedArm(name=CONTROL, role="control", description="the untouched base model")
    arms = [_planned_arm(arm, findings) for arm in spec.arms]
    if not spec.placebo:
        return [control, *arms]
    first = _trained(spec)[0]
    description = f"the data of {first.name} again, with other seeds: what differs is noise"
    placebo = PlannedArm(name=PLACEBO, role="placebo", dataset=findings.datasets[first.name], description=description)
    return [control, *arms, placebo]


def _planned_arm(arm: ArmSpec, findings: Findings) -> PlannedArm:
    if arm.model is None:
        return PlannedArm(name=arm.name, role="arm", dataset=findings.datasets[arm.name], description=arm.description)
    model = findings.references[arm.name]
    return PlannedArm(name=arm.name, role="reference", model=model, description=arm.description)


def planned_benchmarks(spec: ExperimentSpec, findings: Findings) -> list[PlannedBenchmark]:
    """The benchmarks with an id each: the name, numbered from the second use of one name."""
    planned = []
    ids = benchmark_ids([benchmark.name for benchmark in spec.benchmarks])
    for position, (benchmark, id_) in enumerate(zip(spec.benchmarks, ids, strict=True)):
        definition = _definition(benchmark)
        planned.append(
            PlannedBenchmark(
                id=id_,
                name=benchmark.name,
                harness_version=benchmark.harness_version or NEWEST_HARNESS,
                primary=definition.primary_metric,
                higher_is_better=definition.higher_is_better,
                smallest_effect=benchmark.smallest_effect or definition.smallest_effect,
                smallest_effect_is_relative=definition.smallest_effect_is_relative,
                items=findings.items.get(position),
            )
        )
    return planned


def _definition(benchmark: BenchmarkSpec) -> BenchmarkDefinition:
    definition = definition_of(benchmark.name, benchmark.harness_version or NEWEST_HARNESS)
    if definition is None:
        raise KeyError(benchmark.name)
    return definition


def _warnings(spec: ExperimentSpec) -> list[str]:
    if len(spec.seeds) == 1:
        return ["One seed cannot tell the data's effect from the seed's: there will be no verdict about the data."]
    return []


def training_inputs(
    *,
    algorithm: str,
    engine_version: str,
    model: str,
    dataset: str,
    hyperparameters: Hyperparameters,
    interventions: list[Intervention],
    seed: int,
    rewards: Mapping[str, ModelRef],
    auto_engine: str,
) -> TrainingInputs:
    """A training run's declared inputs, every default written out, `auto` resolved and reward models by digest."""
    values = hyperparameters.model_dump(mode="json")
    engine = auto_engine if values.get("rollout_engine") == "auto" else values.get("rollout_engine")
    if engine is not None:
        values |= {"rollout_engine": engine, "reward": _by_digest(values["reward"], rewards)}
    return TrainingInputs.model_validate(
        {
            "algorithm": algorithm,
            "engine_version": engine_version,
            "model": model,
            "dataset": dataset,
            "hyperparameters": values,
            "interventions": [written_out(intervention.model_dump(mode="json")) for intervention in interventions],
            "seed": seed,
            "rollout_engine": engine,
        }
    )


def _by_digest(reward: Any, models: Mapping[str, ModelRef]) -> Any:
    """Rewards with every model named by what it is, not by where it lay."""
    if isinstance(reward, list):
        return [_by_digest(each, models) for each in reward]
    if reward["kind"] != "model":
        return reward
    return {**reward, "checkpoint": f"sha256:{models[reward['checkpoint']].digest}"}


def eval_inputs(
    *,
    name: str,
    harness_version: str | None,
    parameters: dict[str, object],
    items: DatasetRef | None,
    limit: int | None,
    dtype: str,
    engine: AnyEngine | None = None,
    model: str | None = None,
    selection: str | None = None,
    split: ItemSplit | None = None,
) -> EvalInputs:
    """An eval's declared inputs: its items by digest, every parameter with its default."""
    resolved = benchmark_parameters(name, harness_version, parameters)
    return EvalInputs.model_validate(
        {
            "model": model,
            "selection": selection,
            "benchmark": name,
            "harness_version": harness_version or NEWEST_HARNESS,
            "parameters": resolved.declared(),
            "items": items.digest if items else None,
            "split": split,
            "limit": limit,
            "engine": engine or "transformers",
            "dtype": dtype,
        }
    )


def control_selection_key(model: ModelRef) -> str:
    """The key under which control's `checkpoint.selected` is published: the base model stands for itself."""
    return digest_of({"kind": "selection", "model": model.digest})


def wanted_jobs(plan: Plan) -> tuple[Wanted, ...]:
    """The plan's jobs as they would be if all were new, each with what its request needs, in the plan's order."""
    datasets = {found.digest: found for found in _datasets_of(plan)}
    arms = _first_arms(plan)
    models = {arm.model.digest: arm.model for arm in plan.arms if arm.model is not None}
    return tuple(
        Wanted(
            job=new_job(planned, hardware_of(plan.spec, planned.kind), plan.model, datasets, models),
            arm=arms.get(planned.key, ""),
            reason=planned.reason,
        )
        for planned in plan.jobs
    )


def hardware_of(spec: ExperimentSpec, kind: str) -> Hardware:
    """What a job of that kind gets. A selection that scores checkpoints evaluates."""
    return spec.hardware if kind == "training" else spec.evaluation_hardware or spec.hardware


def new_job(
    planned: PlannedJob,
    hardware: Hardware,
    model: ModelRef,
    datasets: Mapping[str, DatasetRef],
    references: Mapping[str, ModelRef] | None = None,
) -> Job:
    """A job that nothing was done on yet. Datasets and references by digest."""
    inputs = planned.inputs
    job = Job(planned.key, planned.kind, inputs, tuple(planned.depends_on), hardware=hardware)
    match inputs:
        case TrainingInputs():
            return replace(job, model=model, dataset=datasets[inputs.dataset])
        case EvalInputs():
            items = datasets[inputs.items] if inputs.items else None
            known = {**(references or {}), model.digest: model}
            return replace(job, model=known.get(inputs.model or ""), dataset=items)
        case SelectionInputs() if inputs.evaluation and inputs.evaluation.items:
            return replace(job, dataset=datasets[inputs.evaluation.items])
    return job


def _datasets_of(plan: Plan) -> list[DatasetRef]:
    found = [arm.dataset for arm in plan.arms] + [benchmark.items for benchmark in plan.benchmarks]
    return [dataset for dataset in found if dataset is not None]


def _first_arms(plan: Plan) -> dict[str, str]:
    """Which arm asks for each job; arms with the same data share theirs, and the first is named."""
    arms: dict[str, str] = {}
    for replicate in plan.replicates:
        for key in (replicate.training, replicate.selection, *replicate.evals.values()):
            if key is not None:
                arms.setdefault(key, replicate.arm)
    return arms


class _Graph:
    """Collects the jobs of one plan; equal inputs land on the same key and so on one job."""

    def __init__(self, spec: ExperimentSpec, findings: Findings, benchmarks: list[PlannedBenchmark]) -> None:
        self.jobs: dict[str, PlannedJob] = {}
        self._spec = spec
        self._findings = findings
        self._benchmarks = benchmarks
        self._dtype = hyperparameters_of(spec).dtype

    def control(self) -> PlannedReplicate:
        return PlannedReplicate(arm=CONTROL, evals=self._evals(model=self._findings.model.digest))

    def reference(self, arm: ArmSpec) -> PlannedReplicate:
        model = self._findings.references[arm.name]
        engine: AnyEngine | None = "endpoint" if is_endpoint(model.uri) else None
        return PlannedReplicate(arm=arm.name, evals=self._evals(model=model.digest, engine=engine))

    def replicate(self, arm: ArmSpec, name: str, seed: int) -> PlannedReplicate:
        training = self._add(
            training_inputs(
                algorithm=self._spec.training.algorithm,
                engine_version=engine_version_of(self._spec, arm),
                model=self._findings.model.digest,
                dataset=self._findings.datasets[arm.name].digest,
                hyperparameters=hyperparameters_of(self._spec, arm),
                interventions=arm.interventions,
                seed=seed,
                rewards=self._findings.rewards,
                auto_engine=self._findings.rollout_engine,
            )
        )
        selection = self._add(self._selection(training), training)
        evals = self._evals(selection=selection)
        return PlannedReplicate(arm=name, seed=seed, training=training, selection=selection, evals=evals)

    def _selection(self, training: str) -> SelectionInputs:
        """What chooses the checkpoint: by benchmark, on the side of its items that no eval reports."""
        declared = self._spec.selection
        if declared.policy != "best_benchmark":
            return SelectionInputs(training=training, policy=declared.policy)
        place = [planned.id for planned in self._benchmarks].index(str(declared.benchmark))
        evaluation = self._evaluation(place, split=self._split("selection"))
        return SelectionInputs(
            training=training,
            policy=declared.policy,
            items="selection",
            benchmark=evaluation.benchmark,
            share=declared.share,
            evaluation=evaluation,
        )

    def _split(self, side: Literal["selection", "reported"]) -> ItemSplit | None:
        """Every benchmark reports the other side only, control's too: two of them may share their items."""
        declared = self._spec.selection
        return ItemSplit(share=declared.share, side=side) if declared.policy == "best_benchmark" else None

    def _evals(
        self, *, model: str | None = None, selection: str | None = None, engine: AnyEngine | None = None
    ) -> dict[str, str]:
        evals = {}
        for place, planned in enumerate(self._benchmarks):
            inputs = self._evaluation(
                place, model=model, selection=selection, split=self._split("reported"), engine=engine
            )
            evals[planned.id] = self._add(inputs, *([selection] if selection else []))
        return evals

    def _evaluation(
        self,
        place: int,
        *,
        model: str | None = None,
        selection: str | None = None,
        split: ItemSplit | None,
        engine: AnyEngine | None = None,
    ) -> EvalInputs:
        benchmark = self._spec.benchmarks[place]
        return eval_inputs(
            name=benchmark.name,
            harness_version=benchmark.harness_version,
            parameters=benchmark.parameters,
            items=self._benchmarks[place].items,
            limit=benchmark.limit,
            engine=engine or benchmark.engine,
            dtype=self._dtype,
            model=model,
            selection=selection,
            split=split,
        )

    def _add(self, inputs: JobInputs, *depends_on: str) -> str:
        key = job_key(inputs)
        self.jobs.setdefault(key, PlannedJob(key=key, kind=inputs.kind, inputs=inputs, depends_on=list(depends_on)))
        return key
