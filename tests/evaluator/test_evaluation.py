"""Evaluations of a tiny Llama, against numbers computed here with nothing but torch."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from assay_chassis.job_service import JobFailed

pytestmark = pytest.mark.real
Rows = list[dict[str, Any]]
PAIR: Rows = [{"prompt": "a", "answer": "b"}]
TOGETHER: Rows = [*PAIR, *({"prompt": f"{n}", "answer": "b", "cluster": "x"} for n in range(2))]


class Reference:
    """The model without a harness: one text at a time, no batch, no padding, no cache."""

    def __init__(self, folder: Path) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.torch = torch
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)

    def likelihood(self, context: str, target: str) -> float:
        before = self.tokenizer.encode(context) or [self.tokenizer.bos_token_id]
        after = self.tokenizer.encode(target)
        with self.torch.no_grad():
            logits = self.model(self.torch.tensor([before + after])).logits[0].double()
        steps = self.torch.log_softmax(logits, -1)[len(before) - 1 : -1]
        return float(sum(step[token] for step, token in zip(steps, after, strict=True)))

    def greedy(self, prompt: str, tokens: int) -> str:
        ids = self.tokenizer.encode(prompt)
        start = len(ids)
        with self.torch.no_grad():
            for _ in range(tokens):
                ids.append(int(self.model(self.torch.tensor([ids])).logits[0, -1].argmax()))
                if ids[-1] == self.tokenizer.eos_token_id:
                    break
        return self.tokenizer.decode(ids[start:], skip_special_tokens=True)


@pytest.fixture(scope="module")
def reference(model: Path) -> Reference:
    return Reference(model)


def test_bits_per_byte_of_completions_is_what_torch_alone_gives(evaluated, reference, sums) -> None:
    result, samples = evaluated("perplexity", [{**row, "answer": None} for row in sums])
    likelihoods = [reference.likelihood(row["prompt"], row["completion"]) for row in sums]
    sizes = [len(row["completion"].encode()) for row in sums]
    expected = [-likelihood / size / math.log(2) for likelihood, size in zip(likelihoods, sizes, strict=True)]
    assert [sample.score for sample in samples] == pytest.approx(expected, rel=1e-5)
    assert result.primary == "bits_per_byte"
    assert result.metrics["bits_per_byte"].value == pytest.approx(sum(expected) / len(expected), rel=1e-6)
    corpus = -sum(likelihoods) / sum(sizes) / math.log(2)
    assert result.metrics["bits_per_byte_corpus"].value == pytest.approx(corpus, rel=1e-6)
    assert not result.metrics["bits_per_byte"].higher_is_better


def test_bits_per_byte_of_whole_texts_starts_from_the_begin_token(evaluated, reference, sums) -> None:
    texts = [{"text": row["prompt"] + row["completion"]} for row in sums]
    _, samples = evaluated("perplexity", texts)
    expected = [-reference.likelihood("", row["text"]) / len(row["text"].encode()) / math.log(2) for row in texts]
    assert [sample.score for sample in samples] == pytest.approx(expected, rel=1e-5)


def test_whitespace_that_ends_a_prompt_is_scored_and_counted_with_the_completion(evaluated, reference) -> None:
    _, [sample] = evaluated("perplexity", [{"prompt": "one\n", "completion": "two"}])
    expected = -reference.likelihood("one", "\ntwo") / 4 / math.log(2)
    assert sample.score == pytest.approx(expected, rel=1e-5)


def test_an_answer_is_set_off_by_a_space_and_a_completion_is_not(evaluated) -> None:
    _, [answer] = evaluated("perplexity", [{"prompt": "one:", "answer": "two"}])
    _, [completion] = evaluated("perplexity", [{"prompt": "one:", "completion": "two"}])
    assert (answer.target, completion.target) == (" two", "two")


def test_greedy_responses_are_what_torch_alone_generates(evaluated, reference, sums) -> None:
    result, samples = evaluated("exact_match", sums, {"max_tokens": 12})
    expected = [reference.greedy(row["prompt"], 12) for row in sums]
    assert [sample.response for sample in samples] == expected
    assert result.items == len(sums)
    assert len({sample.response for sample in samples}) > 5


def test_the_right_response_scores_one_and_the_mean_is_the_metric(evaluated, reference, sums) -> None:
    known = [{**row, "answer": reference.greedy(row["prompt"], 6)} for row in sums[:10]]
    result, samples = evaluated("exact_match", known + sums[10:], {"max_tokens": 6})
    assert [sample.score for sample in samples[:10]] == [1.0] * 10
    assert result.metrics["exact_match"].value == pytest.approx(sum(s.score for s in samples) / len(samples))
    assert result.metrics["exact_match"].value >= 0.25


def test_the_likeliest_choice_is_the_one_torch_alone_prefers(evaluated, reference, sums) -> None:
    result, samples = evaluated("multiple_choice", [{**row, "answer": 0} for row in sums])
    for row, sample in zip(sums, samples, strict=True):
        likelihoods = [reference.likelihood(row["prompt"], f" {choice}") for choice in row["choices"]]
        assert json.loads(sample.details)["logprobs"] == pytest.approx(likelihoods, rel=1e-4)
        assert sample.response == row["choices"][likelihoods.index(max(likelihoods))]
        assert sample.score == float(likelihoods.index(max(likelihoods)) == 0)
    assert result.metrics["accuracy"].value == pytest.approx(sum(s.score for s in samples) / len(samples))


def test_each_of_several_samples_is_a_row_and_a_seed_draws_the_same_again(evaluated, sums) -> None:
    parameters = {"max_tokens": 8, "temperature": 1.0, "samples": 3}
    result, first = evaluated("exact_match", sums[:6], parameters)
    _, again = evaluated("exact_match", sums[:6], parameters)
    _, other = evaluated("exact_match", sums[:6], parameters, seed=1)
    assert [(sample.item_id, sample.sample_index) for sample in first[:4]] == [
        ("sum-0", 0),
        ("sum-0", 1),
        ("sum-0", 2),
        ("sum-1", 0),
    ]
    assert len({sample.response for sample in first}) > 6
    assert [s.response for s in first] == [s.response for s in again] != [s.response for s in other]
    assert (result.items, result.metrics["exact_match"].items) == (6, 6)
    assert list(result.metrics) == ["exact_match", "pass@1", "pass@2", "pass@3", "maj@2", "maj@3"]
    assert first[0].scorer == "exact_match/1"


def test_a_stop_sequence_ends_a_response_and_is_cut_off(evaluated, reference, sums) -> None:
    _, plain = evaluated("exact_match", sums, {"max_tokens": 12})
    longest = max(plain, key=lambda sample: len(sample.response))
    stop = next(character for character in longest.response[4:] if character.isascii())
    _, stopped = evaluated("exact_match", sums, {"max_tokens": 12, "stop": [stop]})
    for before, after in zip(plain, stopped, strict=True):
        assert after.response == before.response.split(stop)[0]
        assert (after.finish_reason == "stop") == (stop in before.response or before.finish_reason == "stop")
    assert {sample.finish_reason for sample in plain} >= {"length"}
    assert all(sample.tokens == 12 for sample in plain if sample.finish_reason == "length")


def test_a_smaller_limit_asks_a_prefix_with_the_same_prompts(evaluated, sums) -> None:
    parameters = {"max_tokens": 2, "num_fewshot": 2}
    _, few = evaluated("exact_match", sums, parameters, limit=5)
    _, more = evaluated("exact_match", sums, parameters, limit=9)
    prompts = {sample.item_id: sample.prompt for sample in more}
    assert len(few) == 5
    assert all(prompts[sample.item_id] == sample.prompt for sample in few)
    assert all(sample.prompt.count("Answer:") == 3 for sample in few)


def test_an_items_examples_come_from_other_clusters_and_items_without_one_keep_theirs(evaluated, sums) -> None:
    rows = [{**row, "cluster": "ab"[number % 2] if number < 8 else None} for number, row in enumerate(sums[:10])]
    parameters = {"max_tokens": 2, "num_fewshot": 3}
    (result, samples), (again, _) = (evaluated("exact_match", rows, parameters) for _ in range(2))
    assert result.prompt_digest == again.prompt_digest
    shown = {row["id"]: [one["id"] for one in rows if one["prompt"] in asked(samples, row["id"])] for row in rows}
    assert all(len(one) == 4 for one in shown.values())
    clusters = {row["id"]: row["cluster"] for row in rows}
    for item, known in shown.items():
        assert clusters[item] is None or [one for one in known if clusters[one] == clusters[item]] == [item]
    _, as_the_harness = evaluated("exact_match", rows, {**parameters, "examples_from": "other_items"})
    plain = [{name: value for name, value in row.items() if name != "cluster"} for row in rows]
    _, without = evaluated("exact_match", plain, parameters)
    assert [one.prompt for one in as_the_harness] == [one.prompt for one in without]
    assert all(asked(samples, row["id"]) == asked(without, row["id"]) for row in rows[8:])
    assert any(asked(samples, row["id"]) != asked(without, row["id"]) for row in rows[:8])


def asked(samples: list[Any], item: str) -> str:
    return next(str(sample.prompt) for sample in samples if sample.item_id == item)


def test_items_that_cannot_be_asked_fail_and_do_not_count_as_wrong(evaluated, sums) -> None:
    rows = [*sums[:8], {"id": "blue", "prompt": "colour?", "answer": "blue"}]
    result, samples = evaluated("numeric", rows, {"max_tokens": 4})
    assert (result.items, result.items_failed, result.metrics["numeric"].items) == (9, 1, 8)
    [failed] = [sample for sample in samples if sample.item_id == "blue"]
    assert failed.score is None
    assert "holds no number" in failed.error


def test_items_that_hang_together_say_so_in_their_samples_and_have_no_interval_of_their_own(evaluated, sums) -> None:
    rows = [{**row, "cluster": "a" if number < 3 else None} for number, row in enumerate(sums[:6])]
    result, samples = evaluated("numeric", [*rows, {"id": "blue", "prompt": "?", "answer": "blue", "cluster": "a"}])
    named = {sample.item_id: json.loads(sample.details).get("cluster") for sample in samples}
    assert named == {**{row["id"]: row["cluster"] for row in rows}, "blue": "a"}
    assert result.metrics["numeric"].interval is None
    alone, _ = evaluated("numeric", sums[:6])
    assert alone.metrics["numeric"].interval is not None


def test_a_window_without_any_item_is_bad_input_and_no_empty_result(evaluated) -> None:
    rows = [{"prompt": "def f():", "tests": "f()", "released": day} for day in ("2023-05-01", "2024-01-01", None)]
    with pytest.raises(JobFailed, match="none of 3 rows is among those they ask for; widen the window") as caught:
        evaluated("code", rows, {"released_from": "2025-01-01"})
    assert (caught.value.error_class, caught.value.retryable) == ("bad_input", False)


def test_items_without_ids_and_with_the_same_id_are_each_asked_once(evaluated, sums) -> None:
    twice = [{**row, "id": "same"} for row in sums[:2]]
    without = [{key: value for key, value in row.items() if key != "id"} for row in sums[2:4]]
    result, samples = evaluated("multiple_choice", [*twice, *without])
    assert result.items == len({sample.item_id for sample in samples}) == 4
    assert {"same", "same~2"} < {sample.item_id for sample in samples}


def test_a_completion_longer_than_the_context_fails_alone(evaluated, sums) -> None:
    rows = [*sums[:4], {"id": "long", "prompt": "long", "completion": " word" * 100}]
    result, samples = evaluated("perplexity", rows)
    _, without = evaluated("perplexity", sums[:4])
    [failed] = [sample for sample in samples if sample.item_id == "long"]
    assert failed.score is None
    assert "context cannot hold" in failed.error
    assert result.items_failed == 1
    assert result.metrics["bits_per_byte"].value == pytest.approx(sum(sample.score for sample in without) / 4, rel=1e-6)


@pytest.mark.parametrize(
    ("benchmark", "rows", "parameters", "inputs", "words"),
    [
        ("numeric", [{"prompt": "colour?", "answer": "blue"}], {}, {}, "no item can be asked: answer: 'blue'"),
        ("exact_match", None, {}, {}, "items: are missing"),
        ("exact_match", PAIR, {"max_tokens": 256}, {}, "parameters.max_tokens: 256 leaves"),
        ("exact_match", PAIR, {"num_fewshot": 1}, {}, "parameters.num_fewshot: 1 examples"),
        ("exact_match", TOGETHER, {"num_fewshot": 2}, {}, "items of cluster 'x' need as many items of other clusters"),
        ("exact_match", PAIR, {"maxtokens": 2}, {}, "parameters.maxtokens: is not"),
        (
            "exact_match",
            PAIR,
            {},
            {"harness_version": "lm-eval-9"},
            "is not installed here",
        ),
        ("exact_match", PAIR, {}, {"engine": "endpoint"}, "endpoint cannot ask file"),
        ("judge", [{"prompt": "a"}], {}, {}, "parameters.judge"),
        ("humaneval", [{"prompt": "a"}], {}, {}, "needs a sandbox"),
        ("mmlu", [{"prompt": "a"}], {}, {}, "mmlu is a group of tasks"),
    ],
)
def test_what_can_never_work_is_bad_input_that_names_the_field(
    evaluated, benchmark: str, rows: Rows | None, parameters: dict[str, Any], inputs: dict[str, Any], words: str
) -> None:
    with pytest.raises(JobFailed, match=words) as caught:
        evaluated(benchmark, rows, parameters, **inputs)
    assert (caught.value.error_class, caught.value.retryable) == ("bad_input", False)


def test_a_harness_task_whose_rows_are_given_reads_them_with_its_own_functions(evaluated) -> None:
    rows = [
        {
            "problem": f"What is {place} plus 1?",
            "solution": f"It is \\boxed{{{place + 1}}}.",
            "level": "1",
            "type": "Algebra",
        }
        for place in range(3)
    ]
    result, samples = evaluated("minerva_math_algebra", rows, {"num_fewshot": 0, "max_tokens": 4})
    assert {"exact_match", "math_verify"} <= result.metrics.keys()
    assert sorted(sample.prompt for sample in samples) == [
        f"Problem:\nWhat is {place} plus 1?\n\nSolution:" for place in range(3)
    ]
    assert sorted(sample.target for sample in samples) == ["1", "2", "3"]
