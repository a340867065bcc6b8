"""Metrics reach the trackers a user has set, and a tracker that fails costs the run nothing."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from assay_trainer.tracking import TRACKERS, TrackedRun, TrackedWatch, TrackerUnusable, TrackingSettings, open_tracker
from pydantic import ValidationError

RUN = TrackedRun("training-0123456789abcdef-1", {"algorithm": "SFT", "seed": 3})
STEPS = [{"step": step, "metrics": {"loss": 2.0 / step, "grad_norm": 1.0}} for step in (1, 2)]


class Watched:
    """The watch of a job that nobody stops."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    def report_progress(self, record: dict[str, Any]) -> None:
        self.records.append(record)

    def should_stop(self) -> bool:
        return False


class Failing:
    """A tracker whose server goes away after the first step."""

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.closed = False

    def log(self, step: int, values: Any) -> None:
        self.steps.append(step)
        if step > 0:
            raise ConnectionError("server is away")

    def close(self) -> None:
        self.closed = True


def track(*openers: Any) -> Watched:
    watch = Watched()
    with TrackedWatch(watch, openers) as tracked:
        for record in STEPS:
            tracked.report_progress(record)
        assert not tracked.should_stop()
    return watch


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrackingSettings:
    monkeypatch.setenv("ASSAY_TRACKING_DIR", str(tmp_path))
    return TrackingSettings()


def test_names_are_read_from_one_variable_and_unknown_ones_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert TrackingSettings().trackers == []
    monkeypatch.setenv("ASSAY_TRACKERS", "tensorboard, wandb")
    assert TrackingSettings().trackers == ["tensorboard", "wandb"]
    monkeypatch.setenv("ASSAY_TRACKERS", "tensorbored")
    with pytest.raises(ValidationError, match="tensorboard"):
        TrackingSettings()


def test_a_tracker_that_fails_is_left_out_and_the_run_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    failing = Failing()

    def missing() -> Any:
        raise TrackerUnusable("mlflow", "whose library is missing", "install mlflow-skinny")

    with caplog.at_level(logging.WARNING):
        watch = track(lambda: failing, missing)
    assert [record["step"] for record in watch.records] == [1, 2]
    assert failing.steps == [1]
    assert "server is away" in caplog.text
    assert "install mlflow-skinny" in caplog.text


def test_every_tracker_without_its_library_says_what_to_install(
    settings: TrackingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    for library in ("torch.utils.tensorboard", "mlflow", "wandb"):
        monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    for name in TRACKERS:
        with pytest.raises(TrackerUnusable, match=f"ASSAY_TRACKERS names {name}, whose library is missing; install"):
            open_tracker(name, RUN, settings)


@pytest.mark.parametrize("uri", [None, "mlruns", "./mlruns", "file:mlruns", "sqlite:///mlflow.db"])
def test_mlflow_is_refused_where_its_files_would_go_with_the_job(
    settings: TrackingSettings, monkeypatch: pytest.MonkeyPatch, uri: str | None
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    if uri is not None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(TrackerUnusable, match=r"MLFLOW_TRACKING_URI is .*; set MLFLOW_TRACKING_URI to a server, or to"):
        open_tracker("mlflow", RUN, settings)


@pytest.mark.parametrize("uri", ["http://host:5000", "file:///runs", "/runs", "sqlite:////mlflow.db", "databricks"])
def test_mlflow_is_opened_wherever_runs_outlive_the_job(monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    import sys

    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(TrackerUnusable, match="whose library is missing"):
        open_tracker("mlflow", RUN, TrackingSettings())


def test_files_of_trackers_lie_outside_the_folders_that_go_with_jobs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from assay_trainer.settings import TrainerSettings, tracking_dir

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ASSAY_TRACKING_DIR", raising=False)
    settings = TrainerSettings(state_dir=Path("state"))
    assert tracking_dir(settings) == tmp_path / "state" / "tracking"
    monkeypatch.setenv("ASSAY_TRACKING_DIR", "elsewhere")
    assert tracking_dir(settings) == tmp_path / "elsewhere"


@pytest.mark.real
def test_tensorboard_reads_what_was_logged(settings: TrackingSettings, tmp_path: Path) -> None:
    track(lambda: open_tracker("tensorboard", RUN, settings))
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(tmp_path / "assay" / RUN.name))
    found.Reload()
    assert [(event.step, event.value) for event in found.Scalars("loss")] == [(1, 2.0), (2, 1.0)]
    assert found.Tags()["tensors"] == ["run/text_summary"]


@pytest.mark.real
def test_mlflow_has_the_run_with_its_parameters(
    settings: TrackingSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow", reason="mlflow-skinny is not installed: its tracker is not tried")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    track(lambda: open_tracker("mlflow", RUN, settings))
    (run,) = mlflow.MlflowClient().search_runs([mlflow.get_experiment_by_name("assay").experiment_id])
    assert (run.info.run_name, run.info.status) == (RUN.name, "FINISHED")
    assert run.data.params == {"algorithm": "SFT", "seed": "3"}
    assert run.data.metrics["loss"] == 1.0


@pytest.mark.real
def test_wandb_keeps_the_run_where_it_is_offline(
    settings: TrackingSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb", reason="wandb is not installed: its tracker is not tried")
    monkeypatch.setenv("WANDB_MODE", "offline")
    track(lambda: open_tracker("wandb", RUN, settings))
    (folder,) = (tmp_path / "wandb").glob("offline-run-*")
    assert folder.name.endswith(RUN.name)
    assert json.dumps(RUN.name).encode()[1:-1] in next(folder.glob("*.wandb")).read_bytes()
