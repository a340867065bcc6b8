"""What the comparison with TRL and lm_eval computes: rounds, medians, scores within noise, and whose time is whose."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks.peer.__main__ import figures
from benchmarks.peer.by_hand.tasks import scoring
from benchmarks.peer.experiment import ARMS, BENCHMARKS
from benchmarks.peer.scores import Scores, compared
from benchmarks.peer.sides import Taken


def scores(shift: float) -> Scores:
    seeds = {(arm, name): [0.4 + shift, 0.42 + shift] for arm in ARMS for name in BENCHMARKS}
    return seeds | {("control", name): [0.1] for name in BENCHMARKS}


@pytest.mark.parametrize(("shift", "same"), [(0.0, True), (0.01, True), (0.2, False)])
def test_scores_are_the_same_within_the_spread_of_seeds(shift: float, same: bool) -> None:
    rows = compared(scores(0.0), scores(shift))
    assert {row["same"] for row in rows if row["arm"] != "control"} == {same}
    assert all(row["same"] for row in rows if row["arm"] == "control")


def test_the_scripts_score_as_the_benchmarks_do() -> None:
    assert scoring.numeric({"answer": "-7"}, ["#### 3 ... #### -7"]) == {"numeric": 1.0}
    assert scoring.numeric({"answer": "7"}, ["seven"]) == {"numeric": 0.0}
    bits = scoring.bits_per_byte({"prompt": "q\n", "completion": "abc"}, [(-4 * 0.6931471805599453, False)])
    assert bits["bits_per_byte"] == pytest.approx(1.0)


def taken(seconds: float, shift: float = 0.0) -> Taken:
    return Taken(seconds, seconds - 4, 2 * seconds, scores(shift))


def test_a_round_is_compared_with_the_runs_by_hand_around_it() -> None:
    found = figures([taken(30), taken(60)], [taken(100), taken(200), taken(400)])
    assert [each["ratio"] for each in found["rounds"]] == [0.2, 0.2]
    assert [each["by_hand_s"] for each in found["rounds"]] == [[100, 200], [200, 400]]
    assert found["rounds"][0]["ratio_cpu"] == 0.2
    assert found["rounds"][0]["assay_cpu_s"] == 60


def test_the_ratio_is_the_middle_of_the_rounds() -> None:
    found = figures([taken(30), taken(90), taken(40)], [taken(100)] * 4)
    assert (found["ratio"], found["ratio_running"], found["assay_s"], found["by_hand_s"]) == (0.4, 0.36, 40, 100)


def test_scores_that_differ_in_one_round_are_not_the_same() -> None:
    hand = [taken(100)] * 3
    assert figures([taken(30), taken(30)], hand)["same_scores"]
    assert not figures([taken(30, 0.2), taken(30)], hand)["same_scores"]


DETACHED = r"""
import os, subprocess, sys, time
from benchmarks.processes import adopt_orphans, cpu_of_family
adopt_orphans()
burn = "import time, signal\nwhile time.process_time() < 0.5: pass\nprint('done', flush=True)\nsignal.pause()"
start = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[1]], start_new_session=True)"
reading, writing = os.pipe()
subprocess.run([sys.executable, "-c", start, burn], stdout=writing, check=True)
os.read(reading, 1)
print(cpu_of_family(os.getpid()))
for process in os.listdir("/proc"):
    if process.isdigit() and open(f"/proc/{process}/stat").read().rpartition(") ")[2].split()[1] == str(os.getpid()):
        os.kill(int(process), 9)
"""


def test_what_a_command_leaves_running_is_counted() -> None:
    done = subprocess.run([sys.executable, "-c", DETACHED], capture_output=True, text=True, check=True, timeout=60)
    assert float(done.stdout) >= 0.5
