"""Every command that asks a system answers a program with JSON and nothing else on standard output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import system_ground as ground
from system_ground import Ground

pytestmark = [pytest.mark.real, pytest.mark.slow]
RUN = "import sys; from assay.cli import main; sys.argv[0] = 'assay'; main()"


def asked(whole: Ground, *arguments: str) -> tuple[int, Any]:
    """The exit code, and what standard output says as JSON (`constant`: no NaN, which is none)."""
    environment = {**os.environ, "ASSAY_HOME": str(whole.state)}  # another system may have been started since
    command = [sys.executable, "-c", RUN, *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
    try:
        return done.returncode, json.loads(done.stdout, parse_constant=lambda name: pytest.fail(f"{arguments}: {name}"))
    except json.JSONDecodeError:
        raise AssertionError(f"{arguments}: {done.stdout!r} {done.stderr!r}") from None


def test_every_command_that_asks_a_system_answers_with_json(whole: Ground, tmp_path: Path) -> None:
    run = whole.ended(whole.submit(seeds=[ground.new_seed()]))
    key = run.result().ends[0].key
    policy = tmp_path / "gate.yaml"
    policy.write_text('must_not_fall: ["*"]\n', encoding="utf-8")
    rows, outcome = str(whole.data / "items.jsonl"), {}
    for command in (
        ["doctor"], ["list"], ["status", run.id], ["watch", run.id], ["logs", key], ["report", run.id],
        ["responses", run.id, "--benchmark", "numeric"], ["gate", run.id, "--policy", str(policy)],
        ["rescore", run.id, "--benchmark", "numeric", "--scorer", "exact_match"], ["benchmarks"],
        ["benchmarks", "gsm8k"], ["data", "snapshot", rows], ["images", "list"], ["dlq", "list"],
        ["events", "tail", "experiment.completed", "--from-start", "--count", "1"], ["cancel", run.id],
        ["retry", run.id],
    ):  # fmt: skip
        outcome[" ".join(command[:2])] = asked(whole, *command)
    assert {name: code for name, (code, _) in outcome.items() if code not in (0, 4)} == {}
    for refused in (["status", "zzz"], ["budget", run.id], ["dlq", "show", "none"], ["report", "zzz"], ["logs", "zzz"]):
        code, said = asked(whole, *refused)
        assert code != 0
        assert said["error"]
