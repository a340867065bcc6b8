"""Dashboard and alert rules ask for metrics that exist, and each alert has its section in the runbook."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml
from assay_chassis import telemetry
from assay_chassis.supervision import FAILURES_IN_A_ROW

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "deploy" / "monitoring"
SUFFIXES = re.compile(r"_(total|bucket|sum|count)$")


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def known() -> set[str]:
    described = [*telemetry._COUNTERS.values(), *telemetry._GAUGES.values(), *telemetry._HISTOGRAMS.values()]
    return {metric._name for metric in described}


def asked(expression: str) -> set[str]:
    return {SUFFIXES.sub("", name) for name in re.findall(r"\bassay_\w+", expression)}


def test_every_metric_that_is_asked_for_exists() -> None:
    panels = json.loads((MONITORING / "dashboard.json").read_text())["panels"]
    expressions = [target["expr"] for panel in panels for target in panel["targets"]]
    wanted = {name for expression in (*expressions, *(rule["expr"] for rule in rules())) for name in asked(expression)}
    assert wanted <= known()
    assert known() - wanted <= {"assay_events_ignored", "assay_events_published"}


def test_every_alert_has_a_section_in_the_runbook() -> None:
    sections = re.findall(r"^## (\S+)$", (ROOT / "docs" / "runbook.md").read_text(), re.MULTILINE)
    named = [rule["annotations"]["runbook"].removeprefix("docs/runbook.md#") for rule in rules()]
    assert sorted(named) == sorted(sections)
    assert len(set(named)) == len(named)


def test_the_runbook_tells_the_number_of_failures_that_end_a_process() -> None:
    words = {5: "five", 6: "six", 10: "ten"}[FAILURES_IN_A_ROW]
    assert f"After {words} failures in a row" in (ROOT / "docs" / "runbook.md").read_text()
