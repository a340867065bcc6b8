"""What the objects of a run over several machines mean."""

from typing import Any

import pytest
from assay_chassis.compute import Cause
from assay_chassis.compute.kubernetes.seeing import Place
from assay_chassis.compute.kubernetes.seeing_machines import are_machines, see_machines


def ray_job(suspend: bool = False, **status: Any) -> dict[str, Any]:
    return {"kind": "RayJob", "metadata": {"name": "j"}, "spec": {"suspend": suspend}, "status": status}


def machine(role: str, phase: str = "Running", uid: str = "uid-1", **status: Any) -> dict[str, Any]:
    metadata = {"name": f"{role}-{uid}", "uid": uid, "labels": {"ray.io/node-type": role}}
    return {"metadata": {**metadata, "creationTimestamp": uid}, "status": {"phase": phase, **status}}


NO_PLACE = {"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}]}
NO_IMAGE = {"containerStatuses": [{"image": "t:9", "state": {"waiting": {"reason": "ErrImagePull", "message": "no"}}}]}


def test_suspended_it_waits_and_says_what_kueue_must_know() -> None:
    workload = {"metadata": {"name": "w"}, "spec": {"queueName": "q"}, "status": {}}
    assert see_machines(ray_job(suspend=True), workload, []).waits_for == "waits in queue q: its turn"
    assert "ray.io/rayjob among its integrations" in str(see_machines(ray_job(suspend=True), None, []).waits_for)


def test_let_in_it_waits_for_the_operator() -> None:
    seen = see_machines(ray_job(jobDeploymentStatus="Initializing"), None, [])
    assert (seen.place, "KubeRay" in str(seen.waits_for)) == (Place.STARTING, True)


def test_it_runs_where_its_first_machine_does() -> None:
    pods = [machine("worker", uid="uid-2"), machine("head")]
    seen = see_machines(ray_job(jobDeploymentStatus="Running", jobStatus="RUNNING"), None, pods)
    assert (seen.place, seen.pod, seen.pod_name, seen.waits_for) == (Place.RUNNING, "uid-1", "head-uid-1", None)
    assert "waits for Ray" in str(see_machines(ray_job(), None, pods).waits_for)


@pytest.mark.parametrize(("role", "other"), [("head", "worker"), ("worker", "head")])
def test_a_machine_without_a_place_or_an_image_is_said(role: str, other: str) -> None:
    for trouble, words in ((NO_PLACE, "0/3 nodes are available"), (NO_IMAGE, "its image t:9 cannot be pulled")):
        seen = see_machines(ray_job(), None, [machine(role, "Pending", "uid-2", **trouble), machine(other)])
        assert words in str(seen.waits_for)
        assert (seen.blocked is not None) is (trouble is NO_IMAGE)


def test_an_end_without_a_record_has_a_cause_and_can_be_tried_again() -> None:
    message = "Job entrypoint command failed with exit code 137, last available logs:\nKilled"
    seen = see_machines(ray_job(jobDeploymentStatus="Failed", reason="AppFailed", message=message), None, [])
    assert seen.place is Place.ENDED
    assert seen.failure is not None
    assert (seen.failure.cause, seen.failure.retryable) == (Cause.KILLED, True)
    assert seen.failure.message == "its Ray job ended and left no record (AppFailed: Killed)"
    late = see_machines(ray_job(jobDeploymentStatus="Failed", reason="DeadlineExceeded"), None, [])
    assert late.failure is not None
    assert late.failure.cause is Cause.TIMEOUT


def test_what_kuberay_refuses_and_kueue_deactivated_ends_the_run() -> None:
    refused = see_machines(ray_job(True, jobDeploymentStatus="ValidationFailed", message="rayVersion"), None, [])
    assert "KubeRay refuses its RayJob: rayVersion" in str(refused.failure)
    workload = {"metadata": {"name": "w"}, "spec": {"active": False}, "status": {}}
    assert "w was deactivated in Kueue" in str(see_machines(ray_job(suspend=True), workload, []).failure)


def test_a_deleted_one_still_runs_while_its_first_machine_ends() -> None:
    pods = [machine("head")]
    assert are_machines(pods)
    assert see_machines(None, None, pods).place is Place.RUNNING
    assert see_machines(None, None, []).place is Place.ABSENT
    assert not are_machines([{"metadata": {}}])
