"""Assay's vocabulary as data: events, specifications, plans, results and topics.

Pure pydantic models and pure functions of values; never opens a file, a socket or a clock.
"""

__version__ = "0.1.0"
