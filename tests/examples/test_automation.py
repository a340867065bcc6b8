"""What the example automation answers: a snapshot with a request, a report with a decision, good data downstream."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from assay.settings import ClientSettings
from assay_schemas.envelope import Event
from assay_schemas.specification import read_specification

from examples.automation import decisions
from examples.automation.settings import OWNER, Watch

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
DIGEST, ID = "ab" * 32, "3f1c0000-0000-0000-0000-000000000000"


@pytest.fixture
def watch(tmp_path) -> Watch:
    settings = ClientSettings(kafka_bootstrap_servers="127.0.0.1:1", object_store=f"file://{tmp_path}")
    examples = ROOT / "examples"
    return Watch.read(settings, examples / "automation.yaml", examples / "automation" / "gate.yaml", name="rows")


def event(topic: str, data: dict, identity: str = "1") -> Event:
    return Event(id=identity, source="/test", type=topic, time=NOW, data=data, key="k")


def snapshot(name: str) -> Event:
    return event("dataset.published", {"snapshot": {"uri": "file:///r", "digest": DIGEST, "rows": 9}, "name": name})


def test_a_new_snapshot_asks_for_one_experiment_however_often_it_is_read(watch):
    (request,) = decisions.answers(snapshot("rows"), watch, NOW)
    (again,) = decisions.answers(snapshot("rows"), watch, datetime.now(UTC))
    assert (request.type, request.key, request.id) == ("experiment.requested", again.key, again.id)
    spec = read_specification(request.data).spec
    assert spec is not None
    assert (spec.owner, spec.arms[0].dataset) == (OWNER, f"sha256:{DIGEST}")
    assert decisions.answers(snapshot("others"), watch, NOW) == []


def report(delta: float) -> Event:
    verdict = {
        "arm": "new", "versus": "control", "metric": "m", "verdict": "better", "reason": "r", "mean": 0.5,
        "versus_mean": 0.4, "delta": delta, "smallest_effect": 0.02, "half_widths": {"0.95": 0.01},
    }  # fmt: skip
    place = {"uri": "file:///x", "sha256": DIGEST, "size": 1}
    verdicts = [verdict | {"benchmark": name} for name in ("numeric", "perplexity")]
    return event(
        "report.published",
        {"experiment_id": ID, "name": "n", "outcome": "succeeded", "sentence": "s", "verdicts": verdicts}
        | dict.fromkeys(("html", "markdown", "document"), place),
    )


@pytest.fixture
def owned_by(monkeypatch):
    def set_owner(owner: str) -> None:
        spec = SimpleNamespace(owner=owner, arms=[SimpleNamespace(dataset=f"sha256:{DIGEST}")])
        monkeypatch.setattr(decisions, "Run", lambda *_: SimpleNamespace(plan=lambda: SimpleNamespace(spec=spec)))

    return set_owner


def test_data_that_passes_goes_on_and_data_that_does_not_stays(watch, owned_by):
    owned_by(OWNER)
    decided, approved = decisions.answers(report(0.1), watch, NOW)
    assert decided.data["decision"] == "pass"
    assert (approved.type, approved.data["snapshots"]) == ("dataset.approved", [f"sha256:{DIGEST}"])
    (blocked,) = decisions.answers(report(-0.1), watch, NOW)
    assert (blocked.type, blocked.data["decision"]) == ("gate.decided", "block")
    owned_by("somebody")
    assert decisions.answers(report(0.1), watch, NOW) == []


def test_a_refused_request_is_a_decision_too(watch):
    problem = {"field": "seeds", "message": "must be a list."}
    refused = {"experiment_id": ID, "owner": OWNER, "problems": [problem]}
    (told,) = decisions.answers(event("experiment.rejected", refused), watch, NOW)
    assert (told.data["decision"], told.data["reasons"]) == ("inconclusive", ["seeds: must be a list."])
    assert decisions.answers(event("experiment.rejected", refused | {"owner": "you"}), watch, NOW) == []
