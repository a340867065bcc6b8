"""From a run over several machines to the RayJob that Kubernetes gets."""

from typing import Any

from assay_chassis.compute import JobRun, Resources
from assay_chassis.compute.kubernetes.manifest import job_manifest
from assay_chassis.compute.kubernetes.ray_job import ray_job_manifest
from assay_chassis.compute.kubernetes.settings import KubernetesSettings

SETTINGS = KubernetesSettings(image="assay-trainer:1", env_from="secret:store", shared_claim="assay-shared")


def run_of(**more: Any) -> JobRun:
    return JobRun(kind="training", job_key="0123456789abcdef", attempt=2, entrypoint="a.b:c", **more)


def manifest(resources: Resources = Resources(cpus=8, nodes=3), **more: Any) -> dict[str, Any]:
    return ray_job_manifest(run_of(resources=resources, **more), "trainer", SETTINGS, {"ASSAY_X": "1"}, 10.0)


def machines(job: dict[str, Any]) -> tuple[Any, Any]:
    """The group of the first machine, and that of the others."""
    cluster = job["spec"]["rayClusterSpec"]
    (others,) = cluster["workerGroupSpecs"]
    return cluster["headGroupSpec"], others


def container(group: Any) -> Any:
    return group["template"]["spec"]["containers"][0]


def test_it_is_suspended_and_named_and_labelled_as_the_job_of_one_machine_would_be() -> None:
    job, one = manifest(), job_manifest(run_of(), "trainer", SETTINGS, {}, 10.0)
    assert job["spec"]["suspend"] is True
    assert job["metadata"] == one["metadata"]
    assert manifest() == job


def test_all_machines_ask_for_the_same_and_one_of_them_is_the_first() -> None:
    first, others = machines(manifest(Resources(cpus=8, memory_gib=4, gpus=2, nodes=3)))
    assert (others["replicas"], others["minReplicas"], others["maxReplicas"]) == (2, 2, 2)
    for group in (first, others):
        assert container(group)["resources"]["limits"] == {"memory": "5888Mi", "nvidia.com/gpu": "2"}
        given = group["rayStartParams"]
        assert (given["num-cpus"], given["num-gpus"], given["memory"]) == ("8", "2", str(4 * 2**30))


def test_the_first_does_what_a_pod_does_and_kuberay_writes_the_commands_of_all() -> None:
    job = manifest()
    assert job["spec"]["entrypoint"] == "python -m assay_chassis.compute.kubernetes.pod"
    for group in machines(job):
        assert "command" not in container(group)


def test_they_share_one_folder_of_the_claim_that_is_the_run_s_own() -> None:
    for group in machines(manifest()):
        volumes = {volume["name"]: volume for volume in group["template"]["spec"]["volumes"]}
        assert volumes["scratch"] == {"name": "scratch", "persistentVolumeClaim": {"claimName": "assay-shared"}}
        (mount,) = [mount for mount in container(group)["volumeMounts"] if mount["name"] == "scratch"]
        assert mount == {"name": "scratch", "mountPath": "/scratch", "subPath": "runs/training-0123456789abcdef-2"}


def test_at_an_eviction_the_first_passes_the_wish_on_and_the_others_wait_for_it() -> None:
    first, others = (container(group)["lifecycle"]["preStop"]["exec"]["command"] for group in machines(manifest()))
    assert "kill -TERM" in first[2]
    assert "kill" not in others[2]
    assert first[2].endswith(others[2])


def test_machines_that_must_or_should_be_side_by_side_ask_so_as_one_group() -> None:
    for given, kind in (("rack", "required"), ("preferred:rack", "preferred")):
        settings = SETTINGS.model_copy(update={"topology": given})
        job = ray_job_manifest(run_of(resources=Resources(nodes=3)), "trainer", settings, {}, 10.0)
        asked = {f"kueue.x-k8s.io/podset-{kind}-topology": "rack", "kueue.x-k8s.io/podset-group-name": "machines"}
        assert [group["template"]["metadata"]["annotations"] for group in machines(job)] == [asked, asked]
    assert all("annotations" not in group["template"]["metadata"] for group in machines(manifest()))


def test_strangers_need_a_token_and_a_cluster_never_outlives_its_job() -> None:
    spec = manifest()["spec"]
    assert spec["rayClusterSpec"]["authOptions"] == {"mode": "token"}
    assert (spec["shutdownAfterJobFinishes"], spec["ttlSecondsAfterFinished"], spec["backoffLimit"]) == (True, 0, 0)
    assert manifest(deadline_s=60.0)["spec"]["activeDeadlineSeconds"] == 360
