"""Where reports are delivered: Slack, signed webhooks, e-mail files. Only sinks that the operator declared.

To add a kind: its file with a class that has `send`, its line in `declared.KINDS`.
"""

from assay_reporter.sinks.declared import DeclaredSinks, read_sinks
from assay_reporter.sinks.delivery import Deliveries

__all__ = ["DeclaredSinks", "Deliveries", "read_sinks"]
