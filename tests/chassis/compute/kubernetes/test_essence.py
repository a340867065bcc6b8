"""What is kept of an object is all that is looked at."""

import json

from assay_chassis.compute import JobRun
from assay_chassis.compute.kubernetes.essence import essence
from assay_chassis.compute.kubernetes.manifest import job_manifest
from assay_chassis.compute.kubernetes.seeing import see
from assay_chassis.compute.kubernetes.settings import KubernetesSettings

RUN = JobRun(kind="training", job_key="0123456789abcdef", attempt=1, entrypoint="a.b:c")


def test_what_is_kept_of_a_job_is_a_tenth_and_means_the_same() -> None:
    job = job_manifest(RUN, "trainer", KubernetesSettings(image="i"), {"ASSAY_OBJECT_STORE": "s3://assay"}, 10.0)
    job["metadata"] |= {"uid": "1", "managedFields": [{"fieldsV1": {"f:spec": {"f:suspend": {}}}}] * 40}
    job["status"] = {"conditions": [{"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": ""}]}
    kept = essence(job)
    assert len(json.dumps(kept)) < 0.1 * len(json.dumps(job))
    assert see(kept, None, []) == see(job, None, [])
    assert kept["metadata"]["annotations"] == {"assay/run": RUN.name}


def test_an_object_without_a_status_is_kept_too() -> None:
    assert essence({"metadata": {"name": "a"}})["status"] == {"conditions": [], "containerStatuses": []}
