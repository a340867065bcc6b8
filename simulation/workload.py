"""What people ask for in a seed: experiments that share jobs, repeats, cancels, and records that are no events.

A function of the seed alone.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any, Literal

from assay_schemas.envelope import Event
from assay_schemas.ids import experiment_id

from simulation.clock import EPOCH
from simulation.faults import Kind

SOURCE = "/people"
LETTERS = "abc"
MOST_EXPERIMENTS = 6
Mood = Literal["usual", "restless", "pairs", "colleagues", "long", "overtaken"]
MOODS: tuple[Mood, ...] = (
    *("usual",) * 7,
    "colleagues",
    "overtaken",
    *("restless",) * 5,
    *("pairs",) * 2,
    *("long",) * 4,
)
"""What people are like in a seed: some change their minds again and again, while jobs are being admitted; some come in
pairs, of whom the second is in more of a hurry and both do not fit; some want what a colleague has just asked for, and
more; some ask for trainings that outlast a lease, and others join them meanwhile; and of some such trainings an attempt
is given up, and ends well beside the next."""
LASTING = frozenset({"long", "overtaken"})
SMALL = frozenset({"pairs", "colleagues"}) | LASTING
INSTEAD: dict[Mood, float] = {"usual": 0.4, "restless": 0.9}
"""How likely somebody thinks better of it; others never do."""
ARMS: dict[Mood, tuple[int, ...]] = {
    "restless": (1, 2, 2),
    "pairs": (1,),
    "colleagues": (1,),
    "long": (2, 2, 3),
    "overtaken": (2, 2, 3),
}
CPUS: dict[Mood, tuple[int, ...]] = {
    "restless": (1,),
    "pairs": (2,),
    "colleagues": (1,),
    "long": (1,),
    "overtaken": (1,),
}
USUAL_ARMS = USUAL_CPUS = (1, 1, 2)
PAIRS_EVERY_S, PAIR_WITHIN_S = 15.0, 0.8
WORK_S = (1.0, 6.0)
"""How long a job works, at least and at most, where nothing slows it down."""
LONG_S = (30.0, 46.0)
BAD_FOR_S = 60.0
JOINS_S = (5.0, 50.0)
JOINS_SOME = 0.5
"""How likely who joins asks for one arm only: what locks that one's rows then keeps signs of life of the others, read
with its own, waiting too."""
FAVOURED: dict[Mood, tuple[Kind, ...]] = {
    "restless": ("slow admission",),
    "pairs": ("slow lock", "slow admission", "late notification"),
    "long": (
        "slow lock",
        "backend unavailable",
        "process stopped holding locks",
        "process stopped in a decision",
        "clock jumps",
        "job deaf",
    ),
    "overtaken": ("every trainer stopped", "job deaf", "slow lock"),
}
"""Faults that go with such people."""
STEADY, OF_THEM = 0.6, (1, 2, 4, 6)
"""How likely there are no other faults, and how many of these."""
CAPACITY_CPUS = 3.0
"""What all jobs together may hold at once."""
QUOTA_CPUS = {"bob": 2.0}
"""What the jobs of an owner may hold at once; the others have no limit."""


@dataclass(frozen=True)
class Asked:
    """One thing that someone does at a time: an event to publish, or a record of raw bytes."""

    at: float
    what: Literal["request", "cancel", "rubbish"]
    event: Event | None = None
    topic: str = ""
    value: bytes = b""


@dataclass
class Workload:
    """`experiments` is each experiment's specification by id."""

    seed: int
    most_experiments: int = MOST_EXPERIMENTS
    experiments: dict[str, dict[str, Any]] = field(default_factory=dict)
    cancelled: dict[str, str] = field(default_factory=dict)
    """Experiments by the id of the event that cancels them."""
    asked: list[Asked] = field(default_factory=list)
    rubbish: int = 0
    training_s: tuple[float, float] = WORK_S
    _within_s: float = 0.0
    mood: Mood = "usual"
    _last: tuple[str, dict[str, Any], float] | None = None

    def __post_init__(self) -> None:
        draw = random.Random(f"workload {self.seed}")
        # Half of the seeds have their requests close together, so that taking in, admission and ends meet.
        self._within_s = draw.choice((3.0, 12.0))
        self.mood = draw.choice(MOODS)
        count = draw.choice((1, 2, 2, 3, 3, 4))
        match self.mood:
            case "restless":
                count = MOST_EXPERIMENTS
            case "pairs" | "colleagues":
                count = 4
            case "long" | "overtaken":
                count, self.training_s = 3, LONG_S
        for number in range(1, min(self.most_experiments, count) + 1):
            self._experiment(draw, number)
        for _ in range(draw.choice((0, 0, 0, 1, 2))):
            self.rubbish += 1
            topic = draw.choice(("experiment.requested", "experiment.cancel.requested", "training.completed"))
            self.asked.append(
                Asked(draw.uniform(0, 15), "rubbish", topic=topic, value=b"not json " + bytes([48 + self.rubbish]))
            )
        self.asked.sort(key=lambda one: one.at)

    def _experiment(self, draw: random.Random, number: int) -> None:
        identity = experiment_id(SOURCE, f"request-{number}")
        at = self._comes_at(draw, number)
        if self._last is not None and self.mood in LASTING:
            document = {**self._last[1], "name": f"experiment-{number}"}
            if draw.random() < JOINS_SOME:
                document["arms"] = draw.sample(document["arms"], 1)
        elif self._last is not None and self.mood == "colleagues" and number % 2 == 0:
            document = self._more(draw, number)
        elif self._last is not None and draw.random() < INSTEAD.get(self.mood, 0.0):
            document, at = self._instead(draw, number)
        else:
            document = _document(draw, number, self.mood)
            if self.mood == "pairs":
                document["priority"] = "LOW" if number % 2 else "HIGH"
            if self.mood == "colleagues":
                document["owner"] = "ann"
        self.experiments[identity] = document
        self._last = identity, document, at
        request = _event("experiment.requested", f"request-{number}", document, identity)
        for _ in range(draw.choice((1, 1, 1, 2))):
            self.asked.append(Asked(at, "request", request))
            at += draw.uniform(0.0, 8.0)
        if draw.random() < 0.25:
            self._cancel(identity, max(0.0, at + draw.choice((draw.uniform(-10.0, 25.0), draw.uniform(0.0, 2.5)))))

    def _comes_at(self, draw: random.Random, number: int) -> float:
        if self.mood in LASTING and number > 1:
            return draw.uniform(*JOINS_S)
        if self.mood not in ("pairs", "colleagues"):
            return draw.uniform(0.0, self._within_s)
        pair = (number - 1) // 2
        return pair * PAIRS_EVERY_S + draw.uniform(0.0, PAIR_WITHIN_S) + (number - 1) % 2 * PAIR_WITHIN_S

    @property
    def bad_for_s(self) -> float:
        """How long faults last at least."""
        return BAD_FOR_S if self.mood in LASTING else 0.0

    @property
    def favoured(self) -> tuple[Kind, ...]:
        """Faults that are at their worst."""
        kinds, draw = FAVOURED.get(self.mood, ()), random.Random(f"favoured {self.seed}")
        of_them = self.mood == "long" and self.is_steady
        return tuple(draw.sample(kinds, draw.choice(OF_THEM))) if of_them else kinds

    @property
    def is_steady(self) -> bool:
        """Whether there are no other faults: what takes as long as a lease, or two, is seldom left alone so long."""
        if self.mood == "long":
            return random.Random(f"steady {self.seed}").random() < STEADY
        return self.mood == "overtaken"

    def _instead(self, draw: random.Random, number: int) -> tuple[dict[str, Any], float]:
        """Somebody thinks better of it: the last experiment again with other hardware, and a cancel of the last."""
        assert self._last is not None
        identity, last, at = self._last
        most = int(QUOTA_CPUS.get(last["owner"], 3))
        cpus = draw.choice([one for one in range(1, most + 1) if one != last["hardware"]["cpus"]])
        document = {**last, "name": f"experiment-{number}", "hardware": {**last["hardware"], "cpus": cpus}}
        soon_s = 3.0 if self.mood == "restless" else 4.0
        self._cancel(identity, at + draw.uniform(0.2, soon_s))
        return document, at + draw.uniform(0.0, soon_s)

    def _more(self, draw: random.Random, number: int) -> dict[str, Any]:
        """A colleague who has a quota wants what the last experiment's owner asked for, and other arms beside it."""
        assert self._last is not None
        last = self._last[1]
        others = [letter for letter in LETTERS if letter != last["arms"][0]["name"]]
        letters, cpus = draw.choice(((others, 1), (draw.sample(others, 1), 2)))
        return {
            **last,
            "name": f"experiment-{number}",
            "owner": "bob",
            "arms": [*last["arms"], *map(_arm, letters)],
            "hardware": {**last["hardware"], "cpus": cpus},
        }

    def _cancel(self, identity: str, at: float) -> None:
        number = len(self.cancelled) + 1
        self.cancelled[f"cancel-{number}"] = identity
        cancel = _event("experiment.cancel.requested", f"cancel-{number}", {"experiment_id": identity}, identity)
        self.asked.append(Asked(at, "cancel", cancel))


def is_valid(document: dict[str, Any]) -> bool:
    return "base_model" in document


def _document(draw: random.Random, number: int, mood: Mood) -> dict[str, Any]:
    letters = draw.sample(LETTERS, draw.choice(ARMS.get(mood, USUAL_ARMS)))
    document: dict[str, Any] = {
        "name": f"experiment-{number}",
        "owner": draw.choice(("ann", "bob")),
        "base_model": "/models/m",
        "training": {"algorithm": "SFT", "hyperparameters": {"steps": 10}},
        "arms": [_arm(letter) for letter in letters],
        "seeds": draw.choice(([0], [0], [1], [1] if mood in SMALL else [0, 1])),
        "benchmarks": [
            {"name": "exact_match", "parameters": {"dataset": f"/data/{items}"}}
            for items in draw.choice(("i", "i", "j", "j" if mood in SMALL else "ij"))
        ],
        "priority": draw.choice(("LOW", "MED", "HIGH")),
        "hardware": {"cpus": draw.choice(CPUS.get(mood, USUAL_CPUS)), "memory_gib": 1},
    }
    if draw.random() < 0.05:
        del document["base_model"]
    return document


def _arm(letter: str) -> dict[str, Any]:
    return {"name": letter, "dataset": f"/data/{letter}"}


def _event(topic: str, identity: str, data: dict[str, Any], key: str) -> Event:
    return Event(id=identity, source=SOURCE, type=topic, time=EPOCH, data=data, key=key)
