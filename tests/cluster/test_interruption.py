"""Training that Kueue takes off the cluster in the middle, and lets in again: no step is lost, and no attempt."""

from pathlib import Path
from typing import Any

import pytest
from teams import Team, load_system_tests, training_results

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(600)]
STEPS = 40
WITHIN_S = 400.0


def rival(team: Team) -> dict[str, Any]:
    """A Job of somebody else in the same queue, that goes first."""
    container = {"name": "rival", "image": "rival:1", "command": ["sleep", "600"]}
    labels = {"kueue.x-k8s.io/queue-name": "assay", "kueue.x-k8s.io/priority-class": "assay-high"}
    template = {"restartPolicy": "Never", "containers": [{**container, "resources": {"requests": {"cpu": "1"}}}]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "rival", "namespace": team.namespace, "labels": labels},
        "spec": {"suspend": True, "template": {"spec": template}},
    }


def test_a_preempted_training_goes_on_from_its_checkpoint_with_the_same_attempt(
    team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    team.set_quota(cpu=1)
    system = load_system_tests()
    with system.running(tmp_path / "system", system.SERVICES, team.system_environment()) as whole:
        monkeypatch.setenv("ASSAY_HOME", str(whole.state))
        document = whole.document(priority="LOW")
        document["training"]["hyperparameters"] |= {"steps": STEPS, "checkpoint_every": 5}
        document["benchmarks"] = document["benchmarks"][1:]
        run = whole.submit(**document)
        system.ground.until(lambda: checkpoints(whole.state / "store"), "a checkpoint was taken", WITHIN_S)
        team.plane.apply(rival(team))
        system.ground.until(lambda: preempted(team), "the rival was let in instead", WITHIN_S)
        team.plane.kubectl("delete", "job", "rival", "-n", team.namespace)
        whole.ended(run, WITHIN_S)
        trained = training_results(whole.state / "store")
    assert [(one["attempt"], one["steps"]) for one in trained] == [(1, STEPS)]
    assert trained[0]["resumed_from_step"] >= 5


def checkpoints(store: Path) -> bool:
    return any(store.glob("checkpoints/*/1/*/**/*.safetensors"))


def preempted(team: Team) -> bool:
    """Whether the rival runs, and training waits again."""
    jobs = {job["metadata"]["name"]: job for job in team.objects("jobs")}
    training = [job for name, job in jobs.items() if name.startswith("training-")]
    return bool(jobs["rival"]["status"].get("active")) and all(job["spec"]["suspend"] for job in training)
