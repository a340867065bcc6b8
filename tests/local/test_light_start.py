"""Services start quickly because nothing that computes is loaded before a job needs it."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {"torch", "transformers", "ray", "lm_eval", "vllm", "numpy", "scipy", "pandas", "pyarrow"}
OFF = {"opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"}
"""Traces are off unless a collector is named."""
SERVICES = "assay_scheduler.app, assay_trainer.app, assay_evaluator.app, assay_reporter.app"


def test_services_and_the_command_line_load_no_library_that_computes() -> None:
    check = f"import sys, {SERVICES}, assay.cli; print(sorted({HEAVY | OFF} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True, timeout=120)
    assert found.stdout.strip() == "[]"
