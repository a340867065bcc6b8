"""Services forked from a warm parent, on a package made for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from assay_local.component import Command, log_tail, stop
from assay_local.processes import MARK, marked
from assay_local.warm_services import ForkedService, WarmServices

pytestmark = pytest.mark.real

APP = "import os; print('imported by', os.getpid(), flush=True)"
MAIN = """
import os, sys, time
import some_service.app
print("I am", os.getpid(), "with", os.environ["WORD"], "and", sys.argv, flush=True)
print("early:", os.environ.get("EARLY"), "late:", os.environ.get("LATE"), flush=True)
time.sleep(float(os.environ["SLEEP_S"]))
sys.exit(7)
"""


@pytest.fixture
def warm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WarmServices]:
    package = tmp_path / "modules" / "some_service"
    package.mkdir(parents=True)
    for name, text in (("__init__", ""), ("app", APP), ("__main__", MAIN)):
        (package / f"{name}.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    monkeypatch.setenv("EARLY", "set")
    warm = WarmServices(["some_service"], tmp_path / "warm_parent.log", {MARK: tmp_path.name})
    warm.start()
    yield warm
    warm.stop()


def command(folder: Path, sleep_s: float, module: str = "some_service") -> Command:
    environment = {"WORD": f"word-{sleep_s:g}", "SLEEP_S": str(sleep_s)}
    return Command([sys.executable, "-m", module], folder / f"{sleep_s:g}.log", environment)


def spawn(warm: WarmServices, folder: Path, sleep_s: float, module: str = "some_service") -> ForkedService:
    return warm.spawn(module, command(folder, sleep_s, module))


def log_when_it_says(path: Path, word: str) -> str:
    deadline = time.monotonic() + 20.0
    while word not in log_tail(path):
        assert time.monotonic() < deadline, log_tail(path)
        time.sleep(0.02)
    return log_tail(path)


def test_services_share_one_import_and_have_their_own_settings_and_logs(warm: WarmServices, tmp_path: Path) -> None:
    services = [spawn(warm, tmp_path, sleep_s) for sleep_s in (0.0, 0.1)]
    assert [service.wait(20) for service in services] == [7, 7]
    for service, sleep_s in zip(services, (0.0, 0.1), strict=True):
        said = log_tail(tmp_path / f"{sleep_s:g}.log")
        assert f"I am {service.pid} with word-{sleep_s:g}" in said
        assert str(tmp_path / "modules" / "some_service" / "__main__.py") in said
        assert "imported by" not in said
    assert log_tail(tmp_path / "warm_parent.log").count("imported by") == 1


def test_a_service_has_the_environment_of_the_moment_it_is_started(
    warm: WarmServices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert spawn(warm, tmp_path, 0.0).wait(20) == 7
    monkeypatch.delenv("EARLY")
    monkeypatch.setenv("LATE", "set")
    assert spawn(warm, tmp_path, 0.1).wait(20) == 7
    assert "early: set late: None" in log_tail(tmp_path / "0.log")
    assert "early: None late: set" in log_tail(tmp_path / "0.1.log")


def test_each_service_leads_a_session_and_bears_the_mark_of_its_system(warm: WarmServices, tmp_path: Path) -> None:
    service = spawn(warm, tmp_path, 60)
    assert os.getsid(service.pid) == service.pid
    assert service.pid in {process.pid for process in marked(tmp_path.name)}
    stop(service, command(tmp_path, 60))


def test_a_signal_that_ended_a_service_is_known(warm: WarmServices, tmp_path: Path) -> None:
    service = spawn(warm, tmp_path, 60)
    assert service.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        service.wait(0.05)
    service.send_signal(signal.SIGKILL)
    assert service.wait(20) == -signal.SIGKILL
    assert service.poll() == -signal.SIGKILL


def test_services_end_with_a_warm_parent_that_dies_and_the_next_gets_another(
    warm: WarmServices, tmp_path: Path
) -> None:
    service = spawn(warm, tmp_path, 60)
    process = psutil.Process(service.pid)
    parent = process.parent()
    assert parent is not None
    parent.kill()
    assert service.wait(20) == -signal.SIGKILL
    assert not psutil.wait_procs([process], 10)[1]
    assert spawn(warm, tmp_path, 0).wait(20) == 7


def test_a_module_that_cannot_be_imported_says_so_in_its_own_log(warm: WarmServices, tmp_path: Path) -> None:
    assert spawn(warm, tmp_path, 0, "no_such_module").wait(20) == 1
    assert "No module named no_such_module" in log_when_it_says(tmp_path / "0.log", "no_such_module")


def test_it_ends_when_the_supervisor_is_gone(warm: WarmServices, tmp_path: Path) -> None:
    service = spawn(warm, tmp_path, 60)
    parent = psutil.Process(service.pid).parent()
    assert parent is not None
    assert warm._requests is not None
    warm._requests.close()
    assert not psutil.wait_procs([parent], 10)[1]
    assert service.wait(20) == -signal.SIGKILL
