"""Spans of OpenTelemetry that follow one experiment through every service; off unless a collector is named.

Never imports OpenTelemetry while it is off, and never puts what an event says into a span.
"""

from assay_chassis.tracing.contexts import trace_of
from assay_chassis.tracing.spans import LABEL, handling, labels_for, onward, span, start, stop, whole

__all__ = ["LABEL", "handling", "labels_for", "onward", "span", "start", "stop", "trace_of", "whole"]
