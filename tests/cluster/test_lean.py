"""What a lean control plane leaves out of Kueue's manifests, and what it must not."""

import lean

FRAMEWORKS = ("batch/job", "ray.io/rayjob")


def webhook(group: str, resource: str) -> lean.Object:
    return {"name": f"{resource}.{group}", "rules": [{"apiGroups": [group], "resources": [resource]}]}


def test_of_a_kind_only_the_version_that_is_stored_is_served() -> None:
    versions = [
        {"name": "v1beta1", "served": True, "storage": False},
        {"name": "v1beta2", "served": True, "storage": True},
    ]
    definition = {"kind": "CustomResourceDefinition", "spec": {"versions": versions}}
    found = lean.spared(definition, FRAMEWORKS)["spec"]["versions"]
    assert [(version["name"], version["served"]) for version in found] == [("v1beta1", False), ("v1beta2", True)]


def test_kueue_is_asked_about_its_own_kinds_and_those_it_manages_here() -> None:
    asked = [webhook("kueue.x-k8s.io", "workloads"), webhook("batch", "jobs"), webhook("ray.io", "rayjobs")]
    others = [webhook("", "pods"), webhook("kubeflow.org", "mpijobs"), webhook("jobset.x-k8s.io", "jobsets")]
    configuration = {"kind": "ValidatingWebhookConfiguration", "webhooks": [*asked, *others]}
    assert lean.spared(configuration, FRAMEWORKS)["webhooks"] == asked


def test_what_is_neither_stays_as_it_is() -> None:
    role = {"kind": "ClusterRole", "rules": [{"resources": ["pods"]}]}
    assert lean.spared(role, FRAMEWORKS) == {"kind": "ClusterRole", "rules": [{"resources": ["pods"]}]}
