"""Questions put to a model as its chat template says, and what becomes of a prompt that does not fit."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
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
TEMPLATE = (
    "{% for message in messages %}[{{ message.role }}] {{ message.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}[assistant] {% endif %}"
)
SHORT = {"max_tokens": 4}
Judged = Callable[..., tuple[EvalResult, list[Sample]]]


@pytest.fixture(scope="module")
def chatty(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with a chat template."""
    from transformers import AutoTokenizer

    folder = tmp_path_factory.mktemp("chatty") / "model"
    shutil.copytree(model, folder)
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def judged(ask: Callable[..., EvalRequest], store: SyncObjectStore, chatty: Path, tmp_path: Path) -> Judged:
    def evaluation(*arguments: Any, **inputs: Any) -> tuple[EvalResult, list[Sample]]:
        from assay_evaluator.progress import EvaluationProgress
        from assay_evaluator.worker import evaluate

        model = ModelRef(uri=chatty.as_uri(), digest=digest_of(chatty.name))
        request = ask(*arguments, **inputs).model_copy(update={"model": model})
        result = evaluate(request, store, tmp_path, EvaluationProgress(lambda _: None))
        return result, samples_from_parquet(store.get_bytes(result.samples))

    return evaluation


def test_a_question_goes_through_the_models_own_template_where_it_is_asked_for(judged, evaluated, sums) -> None:
    _, plain = evaluated("exact_match", sums[:4], SHORT)
    _, through = judged("exact_match", sums[:4], {**SHORT, "chat_template": True})
    assert [sample.prompt for sample in through] == [f"[user] {sample.prompt}\n[assistant] " for sample in plain]
    templated = [{**row, "prompt": f"[user] {row['prompt']}\n[assistant] "} for row in sums[:4]]
    _, written_out = evaluated("exact_match", templated, SHORT)
    assert [sample.response for sample in through] == [sample.response for sample in written_out]


def test_choices_continue_what_the_template_begins(judged, sums) -> None:
    _, samples = judged("multiple_choice", sums[:4], {"chat_template": True})
    assert all(sample.prompt.endswith("[assistant] ") and sample.error == "" for sample in samples)


def test_a_model_without_a_template_is_refused_where_one_is_needed(evaluated, sums) -> None:
    with pytest.raises(JobFailed, match=r"parameters\.chat_template: the model has no chat template") as caught:
        evaluated("exact_match", sums[:4], {**SHORT, "chat_template": True})
    assert (caught.value.error_class, caught.value.retryable) == ("bad_input", False)


def test_an_engine_over_several_processes_says_the_same_of_the_template(chatty: Path) -> None:
    from assay_evaluator.engines.base import EngineSettings
    from assay_evaluator.fanout.engine import FannedEngine

    asked = [{"role": "user", "content": "2 + 2"}]
    engine = FannedEngine("transformers", EngineSettings(chatty), SimpleNamespace(beat=lambda: None), 1)
    try:
        assert engine.has_chat_template
        assert engine.apply_chat_template(asked) == "[user] 2 + 2\n[assistant] "
    finally:
        engine.close()


def test_a_prompt_that_the_context_cannot_hold_fails_and_is_not_asked_in_part(evaluated, sums) -> None:
    long = {"id": "long", "prompt": "x" * 250, "answer": "1"}
    fits = {"id": "fits", "prompt": "x" * 240, "answer": "1"}
    result, samples = evaluated("exact_match", [*sums[:2], long, fits], {"max_tokens": 10})
    failed = {sample.item_id: sample for sample in samples if sample.error}
    assert list(failed) == ["long"]
    assert failed["long"].score is None
    assert "tokens too long for the model's context beside the answer" in failed["long"].error
    assert result.metrics["exact_match"].items == 3


def test_an_empty_answer_is_a_wrong_one_and_says_how_it_ended(evaluated, sums) -> None:
    _, first = evaluated("exact_match", sums[:1], {"max_tokens": 4})
    _, samples = evaluated("exact_match", sums[:1], {"max_tokens": 4, "stop": [first[0].response[0]]})
    assert (samples[0].response, samples[0].score, samples[0].error) == ("", 0.0, "")
    assert (samples[0].finish_reason, samples[0].tokens) == ("stop", 1)
