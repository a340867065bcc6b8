"""What a company's teams ask for: experiments of several model sizes, many on data that was trained on before.
Pure: the same seed gives the same year."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from assay_scheduler.findings import Findings
from assay_scheduler.intake.equipping import standard_hardware
from assay_scheduler.planner import hardware_of, plan_experiment
from assay_schemas.artifacts import DatasetRef, ModelRef
from assay_schemas.cost.estimate import evaluation_cost, training_cost
from assay_schemas.cost.shape import ModelShape
from assay_schemas.cost.tokens import Length, TokenSample
from assay_schemas.experiments import ExperimentSpec, Hardware
from assay_schemas.jobs import EvalInputs, TrainingInputs
from assay_schemas.results import Plan
from assay_schemas.standard_hardware import hardware_table

TEAMS = ("math", "code", "safety", "dialogue", "vision-text", "tools", "agents", "science", "search", "translation")
PRIORITIES = (("LOW", 0.4), ("MED", 0.45), ("HIGH", 0.15))
SIZES = (("3B", 0.35), ("8B", 0.4), ("30B", 0.17), ("70B", 0.08))
KNOWN_DATA = 0.35
"""The share of arms whose data an earlier experiment of the team has used."""
TOKENS = Length(prompt_tokens=256, tokens=1000)


def _llama(layers: int, hidden: int, heads: int, feed_forward: int) -> ModelShape:
    return ModelShape(
        family="llama", layers=layers, hidden=hidden, heads=heads, kv_heads=8, head_dim=128,
        feed_forward=feed_forward, vocabulary=128_256,
    )  # fmt: skip


SHAPES = {
    "3B": _llama(28, 3072, 24, 8192),
    "8B": _llama(32, 4096, 32, 14_336),
    "30B": _llama(64, 5120, 64, 25_600),
    "70B": _llama(80, 8192, 64, 28_672),
}


@dataclass(frozen=True)
class Demand:
    """One experiment: its plan, when it is asked for, and the size of its model and data."""

    plan: Plan
    at: datetime
    size: str
    rows: int

    def hardware(self, kind: str) -> Hardware:
        return hardware_of(self.plan.spec, kind)

    def hours(self, inputs: object) -> float:
        """How long a job takes, by the estimate."""
        kind = "training" if isinstance(inputs, TrainingInputs) else "eval"
        return estimated_hours(self.size, kind, self.rows, self.plan.spec.hardware, self.hardware("eval"))


@cache
def estimated_hours(size: str, kind: str, rows: int, training: Hardware, evaluating: Hardware) -> float:
    sample = TokenSample(rows=rows, sampled_rows=1, lengths=(TOKENS,), source="bytes_per_token")
    if kind == "training":
        numbers = {"dtype": "bfloat16", "max_length": 1024, "epochs": 2}
        inputs = TrainingInputs(
            algorithm="SFT", engine_version="1", model="0" * 64, dataset="0" * 64, seed=0, hyperparameters=numbers
        )
        return training_cost(inputs, SHAPES[size], sample, training).hours
    asked = EvalInputs(
        benchmark="gsm8k", harness_version="lm-eval-0.4.13", parameters={"max_tokens": 512}, engine="transformers",
        dtype="bfloat16", model="0" * 64,
    )  # fmt: skip
    return evaluation_cost(asked, SHAPES[size], None, evaluating).hours


def demands(seed: int, start: datetime, months: int, a_month: int) -> Iterator[Demand]:
    """Experiments in the order they are asked for: on working days, most at noon (UTC)."""
    chance = random.Random(seed)
    used: dict[str, list[tuple[str, int]]] = {}
    times = sorted(_moment(chance, start, months) for _ in range(months * a_month))
    for number, at in enumerate(times):
        yield _demand(chance, number, at, used)


def _moment(chance: random.Random, start: datetime, months: int) -> datetime:
    while True:
        day = chance.randrange(months * 365 // 12)
        at = start + timedelta(days=day, hours=min(max(chance.gauss(12.0, 3.0), 0.0), 23.9))
        if at.weekday() < 5 or chance.random() < 0.1:
            return at


def _demand(chance: random.Random, number: int, at: datetime, used: dict[str, list[tuple[str, int]]]) -> Demand:
    team, size = chance.choice(TEAMS), _drawn(chance, SIZES)
    rows = int(min(max(chance.lognormvariate(14.3, 0.8), 10_000), 8_000_000) // 10_000 * 10_000)
    known = used.setdefault(f"{team} {size}", [])
    arms: dict[str, str] = {}
    for arm in ("first", "second", "third")[: chance.randint(2, 3)]:
        if known and chance.random() < KNOWN_DATA:
            arms[arm], rows = chance.choice(known[-6:])
        else:
            arms[arm] = f"{team}, {number}, {arm}"
    known += [(name, rows) for name in arms.values()]
    spec = ExperimentSpec.model_validate(
        {
            "name": f"experiment-{number}",
            "owner": team,
            "base_model": f"/models/{size}",
            "training": {"algorithm": "SFT", "hyperparameters": {"dtype": "bfloat16"}},
            "arms": [{"name": arm, "dataset": f"/{arm}"} for arm in arms],
            "seeds": 3,
            "priority": _drawn(chance, PRIORITIES),
            "benchmarks": [{"name": "gsm8k"}, {"name": "mmlu"}, {"name": "ifeval"}],
        }
    )
    equipped = standard_hardware(spec, SHAPES[size], hardware_table()).spec
    datasets = {arm: DatasetRef(uri=f"memory://{name}", digest=_digest(name), rows=rows) for arm, name in arms.items()}
    findings = Findings(ModelRef(uri=f"memory://{size}", digest=_digest(size)), datasets)
    plan = plan_experiment(equipped, findings, experiment_id=_identity(number), owner=team)
    return Demand(plan, at, size, rows)


def _drawn(chance: random.Random, choices: tuple[tuple[str, float], ...]) -> str:
    return chance.choices([name for name, _ in choices], [weight for _, weight in choices])[0]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _identity(number: int) -> str:
    return f"00000000-0000-5000-8000-{number:012x}"
