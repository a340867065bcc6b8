"""The preference benchmark asks a language model by likelihood a byte, and a reward model by score."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from assay_chassis.job_service import JobFailed
from assay_chassis.object_store import SyncObjectStore
from assay_evaluator.samples import samples_from_parquet
from assay_schemas.artifacts import ModelRef
from assay_schemas.canonical import digest_of
from assay_schemas.jobs import EvalRequest
from assay_schemas.results import EvalResult, Sample

pytestmark = pytest.mark.real
PAIRS = [
    {"prompt": f"{n} + {n} = ", "chosen": f"{2 * n}" + "!" * (n % 3), "rejected": "no" * (1 + n % 4)} for n in range(12)
]
Judged = Callable[..., tuple[EvalResult, list[Sample]]]


@pytest.fixture(scope="module")
def scorer(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with one score for each text."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = tmp_path_factory.mktemp("scorer")
    torch.manual_seed(3)
    made = AutoModelForSequenceClassification.from_pretrained(model, num_labels=1)
    made.save_pretrained(folder)
    AutoTokenizer.from_pretrained(model).save_pretrained(folder)
    return folder


@pytest.fixture
def judged(ask: Callable[..., EvalRequest], store: SyncObjectStore, scorer: Path, tmp_path: Path) -> Judged:
    """Evaluates the reward model in this process."""

    def evaluation(*arguments: Any, **inputs: Any) -> tuple[EvalResult, list[Sample]]:
        from assay_evaluator.progress import EvaluationProgress
        from assay_evaluator.worker import evaluate

        model = ModelRef(uri=scorer.as_uri(), digest=digest_of(scorer.name))
        request = ask(*arguments, **inputs).model_copy(update={"model": model})
        result = evaluate(request, store, tmp_path, EvaluationProgress(lambda _: None))
        return result, samples_from_parquet(store.get_bytes(result.samples))

    return evaluation


def likelihood(folder: Path, prompt: str, answer: str) -> float:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    before = len(tokenizer(prompt.rstrip())["input_ids"])
    ids = torch.tensor(tokenizer(prompt + answer)["input_ids"])
    with torch.no_grad():
        logprobs = model(input_ids=ids[None]).logits[0].log_softmax(-1)
    return sum(float(logprobs[at - 1, ids[at]]) for at in range(before, len(ids)))


def test_a_language_model_is_asked_by_its_likelihood_a_byte(evaluated: Judged, model: Path) -> None:
    result, samples = evaluated("preference", PAIRS)
    expected = []
    for row in PAIRS:
        chosen, rejected = (
            likelihood(model, row["prompt"], row[side]) / len(row[side]) for side in ("chosen", "rejected")
        )
        expected.append(float(chosen > rejected))
    assert [sample.score for sample in samples] == expected
    assert result.primary == "accuracy"
    assert result.metrics["accuracy"].value == pytest.approx(sum(expected) / len(expected))
    assert 0 < sum(expected) < len(expected)


def test_a_reward_model_is_asked_by_its_score_of_the_whole_text(judged: Judged, scorer: Path) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model, tokenizer = AutoModelForSequenceClassification.from_pretrained(scorer), AutoTokenizer.from_pretrained(scorer)

    def score(text: str) -> float:
        with torch.no_grad():
            return float(model(**tokenizer(text + "<eos>", return_tensors="pt")).logits)

    _, samples = judged("preference", PAIRS)
    expected = [float(score(row["prompt"] + row["chosen"]) > score(row["prompt"] + row["rejected"])) for row in PAIRS]
    assert [sample.score for sample in samples] == expected
    assert 0 < sum(expected) < len(expected)


def test_equal_values_count_half() -> None:
    from assay_evaluator.benchmarks.preference import won

    assert [won([1.0], [1.0]), won([2.0], [1.0]), won([1.0], [2.0])] == [0.5, 1.0, 0.0]
    assert won([3.0], [1.0, 2.0, 3.0]) == 0.5
    assert won([3.0, 1.0], [2.0]) == 1.0
    assert won([3.0], [3.0, 3.0, 1.0]) == pytest.approx(1 / 3)


def test_the_best_of_several_answers_must_be_a_chosen_one(evaluated, model: Path) -> None:
    rows = [{"prompt": f"{n}:", "chosen": ["yes", f"{n}"], "rejected": ["no", "never", f"{n}!"]} for n in range(6)]
    _, samples = evaluated("preference", rows)
    for row, sample in zip(rows, samples, strict=True):
        values = json.loads(sample.details)["values"]
        assert [len(values["chosen"]), len(values["rejected"])] == [2, 3]
        expected = [likelihood(model, row["prompt"], answer) / len(answer) for answer in row["chosen"]]
        assert values["chosen"] == pytest.approx(expected, rel=1e-4)
        assert sample.score == float(max(values["chosen"]) > max(values["rejected"]))


def test_a_pair_too_long_for_the_model_fails_alone(judged: Judged) -> None:
    result, samples = judged("preference", [*PAIRS, {"prompt": "x" * 300, "chosen": "a", "rejected": "b"}])
    assert result.items_failed == 1
    assert samples[-1].score is None


def test_a_reward_model_is_not_asked_for_text(judged: Judged) -> None:
    with pytest.raises(JobFailed, match="exact_match needs text, and this is a reward model; use preference"):
        judged("exact_match", [{"prompt": "a", "answer": "b"}])
