"""HTTP: experiments and jobs, asked for, looked at, cancelled. Errors are RFC 9457 problem details.

Thin: what it asks for goes the same way as an event from Kafka.
"""

from assay_scheduler.api.application import build_api

__all__ = ["build_api"]
