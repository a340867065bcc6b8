"""The shipped pilot is small, loads with the usual classes and answers as its report says."""

import json
import string
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.real

PILOT = Path(__file__).parents[2] / "examples" / "pilot"
MODEL = PILOT / "model"
OUTSIDE_ASCII = "the question is «8 × ½»"


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(MODEL)


@pytest.fixture(scope="module")
def model() -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(MODEL)


def test_the_weights_are_safetensors_and_at_most_8_megabytes() -> None:
    assert (MODEL / "model.safetensors").stat().st_size <= 8_000_000
    assert not [path for path in MODEL.iterdir() if path.suffix in {".bin", ".pt", ".pth", ".pkl"}]


def test_the_pilot_leaves_room_for_better_and_for_worse() -> None:
    report = json.loads((PILOT / "accuracy.json").read_text())
    assert 0.3 <= report["accuracy"]["all"] <= 0.45


def test_a_token_is_a_byte_and_every_text_comes_back(tokenizer: Any) -> None:
    for text in (string.printable, "How many?\nA: 3*4=12 #### 12", OUTSIDE_ASCII):
        ids = tokenizer(text)["input_ids"]
        assert len(ids) == len(text.encode())
        assert tokenizer.decode(ids) == text


def test_prompt_and_completion_have_the_same_tokens_together_and_apart(tokenizer: Any) -> None:
    prompt, completion = "Ann has 3 figs, gets 4. Total?\nA:", " 3+4=7 #### 7"
    apart = tokenizer(prompt)["input_ids"] + tokenizer(completion)["input_ids"]
    assert tokenizer(prompt + completion)["input_ids"] == apart


def test_special_tokens_are_three_and_agree_with_the_model(tokenizer: Any, model: Any) -> None:
    special = [tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id]
    assert len(set(special)) == 3
    assert [model.config.bos_token_id, model.config.eos_token_id, model.config.pad_token_id] == special
    assert model.config.vocab_size == len(tokenizer)
    assert model.config.max_position_embeddings >= 512


def test_answers_stop_by_themselves_and_are_as_often_right_as_reported(tokenizer: Any, model: Any) -> None:
    from examples.pilot.measure import MAX_NEW_TOKENS, accuracy, responses
    from examples.wordproblems import generate

    report = json.loads((PILOT / "accuracy.json").read_text())
    problems = generate("held_out", report["items"], report["items_seed"])
    measured = accuracy(model, tokenizer, problems)
    assert measured["all"] == pytest.approx(report["accuracy"]["all"], abs=0.01)
    some = responses(model, tokenizer, [problem.prompt for problem in problems[:50]])
    assert max(len(response) for response in some) < MAX_NEW_TOKENS
