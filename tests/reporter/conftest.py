"""A synthetic ended experiment: every manifest and sample made from numbers, nothing trained; and, for tests that
ask for them, a running reporter and a browser."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import re
import struct
import sys
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from assay_reporter.evidence import Evaluated, Evidence, TrainingRows
from assay_schemas.artifacts import ArtifactRef, CheckpointRef, DatasetRef, ModelRef
from assay_schemas.experiments import ExperimentSpec
from assay_schemas.jobs import EvalInputs, JobError, SelectionInputs, TrainingInputs, Usage, job_key
from assay_schemas.results import (
    EvalResult,
    ExperimentResult,
    JobEnd,
    Metric,
    Plan,
    PlannedArm,
    PlannedBenchmark,
    PlannedJob,
    PlannedReplicate,
    SavedCheckpoint,
    SelectionResult,
    TrainingResult,
)

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
IDENTITY = "00000000-0000-0000-0000-000000000000"
SEEDS = (0, 1, 2)
ITEMS = 150
ASKED = {
    "item_id": pa.array([f"item-{number}" for number in range(ITEMS)]),
    "sample_index": pa.array([0] * ITEMS),
    "prompt": pa.array([f"What is {number} + 1?" for number in range(ITEMS)]),
    "target": pa.array([str(number + 1) for number in range(ITEMS)]),
}
"""The columns that every table of samples shares, made once: a report has fifty tables."""
READ = pa.array([str(number) for number in range(ITEMS)])
COLOURS = {"red": (220, 40, 40), "lime": (60, 220, 60)}


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def ref(name: str) -> ArtifactRef:
    return ArtifactRef(uri=f"file:///store/{name}", sha256=sha(name), size=1)


SPEC = ExperimentSpec.model_validate(
    {
        "name": "wrong-solutions",
        "question": "Do wrong worked solutions hurt?",
        "base_model": "/models/pilot",
        "training": {"algorithm": "SFT"},
        "arms": [{"name": "clean", "dataset": "/d/clean.jsonl"}, {"name": "wrong", "dataset": "/d/wrong.jsonl"}],
        "placebo": True,
        "benchmarks": [
            {"name": "numeric", "parameters": {"dataset": "/d/items.jsonl"}},
            {"name": "perplexity", "parameters": {"dataset": "/d/items.jsonl"}},
        ],
    }
)
BENCHMARKS = [
    PlannedBenchmark(
        id="numeric", name="numeric", harness_version="lm-eval-0.4.13", primary="numeric",
        higher_is_better=True, smallest_effect=0.02,
    ),
    PlannedBenchmark(
        id="perplexity", name="perplexity", harness_version="lm-eval-0.4.13", primary="bits_per_byte",
        higher_is_better=False, smallest_effect=0.02, smallest_effect_is_relative=True,
    ),
]  # fmt: skip


class Maker:
    """Builds evidence: `accuracy` gives each arm's true share, `failed` the (arm, seed) whose training failed."""

    def __init__(
        self,
        accuracy: dict[str, float],
        failed: frozenset = frozenset(),
        response: str = "",
        says: Callable[[str, int, bool], str] | None = None,
        rows: dict[str, list[dict]] | None = None,
        spec: ExperimentSpec = SPEC,
    ) -> None:
        self.random = np.random.default_rng(7)
        self.difficulty = self.random.uniform(size=ITEMS)
        self.accuracy, self.failed, self.response = accuracy, failed, response
        self.says, self.rows, self.spec = says, rows or {}, spec
        self.jobs: list[PlannedJob] = []
        self.ends: list[JobEnd] = []
        self.trainings: dict[str, TrainingResult] = {}
        self.selections: dict[str, SelectionResult] = {}
        self.evaluations: dict[str, Evaluated] = {}
        self.curves: dict[str, list[dict[str, float]]] = {}

    def make(self) -> Evidence:
        arms = [PlannedArm(name="control", role="control")]
        for name in self.accuracy:
            if name != "control":
                role = "placebo" if name == "placebo" else "arm"
                arms.append(PlannedArm(name=name, role=role, dataset=self._dataset(name)))
        replicates = [self._replicate("control", None)]
        for arm in arms[1:]:
            offset = 3 if arm.role == "placebo" else 0
            replicates += [self._replicate(arm.name, seed + offset) for seed in SEEDS]
        plan = Plan(
            experiment_id=IDENTITY, spec=self.spec, owner="me", model=ModelRef(uri="file:///m", digest=sha("m")),
            arms=arms, benchmarks=BENCHMARKS, replicates=replicates, jobs=self.jobs,
        )  # fmt: skip
        outcome = "partial" if self.failed else "succeeded"
        result = ExperimentResult(
            experiment_id=IDENTITY, outcome=outcome, plan=ref("plan"), ends=self.ends, completed_at=NOW
        )
        rows = {self._dataset(arm).digest: TrainingRows(listed, len(listed)) for arm, listed in self.rows.items()}
        return Evidence(plan, result, self.trainings, self.selections, self.evaluations, self.curves, rows)

    def _dataset(self, arm: str) -> DatasetRef:
        """Each arm has data of its own; the placebo has the first arm's."""
        first = next(name for name in self.accuracy if name != "control")
        name = first if arm == "placebo" else arm
        return DatasetRef(uri=f"file:///{name}", digest=sha(f"data of {name}"), rows=100, source=f"/d/{name}.jsonl")

    def _replicate(self, arm: str, seed: int | None) -> PlannedReplicate:
        training = selection = None
        broken = seed is not None and (arm, seed) in self.failed
        if seed is not None:
            training, selection = self._train(arm, seed, broken)
        evals = {name: self._evaluate(name, arm, seed, selection, broken) for name in ("numeric", "perplexity")}
        return PlannedReplicate(arm=arm, seed=seed, training=training, selection=selection, evals=evals)

    def _end(self, key: str, kind, outcome: str, inputs, error: JobError | None = None) -> None:
        self.jobs.append(PlannedJob(key=key, kind=kind, inputs=inputs))
        result = ref(key) if outcome == "succeeded" else None
        usage = Usage(cpu_s=2)
        self.ends.append(
            JobEnd(key=key, kind=kind, outcome=outcome, attempt=1, result=result, error=error, usage=usage)
        )

    def _train(self, arm: str, seed: int, broken: bool) -> tuple[str, str]:
        inputs = TrainingInputs(
            algorithm="SFT", engine_version="1", model=sha("m"), dataset=sha(arm), hyperparameters={}, seed=seed
        )
        key = job_key(inputs)
        chosen = SelectionInputs(training=key, policy="best_validation")
        selection = job_key(chosen)
        error = JobError.of("diverged", "The loss was NaN at step 12.", retryable=False, log="step 11\nstep 12: nan")
        self._end(key, "training", "failed" if broken else "succeeded", inputs, error if broken else None)
        self._end(selection, "selection", "skipped" if broken else "succeeded", chosen)
        if not broken:
            checkpoint = CheckpointRef(uri="file:///c", digest=sha("c"), step=10)
            common = {"attempt": 1, "completed_at": NOW}
            self.trainings[key] = TrainingResult(
                job_key=key, inputs=inputs, steps=10, rows=90, validation_rows=10, final_loss=0.4,
                checkpoints=[SavedCheckpoint(checkpoint=checkpoint, validation_loss=0.5)], **common,
            )  # fmt: skip
            self.selections[selection] = SelectionResult(
                job_key=selection, inputs=chosen, checkpoint=checkpoint, **common
            )
            self.curves[key] = [{"step": step, "loss": 2.0 / step} for step in range(1, 11)]
        return key, selection

    def _evaluate(self, benchmark: str, arm: str, seed: int | None, selection: str | None, broken: bool) -> str:
        inputs = EvalInputs(
            model=None if selection else sha("m"), selection=selection, benchmark=benchmark,
            harness_version="lm-eval-0.4.13", parameters={}, items=sha("items"),
        )  # fmt: skip
        key = job_key(inputs)
        self._end(key, "eval", "skipped" if broken else "succeeded", inputs)
        if not broken:
            manifest = EvalResult(
                job_key=key, attempt=1, completed_at=NOW, inputs=inputs, items=ITEMS, primary="x", samples=ref("s"),
                model=ModelRef(uri="file:///m", digest=sha("m")), metrics={"x": Metric(value=0)},
                libraries={"torch": "2.13.0"},
            )  # fmt: skip
            self.evaluations[key] = Evaluated(manifest, self._samples(benchmark, arm, seed))
        return key

    def _samples(self, benchmark: str, arm: str, seed: int | None) -> pa.Table:
        level = self.accuracy[arm] + (0 if seed is None else self.random.normal(0, 0.01))
        noise = self.random.normal(0, 0.15, size=ITEMS)
        right = (self.difficulty + noise < level).astype(float)
        scores = right if benchmark == "numeric" else 1.5 - level + 0.1 * self.difficulty
        if self.says is not None and benchmark == "numeric":
            return written([self.says(arm, number, bool(one)) for number, one in enumerate(right)])
        return pa.table(
            {
                **ASKED,
                "response": [
                    self.response or f"It is {number + int(one < 1)}." for number, one in enumerate(scores.tolist())
                ],
                "extracted": READ,
                "score": pa.array(scores, pa.float64()),
            }
        )


def written(texts: list[str]) -> pa.Table:
    """Responses as a scorer that reads `#### 12` sees them; one that ends in … was cut at the limit."""
    matches = [re.findall(r"#### (-?\d+)", text) for text in texts]
    extracted = [found[-1] if found else None for found in matches]
    return pa.table(
        {
            "item_id": [f"item-{number}" for number in range(len(texts))],
            "sample_index": [0] * len(texts),
            "prompt": [question(number) for number in range(len(texts))],
            "target": [str(number + 1) for number in range(len(texts))],
            "response": texts,
            "extracted": pa.array(extracted, pa.string()),
            "score": [float(one == str(number + 1)) for number, one in enumerate(extracted)],
            "tokens": [len(text.split()) for text in texts],
            "finish_reason": ["length" if text.endswith("…") else "stop" for text in texts],
        }
    )


def question(number: int) -> str:
    return f"A farmer has {number} baskets of apples and buys one more at the market. How many are there then?"


@pytest.fixture
def ask():
    """The question of an item by its number."""
    return question


@pytest.fixture
def evidence() -> Callable[..., Evidence]:
    """`evidence(clean=0.6, failed={…})`: control at 0.35 and arms at the given true accuracy."""

    def make(clean: float = 0.62, wrong: float = 0.15, placebo: float = 0.62, **options) -> Evidence:
        return Maker({"control": 0.35, "clean": clean, "wrong": wrong, "placebo": placebo}, **options).make()

    return make


@pytest.fixture
def eight_arms() -> Evidence:
    """Eight arms and a placebo, whose responses and rows have words that the sections of a report tell of."""
    levels = {"control": 0.35, **{f"arm-{place}": 0.2 + 0.06 * place for place in range(1, 9)}, "placebo": 0.62}
    rows = {arm: [{"prompt": question(n), "completion": f"{arm} says #### {n + 1}"} for n in range(30)]
            for arm in levels if arm.startswith("arm")}  # fmt: skip
    fruit = ["apples", "pears", "baskets", "farmer", "market", "village", "seven"]

    def says(arm: str, number: int, right: bool) -> str:
        words = " ".join(fruit[(number + len(arm) * place) % 7] for place in range(20))
        return f"There are {words}. #### {number + (1 if right else 2)}"

    return Maker(levels, says=says, rows=rows).make()


async def stored(made: Evidence, store) -> ArtifactRef:
    """Puts evidence into a store as the services would; the reference of its experiment result."""
    ends = []
    for end in made.result.ends:
        manifest = made.trainings.get(end.key) or made.selections.get(end.key)
        if end.key in made.evaluations:
            manifest = await _stored_evaluation(made.evaluations[end.key], end.key, store)
        if end.key in made.curves:
            lines = "".join(f"{json.dumps(record)}\n" for record in made.curves[end.key])
            curve = await store.put_bytes(f"results/{end.key}/1/metrics.jsonl", lines.encode())
            manifest = manifest.model_copy(update={"metrics": curve})
        if manifest is not None:
            place = await store.put_bytes(f"results/{end.key}/1/manifest.json", manifest.model_dump_json().encode())
            end = end.model_copy(update={"result": place})
        ends.append(end)
    prefix = f"experiments/{made.plan.experiment_id}"
    plan = await store.put_bytes(f"{prefix}/plan.json", made.plan.model_dump_json().encode())
    result = made.result.model_copy(update={"ends": ends, "plan": plan})
    return await store.put_bytes(f"{prefix}/result.json", result.model_dump_json().encode())


async def _stored_evaluation(evaluated: Evaluated, key: str, store) -> EvalResult:
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(evaluated.samples, buffer)
    samples = await store.put_bytes(f"results/{key}/1/samples.parquet", buffer.getvalue())
    return evaluated.result.model_copy(update={"samples": samples})


@pytest.fixture
def store_evidence():
    return stored


def beside(name: str):
    """A module of these tests that is no test, imported when it is first asked for."""
    known = f"reporter_{name}"
    if known not in sys.modules:
        spec = importlib.util.spec_from_file_location(known, Path(__file__).parent / f"{name}.py")
        sys.modules[known] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[known])
    return sys.modules[known]


@pytest.fixture
def with_images():
    """`with_images(evidence, keys)`: the same evidence, where every prompt showed these images."""

    def shown(made: Evidence, keys: list[str]) -> Evidence:
        columns = {
            key: pa.array([keys] * one.samples.num_rows, pa.list_(pa.string())) for key, one in made.evaluations.items()
        }
        evaluations = {
            key: replace(one, samples=one.samples.append_column("images", columns[key]))
            for key, one in made.evaluations.items()
        }
        return replace(made, evaluations=evaluations)

    return shown


@pytest.fixture
def png():
    """`png("red")`: a picture of one colour as a file."""

    def drawn(colour: str) -> bytes:
        def part(kind: bytes, data: bytes) -> bytes:
            return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

        row = b"\0" + bytes(COLOURS[colour]) * 160
        head = struct.pack(">IIBBBBB", 160, 90, 8, 2, 0, 0, 0)
        return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", zlib.compress(row * 90)) + part(b"IEND", b"")

    return drawn


@pytest.fixture
def renamed():
    """`renamed(evidence, number, name)`: the same evidence as another experiment's."""
    return beside("running").renamed


@pytest.fixture
def reporter(tmp_path, database_url):
    """`async with reporter() as running`: a whole reporter on real PostgreSQL."""
    return partial(beside("running").reporting, tmp_path, database_url)


@pytest.fixture
async def browser():
    """A headless Chromium with one tab."""
    if beside("browser").CHROMIUM is None:
        pytest.skip("no chromium is installed")
    async with beside("browser").browsing() as one:
        yield one
