"""A pod's life for a run, in a process and an object store, without a cluster."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from assay_chassis.compute.kubernetes.pod import mirrored
from contract_bench import HERE, make_run

END = {"cause": "killed", "reason": "asked to end", "exit_code": 0, "at": 1.0}


def test_an_interruption_is_no_end() -> None:
    content = mirrored({"end": END, "progress": None}, {}, "uid", interrupted=True)
    assert content["end"] is None
    assert mirrored({"end": END}, {}, "uid", interrupted=False)["end"] == END


def test_a_failure_or_an_outcome_counts_also_when_interrupted() -> None:
    failed = {**END, "cause": "error"}
    assert mirrored({"end": failed, "failure": {}}, {}, "uid", interrupted=True)["end"] == failed
    assert mirrored({"end": END, "outcome": {}}, {}, "uid", interrupted=True)["end"] == END


def test_progress_counts_on_from_the_pod_before() -> None:
    before = {"progress": {"sequence": 7, "record": {"step": 70}}, "interruptions": 1}
    assert mirrored({}, before, "uid", interrupted=False)["progress"] == before["progress"]
    content = mirrored({"progress": {"sequence": 2, "record": {"step": 80}}}, before, "uid", interrupted=False)
    assert content["progress"] == {"sequence": 9, "record": {"step": 80}}
    assert content["interruptions"] == 2


class Pods:
    """Starts one pod after the other for one run, on a store of files."""

    def __init__(self, root: Path, function: str, **payload: Any) -> None:
        self.root = root
        self.run = make_run(function, payload=payload)
        self.records = root / "store" / "runs" / "trainer" / self.run.name
        self.records.mkdir(parents=True)
        (self.records / "run.json").write_text(self.run.model_dump_json())

    def start(self, uid: str) -> "subprocess.Popen[str]":
        environment = {
            **os.environ,
            "PYTHONPATH": str(HERE),
            "ASSAY_OBJECT_STORE": (self.root / "store").as_uri(),
            "ASSAY_RUN": self.run.name,
            "ASSAY_RUN_SERVICE": "trainer",
            "ASSAY_RUN_GRACE_S": "0.5",
            "ASSAY_RUN_SCRATCH": str(self.root / uid),
            "ASSAY_RUN_POD": uid,
        }
        command = [sys.executable, "-m", "assay_chassis.compute.kubernetes.pod"]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def read(self) -> Any:
        file = self.records / "records.json"
        return json.loads(file.read_text()) if file.exists() else {}

    def wait_for(self, record: str) -> None:
        give_up = time.monotonic() + 30
        while self.read().get(record) is None and time.monotonic() < give_up:
            time.sleep(0.05)


@pytest.mark.real
def test_an_interrupted_run_goes_on_in_the_next_pod_with_the_same_attempt(tmp_path: Path) -> None:
    pods = Pods(tmp_path, "wait_until_file", file=str(tmp_path / "go"))
    first = pods.start("one")
    pods.wait_for("job")
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=60)
    assert first.returncode == 143
    assert (pods.read()["end"], pods.read()["outcome"]) == (None, None)
    (tmp_path / "go").touch()
    second = pods.start("two")
    second.communicate(timeout=60)
    assert second.returncode == 0
    assert (pods.read()["outcome"], pods.read()["interruptions"]) == ({"waited": True}, 1)
    assert "[assay] interrupted; it goes on in another pod" in (pods.records / "log").read_text()


@pytest.mark.real
def test_a_cancelled_run_is_cancelled_also_when_every_process_of_it_is_asked_to_end(tmp_path: Path) -> None:
    files = {name: str(tmp_path / name) for name in ("file", "counter")}
    pods = Pods(tmp_path, "count_then_wait", **files)
    pod = pods.start("one")
    pods.wait_for("job")
    while not (tmp_path / "counter").exists():
        time.sleep(0.02)
    (pods.records / "cancel").write_text("1")
    pod.send_signal(signal.SIGTERM)
    os.kill(pods.read()["job"]["pid"], signal.SIGTERM)
    pod.communicate(timeout=60)
    assert pods.read()["end"]["cause"] == "cancelled"
    assert list((tmp_path / "one").iterdir()) == [], "a folder that several machines share is left as it was found"
