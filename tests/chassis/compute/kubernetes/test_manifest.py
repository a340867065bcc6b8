"""From a run to the Job that Kubernetes gets."""

from typing import Any

import pytest
from assay_chassis.compute import JobRun, Resources
from assay_chassis.compute.kubernetes.manifest import job_manifest, job_name, label_value
from assay_chassis.compute.kubernetes.settings import KubernetesSettings
from pydantic import ValidationError

SETTINGS = KubernetesSettings(image="assay-trainer:1", queue="research", env_from="secret:store,configmap:jobs")
KEY = "0123456789abcdef" * 4


def manifest(settings: KubernetesSettings = SETTINGS, **more: Any) -> dict[str, Any]:
    run = JobRun(kind="training", job_key=KEY, attempt=2, entrypoint="a.b:c", **more)
    return job_manifest(run, "trainer", settings, {"ASSAY_OBJECT_STORE": "s3://bucket"}, 10.0)


def pod(job: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = job["spec"]["template"]["spec"]
    return found


def container(job: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = pod(job)["containers"][0]
    return found


def test_the_job_is_suspended_and_waits_in_the_queue_with_its_priority() -> None:
    job = manifest(labels={"priority": "HIGH"})
    assert job["spec"]["suspend"] is True
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "research"
    assert job["metadata"]["labels"]["kueue.x-k8s.io/priority-class"] == "assay-high"


def test_an_owner_with_a_queue_of_their_own_waits_there() -> None:
    settings = SETTINGS.model_copy(update={"owner_queues": ("vision:vision", "team:a:second")})
    queues = {owner: manifest(settings, labels={"owner": owner}) for owner in ("vision", "team:a", "others", "")}
    found = {owner: job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] for owner, job in queues.items()}
    assert found == {"vision": "vision", "team:a": "second", "others": "research", "": "research"}
    assert settings.queues == ("research", "vision", "second")
    assert KubernetesSettings(owner_queues="vision:v, x:y").owner_queues == ("vision:v", "x:y")
    with pytest.raises(ValidationError, match="'vision' is not <owner>:<LocalQueue>"):
        KubernetesSettings(owner_queues="vision")


def test_equal_runs_have_equal_manifests_with_a_name_from_key_and_attempt() -> None:
    assert manifest() == manifest()
    assert manifest()["metadata"]["name"] == "training-0123456789abcdef-2"
    assert job_name("self_test-0123456789abcdef-1") == "self-test-0123456789abcdef-1"


def test_labels_say_whose_it_is_and_are_always_valid() -> None:
    labels = manifest(labels={"correlation": "experiment/1 …", "priority": "LOW"})["metadata"]["labels"]
    assert labels["app.kubernetes.io/managed-by"] == "assay"
    assert labels["app.kubernetes.io/component"] == "trainer"
    assert labels["assay/correlation"] == "experiment-1"
    assert labels["assay/job-key"] == KEY[:63]
    assert label_value("…") == ""


def test_hardware_becomes_requests_and_limits_with_room_for_the_keeper() -> None:
    found = container(manifest(resources=Resources(cpus=8, memory_gib=4, gpus=2)))["resources"]
    assert found["requests"] == {"cpu": "8", "memory": "4352Mi", "nvidia.com/gpu": "2"}
    assert found["limits"] == {"memory": "4352Mi", "nvidia.com/gpu": "2"}


def test_a_gpu_type_selects_nodes_that_have_it() -> None:
    asked = Resources(gpus=1, gpu_type="NVIDIA-H100-80GB-HBM3")
    assert pod(manifest(resources=asked))["nodeSelector"] == {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}
    assert "nodeSelector" not in pod(manifest(resources=Resources(gpu_type="unused without GPUs")))


def test_an_eviction_is_no_failure_and_any_failure_of_the_job_is_the_end() -> None:
    spec = manifest()["spec"]
    assert spec["backoffLimit"] == 0
    assert [rule["action"] for rule in spec["podFailurePolicy"]["rules"]] == ["Ignore", "Ignore"]
    assert spec["podReplacementPolicy"] == "Failed"


def test_the_cluster_has_a_later_deadline_than_the_keeper() -> None:
    assert manifest(deadline_s=60.5)["spec"]["activeDeadlineSeconds"] == 361
    assert "activeDeadlineSeconds" not in manifest()["spec"]


def test_the_pod_gets_longer_to_end_than_the_job_in_it() -> None:
    assert pod(manifest())["terminationGracePeriodSeconds"] == 30


def test_a_pod_has_no_token_no_privileges_and_its_secrets_by_reference() -> None:
    job = manifest()
    assert pod(job)["automountServiceAccountToken"] is False
    assert pod(job)["securityContext"]["runAsNonRoot"] is True
    assert container(job)["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container(job)["envFrom"] == [{"secretRef": {"name": "store"}}, {"configMapRef": {"name": "jobs"}}]


def test_a_pod_sees_the_files_that_settings_name_and_starts_without_them() -> None:
    job = manifest(SETTINGS.model_copy(update={"files_from": ("configmap:shared", "secret:keys")}))
    (volume,) = [volume for volume in pod(job)["volumes"] if volume["name"] == "files"]
    sources = [{"configMap": {"name": "shared", "optional": True}}, {"secret": {"name": "keys", "optional": True}}]
    assert volume["projected"]["sources"] == sources
    assert {"name": "files", "mountPath": "/etc/assay", "readOnly": True} in container(job)["volumeMounts"]
    assert "files" not in [volume["name"] for volume in pod(manifest())["volumes"]]


def test_an_evaluation_takes_one_machine_however_many_its_experiment_has() -> None:
    run = JobRun(kind="eval", job_key=KEY, attempt=1, entrypoint="a.b:c", resources=Resources(nodes=4, memory_gib=1))
    job = job_manifest(run, "evaluator", SETTINGS, {}, 10.0)
    assert (run.machines, job["kind"]) == (1, "Job")
    assert container(job)["resources"]["limits"] == {"memory": "1280Mi"}


def test_a_source_of_settings_must_name_its_kind() -> None:
    with pytest.raises(ValidationError, match="neither secret:<name> nor configmap:<name>"):
        KubernetesSettings(env_from="store")
