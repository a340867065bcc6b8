"""The report document as JSON: verdicts apart from model text, numbers as numbers."""

from __future__ import annotations

from assay_schemas.reports import ReportDocument


def render_json(report: ReportDocument) -> str:
    return report.model_dump_json(indent=2) + "\n"
