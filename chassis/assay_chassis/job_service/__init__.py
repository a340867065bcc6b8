"""What trainer and evaluator share: a requested job becomes a run on a backend, its end an event.
Never waits for a job, and never decides whether a job should run: the scheduler does."""

from assay_chassis.job_service.failures import JobFailed
from assay_chassis.job_service.job_type import JobType
from assay_chassis.job_service.records import JobRecords, write_manifest
from assay_chassis.job_service.service import JobService

__all__ = ["JobFailed", "JobRecords", "JobService", "JobType", "write_manifest"]
