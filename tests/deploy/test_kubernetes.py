"""The manifests for Kubernetes: complete, restricted, and fitting what the code asks for."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from assay_chassis.compute.kubernetes.checks import NEEDED, RAY_JOB_VERBS, WANTED
from assay_chassis.compute.kubernetes.manifest import FILES, MANAGED_BY, PRIORITIES
from assay_chassis.compute.kubernetes.ray_job import RAY, RAY_JOBS
from assay_chassis.compute.kubernetes.settings import KubernetesSettings
from assay_chassis.compute.settings import ComputeSettings
from assay_chassis.settings import describe_settings
from assay_evaluator.settings import EvaluatorSettings
from assay_reporter.settings import ReporterSettings
from assay_scheduler.settings import SchedulerSettings
from assay_schemas.topics import TOPICS
from assay_trainer.tracking.settings import TrackingSettings

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
SERVICES = ("scheduler", "trainer", "evaluator", "reporter")
SETTINGS = (
    KubernetesSettings,
    ComputeSettings,
    EvaluatorSettings,
    ReporterSettings,
    SchedulerSettings,
    TrackingSettings,
)


def resources(folder: Path = FOLDER) -> list[Path]:
    """The files that a kustomization names."""
    found = []
    for name in yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]:
        found += resources(folder / name) if (folder / name).is_dir() else [folder / name]
    return found


def objects(*kinds: str) -> list[dict[str, Any]]:
    return [item for item in every_object() if not kinds or item["kind"] in kinds]


@cache
def every_object() -> list[dict[str, Any]]:
    return [item for path in resources() for item in yaml.safe_load_all(path.read_text()) if item]


def names(*kinds: str) -> set[str]:
    return {item["metadata"]["name"] for item in objects(*kinds)}


def pods() -> list[tuple[str, dict[str, Any]]]:
    return [(item["metadata"]["name"], item["spec"]["template"]["spec"]) for item in objects("Deployment", "Job")]


def test_every_file_is_part_of_the_kustomization_or_of_its_component() -> None:
    files = {path for path in FOLDER.rglob("*.yaml") if path.name != "kustomization.yaml"}
    assert set(resources()) | set(resources(FOLDER / "autoscaling")) == files


def test_every_service_has_an_account_a_deployment_probes_and_limits() -> None:
    assert names("Deployment") == {f"assay-{service}" for service in SERVICES}
    for item in objects("Deployment"):
        spec = item["spec"]["template"]["spec"]
        container = spec["containers"][0]
        assert spec["serviceAccountName"] == item["metadata"]["name"]
        assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys()
        assert "memory" in container["resources"]["limits"]
        assert item["spec"]["selector"]["matchLabels"] == item["spec"]["template"]["metadata"]["labels"]


@pytest.mark.parametrize(("name", "pod"), pods(), ids=[name for name, _ in pods()])
def test_every_pod_is_restricted_and_reads_only_what_there_is(name: str, pod: dict[str, Any]) -> None:
    security, container = pod["securityContext"], pod["containers"][0]
    assert (security["runAsNonRoot"], security["seccompProfile"]["type"]) == (True, "RuntimeDefault")
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert pod["serviceAccountName"] in names("ServiceAccount")
    maps = {source["configMapRef"]["name"] for source in container["envFrom"] if "configMapRef" in source}
    assert maps <= names("ConfigMap")
    volumes = {volume["name"] for volume in pod.get("volumes", [])}
    assert {mount["name"] for mount in container.get("volumeMounts", [])} == volumes


def test_only_the_services_with_jobs_get_a_token() -> None:
    for item in objects("Deployment"):
        has_jobs = item["metadata"]["name"] in ("assay-trainer", "assay-evaluator")
        assert item["spec"]["template"]["spec"].get("automountServiceAccountToken", True) is has_jobs


def test_the_permissions_are_those_that_the_backend_looks_for_and_no_more() -> None:
    (role,) = objects("Role")
    granted = {
        (rule["apiGroups"][0], resource, verb)
        for rule in role["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    needed = {
        (group, f"{resource}/{sub}" if sub else resource, verb)
        for group, resource, sub, verbs in NEEDED + WANTED
        for verb in verbs
    }
    over_machines = {(RAY, RAY_JOBS, verb) for verb in RAY_JOB_VERBS}
    assert granted == needed | over_machines | {("kueue.x-k8s.io", "localqueues", "get")}
    (cluster,) = objects("ClusterRole")
    assert [rule["verbs"] for rule in cluster["rules"]] == [["get"]]


def test_queue_priorities_account_and_namespace_are_the_defaults_of_the_settings() -> None:
    settings = KubernetesSettings()
    assert names("WorkloadPriorityClass") == {settings.priority_class(priority) for priority in PRIORITIES}
    assert names("LocalQueue") == {settings.queue}
    assert settings.service_account in names("ServiceAccount")
    assert names("Namespace") == {settings.namespace}
    values = {item["metadata"]["name"]: item["value"] for item in objects("WorkloadPriorityClass")}
    assert values["assay-low"] < values["assay-med"] < values["assay-high"]


def test_the_metrics_of_every_service_can_be_scraped_and_nothing_else_of_trainer_and_evaluator() -> None:
    services = {
        item["metadata"]["labels"]["app.kubernetes.io/component"]: item["spec"]["template"]["spec"]["containers"][0]
        for item in objects("Deployment")
    }
    policies = {item["metadata"]["name"]: item["spec"] for item in objects("NetworkPolicy")}
    reached: dict[str, list[object]] = {}
    for name in ("assay-http", "assay-metrics"):
        (rule,) = policies[name]["ingress"]
        (selected,) = policies[name]["podSelector"]["matchExpressions"]
        reached |= {component: [rule["ports"][0]["port"], rule.get("from")] for component in selected["values"]}
    assert set(reached) == set(services)
    for component, (port, _) in reached.items():
        assert port == services[component]["ports"][0]["containerPort"]
    scraper = [{"namespaceSelector": {"matchLabels": {"assay-metrics": "allowed"}}}]
    assert reached["trainer-service"][1] == reached["evaluator-service"][1] == scraper


def test_the_policy_for_jobs_selects_what_the_backend_labels() -> None:
    (policy,) = [item for item in objects("NetworkPolicy") if item["metadata"]["name"] == "assay-jobs"]
    assert policy["spec"]["podSelector"]["matchLabels"] == {MANAGED_BY: "assay"}


def test_jobs_reach_every_pod_and_every_address_but_the_one_that_hands_out_credentials() -> None:
    (policy,) = [item for item in objects("NetworkPolicy") if item["metadata"]["name"] == "assay-jobs"]
    (rule,) = policy["spec"]["egress"]
    block, pods_everywhere = rule["to"]
    assert "ports" not in rule
    assert block == {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.169.254/32"]}}
    assert pods_everywhere == {"namespaceSelector": {}}, "networks that take blocks for what is outside the cluster"


def test_only_the_machines_of_jobs_and_the_operator_of_ray_reach_a_job_s_machines() -> None:
    (policy,) = [item for item in objects("NetworkPolicy") if item["metadata"]["name"] == "assay-machines"]
    selected = policy["spec"]["podSelector"]["matchLabels"]
    assert selected == {MANAGED_BY: "assay", "ray.io/is-ray-node": "yes"}
    machines, operator = policy["spec"]["ingress"]
    assert machines == {"from": [{"podSelector": {"matchLabels": selected}}]}
    assert [port["port"] for port in operator["ports"]] == [8265]


def test_the_version_of_ray_that_jobs_are_given_is_the_one_in_the_images() -> None:
    pinned = (FOLDER.parents[1] / "constraints.txt").read_text().splitlines()
    assert f"ray=={KubernetesSettings().ray_version}" in pinned
    assert "services/trainer[ray]" in (FOLDER.parent / "images/trainer.Dockerfile").read_text()


def test_every_setting_in_the_manifests_is_one_that_is_read() -> None:
    known = {row.variable for settings in SETTINGS for row in describe_settings(settings)}
    maps = {name for item in objects("ConfigMap") for name in item["data"]}
    given = {entry["name"] for _, pod in pods() for entry in pod["containers"][0].get("env", [])}
    assert maps | given <= known


def test_jobs_see_the_files_that_all_services_see_and_no_secret_ones() -> None:
    (settings,) = [item["data"] for item in objects("ConfigMap") if item["metadata"]["name"] == "assay-services"]
    assert settings["ASSAY_KUBERNETES_FILES_FROM"] == "configmap:assay-shared-files"
    for item in objects("Deployment"):
        spec = item["spec"]["template"]["spec"]
        (volume,) = [volume for volume in spec["volumes"] if volume["name"] == "files"]
        optional = {"optional": True}
        assert volume["projected"]["sources"] == [
            {"configMap": {"name": "assay-shared-files", **optional}},
            {"secret": {"name": "assay-files", **optional}},
        ]
        assert {"name": "files", "mountPath": FILES, "readOnly": True} in spec["containers"][0]["volumeMounts"]


def test_every_service_scales_by_the_lag_of_its_own_consumer_group() -> None:
    scaled = list(yaml.safe_load_all((FOLDER / "autoscaling" / "consumers.yaml").read_text()))
    deployments = {item["metadata"]["name"]: item for item in objects("Deployment")}
    assert {item["spec"]["scaleTargetRef"]["name"] for item in scaled} == deployments.keys()
    partitions = {topic.partitions for topic in TOPICS.values()}
    for item in scaled:
        deployment = deployments[item["spec"]["scaleTargetRef"]["name"]]
        service = item["metadata"]["name"].removeprefix("assay-")
        assert item["spec"]["minReplicaCount"] == deployment["spec"]["replicas"]
        assert item["spec"]["maxReplicaCount"] <= max(partitions)
        assert item["spec"]["triggers"][0]["metadata"]["consumerGroup"] == service
