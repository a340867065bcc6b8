"""The same model and items here and through the `lm_eval` command line: the same numbers, to the bit."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from assay_evaluator.engines.resident import ResidentEngine
from assay_evaluator.progress import EvaluationProgress

from benchmarks.harness_tasks import own_tasks

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(900)]
Rows = list[dict[str, Any]]
WORDS = ["red", "blue", "green", "yellow", "white", "black", "small", "large", "old", "new", "round", "square"]
OWN = own_tasks(max_tokens=12)
HARNESS = {
    "gsm8k": "gsm8k/gsm8k.yaml",
    "arc_easy": "arc/arc_easy.yaml",
    "wikitext": "wikitext/wikitext.yaml",
    "lambada_openai": "lambada/lambada_openai.yaml",
    "nq_open": "nq_open/nq_open.yaml",
    "openbookqa": "openbookqa/openbookqa.yaml",
    "sciq": "sciq/sciq.yaml",
    "boolq": "super_glue/boolq/default.yaml",
}
GENERATED = ("gsm8k", "nq_open")
MODELS = {"transformers": "hf", "vllm": "vllm"}
BATCH = 16


def rows_for(name: str, answers: list[str]) -> Rows:
    """More than one batch of rows, in the form the task wants."""
    made: Rows = []
    for place in range(BATCH + 8):
        words = [WORDS[(place * step + step) % len(WORDS)] for step in range(2, 6 + place % 7)]
        text = " ".join(words)
        forms: dict[str, dict[str, Any]] = {
            "exact_match": {"prompt": f"{text}:", "answer": answers[place] if answers else "?"},
            "multiple_choice": {"prompt": f"{text}:", "choices": words[:4], "answer": place % 4, "right": place % 4},
            "perplexity": {"text": f"{text}. {text}"},
            "gsm8k": {"question": f"How many {text}?", "answer": f"There are {place}.\n#### {place}"},
            "arc_easy": {
                "question": f"Which is {words[0]}?",
                "choices": {"text": words[:4], "label": ["A", "B", "C", "D"]},
                "answerKey": "ABCD"[place % 4],
            },
            "wikitext": {"page": f" = {words[0]} = \n\n {text} , {text} @-@ {words[1]} ."},
            "lambada_openai": {"text": text},
            "nq_open": {"question": f"which is {text}", "answer": [words[0], words[1]]},
            "openbookqa": {
                "question_stem": f"{text} is",
                "choices": {"text": words[:4], "label": ["A", "B", "C", "D"]},
                "answerKey": "ABCD"[place % 4],
            },
            "sciq": {
                "question": f"Which is {words[0]}?",
                "support": text,
                "correct_answer": words[3],
                **{f"distractor{number}": words[number - 1] for number in (1, 2, 3)},
            },
            "boolq": {"passage": text, "question": f"is it {words[0]}", "label": place % 2},
        }
        made.append({"id": f"{name}-{place}", **forms[name]})
    return made


@pytest.fixture(scope="module")
def harness_folder() -> Path:
    import lm_eval.tasks

    return Path(lm_eval.tasks.__file__).parent


# One process and one model for all tasks, each its own call of the command line: together they would share batches,
# and the composition of a batch decides the last bits. What takes minutes and decides no value is left out: the index
# of thousands of unneeded task names, bootstrapped standard errors, and a description of the machine.
DRIVER = """
import sys
import lm_eval.evaluator, lm_eval.evaluator_utils
from lm_eval.__main__ import cli_evaluate
from lm_eval.api.model import LM
from lm_eval.tasks import TaskManager
assert TaskManager.__init__.__defaults__ == (None, None, True, None)
TaskManager.__init__.__defaults__ = (None, None, False, None)
lm_eval.evaluator.add_env_info = lambda results: None
lm_eval.evaluator_utils.stderr_for_metric = lambda **_: None
opened, make = {}, LM.create_from_arg_obj.__func__
def create(kind, *given):
    opened[kind] = opened.get(kind) or make(kind, *given)
    return opened[kind]
LM.create_from_arg_obj = classmethod(create)
kind, names, *arguments = sys.argv[1:]
if kind == "vllm":
    import assay_evaluator.engines.vllm  # finds vLLM's version where it is the build for processors
for name in names.split(","):
    sys.argv = ["lm_eval", "run", "--model", kind, *arguments, "--tasks", name]
    cli_evaluate()
"""


def command_line(folder: Path, kind: str, model: Path, tasks: dict[str, dict[str, Any]], rows: dict[str, Rows]) -> Any:
    """Run `lm_eval` once for each task: results by task, and samples by task in the items' order."""
    for name, config in tasks.items():
        data = folder / f"{name}.jsonl"
        data.write_text("".join(json.dumps(row) + "\n" for row in rows[name]))
        files = dict.fromkeys(("train", "validation", "test"), str(data))
        local = {"task": f"local_{name}", "dataset_path": "json", "dataset_name": None, "test_split": "test"}
        local |= {"dataset_kwargs": {"data_files": files}, "fewshot_split": "test", "tag": []}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump({**config, **local}))
    more = ",enforce_eager=True,max_num_seqs=16" if kind == "vllm" else ""
    batch = "auto" if kind == "vllm" else BATCH
    arguments = f"--model_args pretrained={model},dtype=float32{more} --batch_size {batch} --device cpu --num_fewshot 2"
    arguments += f" --gen_kwargs max_gen_toks=12 --include_path {folder} --output_path {folder / 'out'} --log_samples"
    names = ",".join(f"local_{name}" for name in tasks)
    command = [sys.executable, "-c", DRIVER, kind, names, *arguments.split()]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(folder / "cache")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=800, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    results: dict[str, Any] = {}
    for path in (folder / "out").rglob("results_*.json"):
        results |= json.loads(path.read_text())["results"]
    samples = {}
    for name in tasks:
        [path] = (folder / "out").rglob(f"samples_local_{name}_2*.jsonl")
        samples[name] = [json.loads(line) for line in path.read_text().splitlines()]
    return results, samples


@pytest.mark.parametrize("engine", MODELS)
def test_metrics_and_responses_are_those_of_the_command_line(
    engine: str, evaluated, model: Path, harness_folder: Path, tmp_path: Path
) -> None:
    if engine == "vllm" and importlib.util.find_spec("vllm") is None:
        pytest.skip("vllm is not installed in this environment")
    resident = ResidentEngine(EvaluationProgress(lambda _: None))

    def here(name: str, **parameters: Any) -> Any:
        return evaluated(name, rows[name], {"batch_size": BATCH, **parameters}, engine=engine, resident=resident)

    rows = {name: rows_for(name, []) for name in (*OWN, *HARNESS)}
    _, guesses = here("exact_match", max_tokens=12)
    answers = [sample.extracted if place % 3 else "?" for place, sample in enumerate(guesses)]
    rows["exact_match"] = rows_for("exact_match", answers)
    tasks = dict(OWN)
    tasks |= {name: {"include": str(harness_folder / path)} for name, path in HARNESS.items()}
    results, logged = command_line(tmp_path, MODELS[engine], model, tasks, rows)

    result, samples = here("exact_match", max_tokens=12)
    assert result.metrics["exact_match"].value == results["local_exact_match"]["exact_match,none"] > 0.5
    assert [sample.response for sample in samples] == [entry["resps"][0][0] for entry in logged["exact_match"]]

    result, samples = here("multiple_choice")
    assert result.metrics["accuracy"].value == results["local_multiple_choice"]["acc,none"]
    assert result.metrics["accuracy_normalised"].value == results["local_multiple_choice"]["acc_norm,none"]
    for sample, entry in zip(samples, logged["multiple_choice"], strict=True):
        assert json.loads(sample.details)["logprobs"] == [float(response[0][0]) for response in entry["resps"]]

    result, samples = here("perplexity")
    assert result.metrics["bits_per_byte_corpus"].value == results["local_perplexity"]["bits_per_byte,none"]
    assert [sample.logprob for sample in samples] == [float(entry["resps"][0][0]) for entry in logged["perplexity"]]

    for name in HARNESS:
        generated = name in GENERATED
        result, samples = here(name, num_fewshot=2, **({"max_tokens": 12} if generated else {}))
        theirs = results[f"local_{name}"]
        ours = {key if "," in key else f"{key},none": metric.value for key, metric in result.metrics.items()}
        named = {key: value for key, value in theirs.items() if "," in key and "_stderr," not in key}
        assert ours == named, name
        assert [sample.item_id for sample in samples] == [row["id"] for row in rows[name]]
        entries = {entry["doc_id"]: entry for entry in logged[name]}
        for sample in samples:
            entry = entries[sample.item_index]
            if generated:
                assert sample.response == entry["resps"][0][0]
            else:
                responses = json.loads(sample.details)["responses"]
                assert [str(part) for part in _flat(responses)] == [str(part) for part in _flat(entry["resps"])]


def _flat(value: Any) -> list[Any]:
    return [part for item in value for part in _flat(item)] if isinstance(value, list) else [value]
