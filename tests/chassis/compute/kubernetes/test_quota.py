"""What a queue's whole quota could hold, from its ClusterQueue."""

from decimal import Decimal
from typing import Any

import pytest
from assay_chassis.compute import JobRun, Resources, ResourcesUnavailable
from assay_chassis.compute.kubernetes.quota import check_fits, check_gpu_type, flavors_of, most_of, quantity
from assay_chassis.compute.kubernetes.settings import KubernetesSettings

SETTINGS = KubernetesSettings(image="x", queue="research")


def run_of(kind: str = "training", **asked: Any) -> JobRun:
    return JobRun(kind=kind, job_key="0" * 16, attempt=1, entrypoint="a.b:c", resources=Resources(**asked))


def queue(*flavors: dict[str, Any], **spec: Any) -> dict[str, Any]:
    groups = [
        {
            "coveredResources": sorted(flavors[0]),
            "flavors": [
                {
                    "name": f"flavor-{number}",
                    "resources": [
                        {"name": name, **(amount if isinstance(amount, dict) else {"nominalQuota": amount})}
                        for name, amount in flavor.items()
                    ],
                }
                for number, flavor in enumerate(flavors)
            ],
        }
    ]
    return {"metadata": {"name": "all"}, "spec": {"resourceGroups": groups, **spec}}


@pytest.mark.parametrize(
    ("text", "number"),
    [("2", "2"), ("500m", "0.5"), ("16Gi", str(16 * 2**30)), ("1k", "1000"), (3, "3"), ("1.5", "1.5")],
)
def test_a_quantity_is_read_as_kubernetes_means_it(text: str, number: str) -> None:
    assert quantity(text) == Decimal(number)


def test_the_most_is_that_of_the_largest_flavor() -> None:
    assert most_of(queue({"cpu": "4"}, {"cpu": "8"})) == {"cpu": Decimal(8)}


def test_a_cohort_lends_up_to_the_limit_or_without_one() -> None:
    amount = {"nominalQuota": "4", "borrowingLimit": "2"}
    assert most_of(queue({"cpu": amount}, cohortName="company")) == {"cpu": Decimal(6)}
    assert most_of(queue({"cpu": "4"}, cohortName="company")) == {"cpu": None}
    assert most_of(queue({"cpu": amount})) == {"cpu": Decimal(4)}


def test_a_run_that_fits_is_let_through() -> None:
    check_fits(run_of(cpus=4, memory_gib=3.75), SETTINGS, queue({"cpu": "4", "memory": "4Gi"}))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"cpus": 5}, r"hardware\.cpus: 5 asked, queue research can give 4 at most; ask for less, or raise"),
        ({"memory_gib": 4}, r"hardware\.memory_gib: 4\.25 GiB .* asked, queue research can give 4 GiB"),
        ({"gpus": 1}, r"hardware\.gpus: 1 asked, queue research can give 0 at most.* of ClusterQueue all"),
    ],
)
def test_a_quota_that_is_never_enough_is_said_with_the_mend(asked: dict[str, Any], words: str) -> None:
    with pytest.raises(ResourcesUnavailable, match=words):
        check_fits(run_of(**asked), SETTINGS, queue({"cpu": "4", "memory": "4Gi"}))


def test_several_machines_must_fit_together_and_ray_s_own_memory_counts() -> None:
    whole = queue({"cpu": "8", "memory": "8Gi"})
    check_fits(run_of(cpus=4, nodes=3), SETTINGS, whole)
    with pytest.raises(ResourcesUnavailable, match=r"12 asked by 3 of 4 machines, queue research can give 8 at most"):
        check_fits(run_of(cpus=4, nodes=4), SETTINGS, whole)
    with pytest.raises(ResourcesUnavailable, match=r"8\.75 GiB \(with 1\.75 GiB a machine for Ray .*asked by 1 of 2"):
        check_fits(run_of(memory_gib=7, nodes=2), SETTINGS, whole)
    check_fits(run_of("eval", cpus=4, memory_gib=7, nodes=9), SETTINGS, whole)


def test_an_unknown_gpu_type_is_refused_with_those_there_are() -> None:
    flavors = [{"spec": {"nodeLabels": {"nvidia.com/gpu.product": name}}} for name in ("H100", "A100")]
    check_gpu_type(run_of(gpus=1, gpu_type="H100"), SETTINGS, flavors)
    with pytest.raises(ResourcesUnavailable, match=r"hardware\.gpu_type: 'H1O0' is not in .*; use one of A100, H100"):
        check_gpu_type(run_of(gpus=1, gpu_type="H1O0"), SETTINGS, flavors)


def test_flavors_that_do_not_say_their_gpu_leave_it_to_the_nodes() -> None:
    check_gpu_type(run_of(gpus=1, gpu_type="H100"), SETTINGS, [{"spec": {}}])


def test_the_flavors_of_a_resource_are_named() -> None:
    assert flavors_of(queue({"cpu": "4"}, {"cpu": "8"}), "cpu") == ["flavor-0", "flavor-1"]
    assert flavors_of(queue({"cpu": "4"}), "nvidia.com/gpu") == []
