"""The HTTP API on a whole scheduler."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import contract_cases as cases
import pytest
import scheduler_stand_ins as stand_ins
from assay_schemas.cost.estimate import PlanCost
from assay_schemas.results import Plan

pytestmark = pytest.mark.real


def silent(kind: str, request: dict[str, Any]) -> dict[str, Any] | None:
    """Workers that never answer a training."""
    return None if kind == "training" else stand_ins.succeeded(kind, request)


async def test_an_experiment_is_shown_with_its_jobs_arm_by_arm(system, files: Path) -> None:
    async with system(answer=silent, capacity_cpus=1) as running:
        answer = await running.http.post("/experiments", json=cases.minimal(files) | {"name": "n", "owner": "me"})
        assert answer.status_code == 201
        found = (await running.http.get(answer.headers["location"])).json()
        assert (found["name"], found["owner"], found["status"]) == ("n", "me", "running")
        assert [arm["name"] for arm in found["arms"]] == ["control", "a"]
        assert [replicate["seed"] for replicate in found["arms"][1]["replicates"]] == [0, 1, 2]
        await running.until(lambda: running.workers.requests)
        found = (await running.http.get(answer.headers["location"])).json()
        waiting = {job["title"]: job["waiting"] for job in found["jobs"]}
        assert "Next in the queue: waits for processor cores to come free." in waiting.values()
        assert "Number 2 in the queue: waits for processor cores to come free." in waiting.values()
        assert waiting["select the checkpoint of a, seed 0"] == "Waits for the jobs it depends on."


async def test_experiments_are_listed_newest_first_by_owner_and_status_page_by_page(system, files: Path) -> None:
    async with system() as running:
        for owner in ("x", "y", "x"):
            answer = await running.http.post("/experiments", json=cases.minimal(files) | {"owner": owner})
            await running.completed(answer.json()["id"])
        await running.http.post("/experiments", json={"owner": "x"})
        page = (await running.http.get("/experiments", params={"owner": "x", "limit": 2})).json()
        assert [item["status"] for item in page["items"]] == ["rejected", "succeeded"]
        rest = (await running.http.get("/experiments", params={"owner": "x", "cursor": page["cursor"]})).json()
        assert [item["owner"] for item in rest["items"]] == ["x"]
        assert rest["cursor"] is None
        rejected = (await running.http.get("/experiments", params={"status": "rejected"})).json()["items"]
        assert [problem["field"] for problem in rejected[0]["problems"]][:1] == ["base_model"]
        assert (await running.http.get("/experiments", params={"cursor": "?"})).status_code == 422


async def test_an_idempotency_key_asks_once_and_not_for_something_else(system, files: Path) -> None:
    document, key = cases.minimal(files), {"Idempotency-Key": "k1"}
    async with system() as running:
        first = await running.http.post("/experiments", json=document, headers=key)
        again = await running.http.post("/experiments", json=document, headers=key)
        assert first.json()["id"] == again.json()["id"]
        other = await running.http.post("/experiments", json=document | {"name": "other"}, headers=key)
        assert other.status_code == 422
        assert other.json()["problems"][0]["field"] == "Idempotency-Key"
        await running.completed(first.json()["id"])
        assert len(await running.fetch("SELECT id FROM experiments")) == 1
        assert [event.data for event in running.events("experiment.requested")] == [document]


@pytest.mark.parametrize(
    ("body", "status"), [(b"{", 400), (b"[1]", 422), (b'{"a": NaN}', 400), (b'{"a":"' + b"x" * 300_000 + b'"}', 413)]
)
async def test_a_body_that_is_no_specification_is_refused(system, body: bytes, status: int) -> None:
    async with system() as running:
        answer = await running.http.post("/experiments", content=body)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status
        assert await running.fetch("SELECT id FROM experiments") == []


async def test_intake_that_takes_long_is_answered_with_202(system, files: Path) -> None:
    async with system(intake_wait_s=0.001, intake_workers=1) as running:
        answer = await running.http.post("/experiments", json=cases.minimal(files))
        assert answer.status_code == 202
        await running.completed(answer.json()["id"])


async def test_a_dry_run_plans_and_launches_nothing(system, files: Path) -> None:
    async with system() as running:
        plan = (await running.http.post("/experiments?dry_run=true", json=cases.minimal(files))).json()
        assert len(plan["jobs"]) == 10
        assert not any(job["reused"] for job in plan["jobs"])
        assert await running.fetch("SELECT id FROM experiments") == []
        identity = (await running.http.post("/experiments", json=cases.minimal(files))).json()["id"]
        await running.completed(identity)
        plan = (await running.http.post("/experiments?dry_run=true", json=cases.minimal(files))).json()
        assert all(job["reused"] for job in plan["jobs"])
        assert (await running.http.post("/experiments?dry_run=true", json={})).status_code == 422


async def test_a_cancelled_experiment_stops_its_jobs_and_ends_cancelled(system, files: Path) -> None:
    async with system(answer=silent) as running:
        identity = (await running.http.post("/experiments", json=cases.minimal(files))).json()["id"]
        await running.until(lambda: len(running.workers.asked("training")) == 3)
        assert (await running.http.post(f"/experiments/{identity}/cancel?reason=enough")).status_code == 202
        assert (await running.completed(identity)).data["outcome"] == "cancelled"
        trainings = {request["job_key"] for request in running.workers.asked("training")}
        await running.until(lambda: trainings <= {stop["job_key"] for stop in running.workers.cancels})
        found = (await running.http.get(f"/experiments/{identity}")).json()
        assert (found["status"], found["cancel_reason"]) == ("cancelled", "enough")


async def test_a_retried_experiment_is_a_new_one_that_reuses_what_succeeded(system, files: Path) -> None:
    broken = True

    def answer(kind: str, request: dict[str, Any]) -> dict[str, Any]:
        if broken and kind == "training" and request["inputs"]["seed"] == 0:
            return stand_ins.failed()
        return stand_ins.succeeded(kind, request)

    async with system(answer=answer) as running:
        identity = (await running.http.post("/experiments", json=cases.minimal(files))).json()["id"]
        assert (await running.completed(identity)).data["outcome"] == "partial"
        broken = False
        again = (await running.http.post(f"/experiments/{identity}/retry")).json()["id"]
        assert (await running.completed(again)).data["outcome"] == "succeeded"
        reasons = [job["reason"] for job in (await running.http.get(f"/experiments/{again}")).json()["jobs"]]
        assert sum(reason.startswith("done before") for reason in reasons) == 7
        assert sum(reason.startswith("failed before (diverged") for reason in reasons) == 1


async def test_what_was_refused_is_not_taken_again_but_its_problems_are_told(system) -> None:
    async with system() as running:
        identity = (await running.http.post("/experiments", json={"owner": "x"})).json()["experiment_id"]
        answer = await running.http.post(f"/experiments/{identity}/retry")
        assert answer.status_code == 422
        assert answer.json()["experiment_id"] == identity
        assert answer.json()["problems"][0]["field"] == "base_model"
        assert len(await running.fetch("SELECT id FROM experiments")) == 1


async def test_a_training_job_and_an_eval_job_are_asked_for_by_themselves(system, files: Path) -> None:
    training = {
        "training_config": {
            "base_model": str(files / "MODELS/pilot"),
            "dataset": str(files / "DATA/sft.jsonl"),
            "training_alg": "SFT",
            "hyperparams": {"steps": 5},
        },
        "priority": "HIGH",
        "hardware_config": {"cpus": 1},
        "engine_version": "1",
    }
    evaluation = {
        "model_checkpoint_path": str(files / "MODELS/pilot"),
        "benchmark_name": "GSM8K",
        "harness_params": {"temperature": 0, "max_tokens": 16},
        "priority": "LOW",
    }
    async with system() as running:
        for path, body, kind in (("/training_job", training, "training"), ("/eval_job", evaluation, "eval")):
            answer = await running.http.post(path, json=body)
            assert answer.status_code == 201, answer.text
            (request,) = await running.until(lambda kind=kind: running.workers.asked(kind))
            assert request["job_key"] == answer.json()["job_key"]
            assert request["priority"] == body["priority"]
            again = (await running.http.post(path, json=body)).json()
            assert again["reused"] or "joined" in again["reason"]
        assert running.workers.asked("eval")[0]["inputs"]["benchmark"] == "gsm8k"
        assert running.events("experiment.accepted") == running.events("experiment.completed") == []


async def test_problems_of_a_single_job_are_told_in_its_own_words(system, files: Path) -> None:
    training = {
        "training_config": {"base_model": "/none", "dataset": "/none", "training_alg": "SFTT"},
        "priority": "URGENT",
        "hardware_config": {"gpus": -1},
    }
    evaluation = {"model_checkpoint_path": str(files / "MODELS/pickled"), "benchmark_name": "nope", "limit": 3}
    unknown = {"training_config": {"base_model": "/m"}, "surprise": 1}
    async with system() as running:
        found = {}
        for path, body in (("/training_job", training), ("/eval_job", evaluation), ("/training_job", unknown)):
            answer = await running.http.post(path, json=body)
            assert answer.status_code == 422, answer.text
            found[json.dumps(body)] = sorted(problem["field"] for problem in answer.json()["problems"])
        assert list(found.values()) == [
            [
                "hardware_config.gpus",
                "priority",
                "training_config.base_model",
                "training_config.dataset",
                "training_config.training_alg",
            ],
            ["benchmark_name", "model_checkpoint_path"],
            ["surprise", "training_config.dataset", "training_config.training_alg"],
        ]
        assert running.events("experiment.rejected") == []


async def test_a_location_that_is_no_text_is_a_problem_of_its_field(system, files: Path) -> None:
    model, rows = str(files / "MODELS/pilot"), str(files / "DATA/sft.jsonl")
    async with system(intake_wait_s=5) as running:

        async def fields(path: str, body: dict[str, object]) -> set[str]:
            answer = await running.http.post(path, json=body)
            assert answer.status_code == 422, answer.text
            return {problem["field"] for problem in answer.json()["problems"]}

        for odd in (None, 7, ["a"], {"uri": "x"}):
            data = {"base_model": model, "dataset": odd, "training_alg": "SFT"}
            base = {"base_model": odd, "dataset": rows, "training_alg": "SFT"}
            assert "training_config.dataset" in await fields("/training_job", {"training_config": data})
            assert "training_config.base_model" in await fields("/training_job", {"training_config": base})
            evaluation = {"model_checkpoint_path": odd, "benchmark_name": "numeric", "harness_params": {"dataset": odd}}
            assert "model_checkpoint_path" in await fields("/eval_job", evaluation)


async def test_what_a_route_does_not_do_is_said_with_what_it_does(system, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.json"
    tokens.write_text('{"alice": "a"}')
    async with system(api_tokens_file=tokens) as running:
        refused = await running.http.delete("/jobs")
        assert refused.status_code == 405
        assert "GET" in refused.headers["Allow"]
        assert refused.headers["Content-Type"] == "application/problem+json"
        unknown = await running.http.get("/jobs")
        assert (unknown.status_code, unknown.headers["WWW-Authenticate"]) == (401, "Bearer")


async def test_hardware_that_is_never_there_is_refused_at_intake(system, files: Path) -> None:
    document = cases.minimal(files) | {"hardware": {"cpus": 64, "gpus": 1, "memory_gib": 8000}}
    async with system(capacity_cpus=2) as running:
        problems = (await running.http.post("/experiments", json=document)).json()["problems"]
        assert [problem["field"] for problem in problems] == ["hardware.cpus", "hardware.gpus", "hardware.memory_gib"]
        assert "this system has 2" in problems[0]["message"]
        document["hardware"] = {"nodes": 2}
        problems = (await running.http.post("/experiments", json=document)).json()["problems"]
        assert [problem["field"] for problem in problems] == ["hardware.nodes"]


async def test_a_job_is_shown_with_its_attempts_and_its_log(system, files: Path) -> None:
    def answer(kind: str, request: dict[str, Any]) -> dict[str, Any]:
        return stand_ins.failed() if kind == "training" else stand_ins.succeeded(kind, request)

    async with system(answer=answer) as running:
        identity = (await running.http.post("/experiments", json=cases.minimal(files))).json()["id"]
        assert (await running.completed(identity)).data["outcome"] == "failed"
        jobs = (await running.http.get("/jobs", params={"kind": "training", "status": "failed"})).json()["items"]
        assert len(jobs) == 3
        key = jobs[0]["key"]
        job = (await running.http.get(f"/jobs/{key}")).json()
        assert [(one["attempt"], one["outcome"]) for one in job["attempts"]] == [(1, "failed")]
        assert job["wanted_by"][0]["experiment"] == identity
        assert job["error"]["class"] == "diverged"
        assert (await running.http.get(f"/jobs/{key}/logs")).json()["log"] == "x"
        await running.parts.app.store.put_bytes(f"results/{key}/1/log-live.txt", b"the log while it runs")
        assert (await running.http.get(f"/jobs/{key}/logs")).json()["log"] == "the log while it runs"
        await running.parts.app.store.put_bytes(f"results/{key}/1/log.txt", b"the whole log")
        assert (await running.http.get(f"/jobs/{key}/logs")).json()["log"] == "the whole log"
        long = b"first\n" + b"between\n" * 2**20 + b"last\n"
        await running.parts.app.store.put_bytes(f"results/{key}/1/log.txt", long)
        lines = (await running.http.get(f"/jobs/{key}/logs")).json()["log"].splitlines()
        assert (lines[0], lines[-1]) == ("first", "last")
        assert [line for line in lines if "bytes of this log are left out here" in line]


async def test_a_job_is_cancelled_and_tried_again_by_hand(system, files: Path) -> None:
    async with system(answer=silent) as running:
        identity = (await running.http.post("/experiments", json=cases.minimal(files) | {"seeds": [0]})).json()["id"]
        (request,) = await running.until(lambda: running.workers.asked("training"))
        key = request["job_key"]
        assert (await running.http.post(f"/jobs/{key}/retry")).status_code == 409
        assert (await running.http.post(f"/jobs/{key}/cancel")).json()["status"] == "cancelling"
        await running.completed(identity)
        cancelled = {"outcome": "cancelled"}
        await running.broker.publish(stand_ins.completion("training", key, 1, cancelled))
        await running.broker.settled()
        running.workers.answer = stand_ins.succeeded
        assert (await running.http.post(f"/jobs/{key}/retry")).status_code == 202
        await running.until(lambda: len(running.workers.asked("training")) == 2)
        assert running.workers.asked("training")[-1]["attempt"] == 2


async def test_what_is_not_there_is_404_in_problem_details(system) -> None:
    async with system() as running:
        for path in ("/experiments/none", "/jobs/none", "/jobs/none/logs", "/nowhere"):
            answer = await running.http.get(path)
            assert answer.status_code == 404
            assert answer.headers["content-type"] == "application/problem+json"
        assert (await running.http.get("/experiments?limit=0")).json()["problems"][0]["field"] == "limit"


async def test_with_tokens_only_their_owners_may_ask(system, files: Path, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.json"
    tokens.write_text(json.dumps({"alice": "s3cret"}))
    async with system(api_tokens_file=tokens) as running:
        assert (await running.http.get("/experiments")).status_code == 401
        assert (await running.http.get("/healthz")).status_code == 200
        header = {"Authorization": "Bearer s3cret"}
        answer = await running.http.post("/experiments", json=cases.minimal(files) | {"owner": "bob"}, headers=header)
        assert answer.json()["owner"] == "alice"
        await running.completed(answer.json()["id"])


async def test_who_asks_again_is_who_the_token_says_and_each_owner_has_keys_of_their_own(
    system, files: Path, tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens.json"
    tokens.write_text(json.dumps({"alice": "a", "bob": "b"}))
    async with system(api_tokens_file=tokens) as running:
        alice, bob = ({"Authorization": f"Bearer {token}", "Idempotency-Key": "1"} for token in "ab")
        first = (await running.http.post("/experiments", json=cases.minimal(files), headers=alice)).json()
        await running.completed(first["id"])
        other = (await running.http.post("/experiments", json=cases.minimal(files), headers=bob)).json()
        assert (other["owner"], other["id"] != first["id"]) == ("bob", True)
        again = (await running.http.post(f"/experiments/{first['id']}/retry", headers=bob)).json()
        assert again["owner"] == "bob"
        await running.completed(other["id"])
        await running.completed(again["id"])


async def test_a_dry_run_says_what_it_would_cost_and_the_plan_keeps_it(system, files: Path) -> None:
    async with system() as running:
        cost = (await running.http.post("/experiments?dry_run=true", json=cases.minimal(files))).json()["cost"]
        assert cost["parameters"] > 0
        assert cost["device_hours"] > 0
        assert {tokens["sampled_rows"] for tokens in cost["tokens"].values()} == {12, 20}
        identity = (await running.http.post("/experiments", json=cases.minimal(files))).json()["id"]
        await running.completed(identity)
        kept = await running.parts.app.store.get_bytes(f"experiments/{identity}/plan.json")
        assert Plan.model_validate_json(kept).cost == PlanCost.model_validate(cost)
        again = (await running.http.post("/experiments?dry_run=true", json=cases.minimal(files))).json()["cost"]
        assert again["device_hours"] == 0
        assert again["reused_device_hours"] == pytest.approx(cost["device_hours"])


async def test_a_versions_file_that_breaks_later_is_said_and_mended_without_a_restart(
    system, files: Path, tmp_path: Path
) -> None:
    versions = tmp_path / "versions.json"
    versions.write_text("{}")
    body = {
        "training_config": {
            "base_model": str(files / "MODELS/pilot"),
            "dataset": str(files / "DATA/sft.jsonl"),
            "training_alg": "SFT",
        }
    }
    async with system(answer=silent, versions_file=versions) as running:
        assert (await running.http.get("/versions")).status_code == 200
        versions.write_text("{")
        for answer, status in (
            (await running.http.get("/versions"), 503),
            (await running.http.post("/training_job", json=body), 422),
        ):
            assert answer.status_code == status
            assert "ASSAY_VERSIONS_FILE" in answer.json()["detail"]
        versions.write_text("{}")
        assert (await running.http.post("/training_job", json=body)).status_code == 201
