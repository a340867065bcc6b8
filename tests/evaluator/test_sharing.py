"""Several evaluations in one run: one engine, a manifest for each, and no one's failure is another's."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from assay_chassis.compute import JobRun
from assay_chassis.compute.members import MEMBERS, shared_run
from assay_chassis.object_store import SyncObjectStore
from assay_evaluator.handlers import company_of
from assay_evaluator.inputs import unwanted_key
from assay_schemas.artifacts import ModelRef, manifest_key
from assay_schemas.canonical import digest_of
from assay_schemas.jobs import EvalRequest, job_key
from assay_schemas.results import EvalResult

pytestmark = pytest.mark.real


class Context(SimpleNamespace):
    """What a shared run uses of a job's context."""

    def report_progress(self, record: dict[str, Any]) -> None:
        self.record = record[MEMBERS]

    def should_stop(self) -> bool:
        return False

    def finish(self, outcome: dict[str, Any]) -> None:
        self.outcome = outcome


def on(request: EvalRequest, folder: Path) -> EvalRequest:
    """The same evaluation of another checkpoint."""
    model = ModelRef(uri=folder.as_uri(), digest=digest_of(folder.name))
    inputs = request.inputs.model_copy(update={"model": model.digest})
    return request.model_copy(update={"inputs": inputs, "model": model, "job_key": job_key(inputs)})


def member(request: EvalRequest) -> JobRun:
    payload = request.model_dump(mode="json")
    return JobRun(kind="eval", job_key=request.job_key, attempt=1, entrypoint="a.b:c", payload=payload)


@pytest.fixture
def checkpoint(model: Path, tmp_path: Path) -> Path:
    """The tiny model with other weights."""
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "checkpoint"
    shutil.copytree(model, folder)
    tensors = {
        name: one.flip(0) if one.ndim > 1 else one for name, one in load_file(folder / "model.safetensors").items()
    }
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return folder


def test_checkpoints_and_benchmarks_share_an_engine_and_score_as_they_would_alone(
    ask, store: SyncObjectStore, sums, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog
) -> None:
    from assay_evaluator.progress import EvaluationProgress
    from assay_evaluator.sharing import run
    from assay_evaluator.worker import evaluate

    monkeypatch.setenv("ASSAY_OBJECT_STORE", store.root)
    monkeypatch.setenv("ASSAY_EVALUATION_CACHE", str(tmp_path / "cache"))
    caplog.set_level("INFO", logger="assay_evaluator.engines.resident")
    answers, choices = ask("exact_match", sums[:6], {"max_tokens": 4}), ask("multiple_choice", sums[:6])
    wanted = [answers, on(answers, checkpoint), choices, on(choices, checkpoint)]
    cancelled, broken = ask("multiple_choice", sums[:4]), on(ask("multiple_choice", sums[:5]), tmp_path / "gone")
    done = ask("multiple_choice", sums[:3])
    store.put_bytes(unwanted_key(member(cancelled)), b"")
    store.put_bytes(manifest_key(done.job_key, 1), b"written before")
    payload = shared_run([member(one) for one in (*wanted, cancelled, broken, done)], "a.b:c").payload
    context = Context(payload=payload, record={}, outcome=None)
    run(context)
    assert context.outcome == {"evaluations": 7}
    ends = {name: (one["state"], one.get("failure", {}).get("class")) for name, one in context.record.items()}
    assert ends[member(cancelled).name] == ("cancelled", None)
    assert ends[member(broken).name] == ("failed", "bad_input")
    assert not store.exists(manifest_key(cancelled.job_key, 1))
    assert ends[member(done).name] == ("succeeded", None)
    assert store.get_bytes(manifest_key(done.job_key, 1)) == b"written before"
    for request in wanted:
        assert ends[member(request).name] == ("succeeded", None)
        found = EvalResult.model_validate_json(store.get_bytes(manifest_key(request.job_key, 1)))
        alone = evaluate(request, store, tmp_path / "cache", EvaluationProgress(lambda _: None))
        assert found.metrics == alone.metrics
    opened = [record for record in caplog.records if record.getMessage().startswith("opened the engine")]
    assert len(opened) == 1 + len(wanted)


def test_company_is_kept_by_engine_hardware_and_priority_and_by_first_attempts_alone(ask, sums) -> None:
    request = ask("exact_match", sums[:2])
    other = ask("perplexity", [{"text": "one two"}])
    assert company_of(request) == company_of(other) != ""
    assert company_of(request.model_copy(update={"priority": "HIGH"})) != company_of(request)
    inputs = request.inputs.model_copy(update={"engine": "vllm"})
    assert company_of(request.model_copy(update={"inputs": inputs})) != company_of(request)
    assert company_of(request.model_copy(update={"attempt": 2})) == ""
