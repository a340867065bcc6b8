"""An evaluation over two processes is, to the bit, the evaluation of one; also when one of them is killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from assay_chassis.job_service import JobFailed
from assay_evaluator.engines.base import EngineSettings
from assay_evaluator.progress import EvaluationProgress, Stopped

pytestmark = pytest.mark.real
GREEDY = {"until": ["x"], "max_gen_toks": 6, "do_sample": False, "temperature": 0.0}
SAMPLED = {"until": [], "max_gen_toks": 6, "do_sample": True, "temperature": 1.0, "top_k": 0}


def requests(*arguments: tuple[Any, ...]) -> list[SimpleNamespace]:
    return [SimpleNamespace(args=one, task_name="") for one in arguments]


PROMPTS = [f"{'word ' * (number % 9)}{number} + {number} =" for number in range(30)]
PAIRS = [*((prompt, f" {place}") for place, prompt in enumerate(PROMPTS)), ("one", "")]
CHOICES = [(prompt, choice) for prompt in PROMPTS[:8] for choice in "abc"]


@pytest.fixture(scope="module")
def alone(model: Path) -> Iterator[Any]:
    """With one thread, as each of the two processes has: another number rounds probabilities differently."""
    import torch
    from assay_evaluator.engines.transformers import open_engine

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield open_engine(EngineSettings(model, batch_size=4), EvaluationProgress(lambda _: None))
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def spread(model: Path) -> Iterator[Any]:
    from assay_evaluator.fanout.engine import FannedEngine

    told: list[dict[str, Any]] = []
    engine = FannedEngine("transformers", EngineSettings(model, batch_size=4), EvaluationProgress(told.append), 2)
    engine.told = told
    yield engine
    engine.close()


def test_greedy_answers_and_how_they_ended_are_the_same(alone: Any, spread: Any) -> None:
    asked = requests(*((prompt, GREEDY) for prompt in PROMPTS))
    assert spread.generate_until(asked) == alone.generate_until(asked)
    ends = [[engine.generations.take(prompt, GREEDY, 1) for prompt in PROMPTS] for engine in (alone, spread)]
    assert ends[0] == ends[1]
    assert spread.told[-1] == {"phase": "running", "step": 30, "total": 30}
    assert all(worker.busy_s > 0 for worker in spread.workers)


def test_sampled_answers_are_the_same_and_repeats_differ(alone: Any, spread: Any) -> None:
    import torch

    asked = requests(*((prompt, SAMPLED) for prompt in PROMPTS[:5] for _ in range(6)))
    found = []
    for engine in (alone, spread):
        torch.manual_seed(11)
        found.append(engine.generate_until(asked))
    assert found[0] == found[1]
    assert len(set(found[0][:6])) > 3
    torch.manual_seed(12)
    assert spread.generate_until(asked) != found[0]


def test_likelihoods_are_the_same_to_the_bit(alone: Any, spread: Any) -> None:
    for pairs in (PAIRS, CHOICES):
        asked = requests(*pairs)
        assert repr(spread.loglikelihood(asked)) == repr(alone.loglikelihood(asked))


def test_whole_texts_longer_than_the_context_are_the_same_too(alone: Any, spread: Any) -> None:
    asked = requests(*((f"{prompt} {'and so on ' * (40 * (place % 5 == 0))}",) for place, prompt in enumerate(PROMPTS)))
    assert spread.loglikelihood_rolling(asked) == alone.loglikelihood_rolling(asked)


def test_membership_scores_are_the_same_and_a_text_of_one_token_has_none(alone: Any, spread: Any) -> None:
    asked = requests(*((prompt, 0.2) for prompt in [*PROMPTS, "x"]))
    found = spread.membership(asked)
    assert found == alone.membership(asked)
    assert found[-1] == (0, None, None)


def test_a_killed_worker_costs_nothing_but_its_shard(alone: Any, spread: Any) -> None:
    asked = requests(*((prompt, GREEDY) for prompt in PROMPTS))
    victim = spread.workers[1].process

    def report(record: dict[str, Any]) -> None:
        if record["step"] == 8:
            os.kill(victim.pid, signal.SIGKILL)

    spread._progress = EvaluationProgress(report)
    assert spread.generate_until(asked) == alone.generate_until(asked)
    assert spread.workers[1].process.pid != victim.pid
    assert not victim.is_alive()


def test_other_weights_reach_every_worker(model: Path, alone: Any, spread: Any, tmp_path: Path) -> None:
    import shutil

    from safetensors.torch import load_file, save_file

    other = tmp_path / "other"
    shutil.copytree(model, other)
    tensors = {name: -one for name, one in load_file(other / "model.safetensors").items()}
    save_file(tensors, other / "model.safetensors", {"format": "pt"})
    before = spread.loglikelihood(requests(*PAIRS[:6]))
    assert spread.swap(other)
    moved = spread.loglikelihood(requests(*PAIRS[:6]))
    assert moved != before
    assert spread.swap(model)
    assert spread.loglikelihood(requests(*PAIRS[:6])) == before == alone.loglikelihood(requests(*PAIRS[:6]))


def test_a_model_that_cannot_be_opened_and_a_wish_to_end_leave_no_process(model: Path, tmp_path: Path) -> None:
    from assay_evaluator.fanout.engine import FannedEngine

    quiet = EvaluationProgress(lambda _: None)
    with pytest.raises(JobFailed, match="nothing"):
        FannedEngine("transformers", EngineSettings(tmp_path / "nothing"), quiet, 1)
    stopping = EvaluationProgress(lambda _: None, lambda: bool(stop))
    stop: list[int] = []
    engine = FannedEngine("transformers", EngineSettings(model, batch_size=4), stopping, 1)
    process = engine.workers[0].process
    stop.append(1)
    with pytest.raises(Stopped):
        engine.generate_until(requests(*((prompt, GREEDY) for prompt in PROMPTS)))
    assert not process.is_alive()
