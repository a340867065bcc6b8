"""Makes the suite's own modules importable, and gives each test a bench for its backend."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# Ray clusters ask for a token. Set before anything imports Ray, which looks once.
os.environ.setdefault("RAY_AUTH_MODE", "token")
os.environ.setdefault("RAY_AUTH_TOKEN", "a-token-of-tests-alone-0123456789")
sys.path.insert(0, str(HERE))

from contract_bench import Bench  # noqa: E402

LOCAL = pytest.param("local", marks=pytest.mark.real)
RAY = pytest.param("ray", marks=[pytest.mark.real, pytest.mark.slow])


def new_bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    options = {"address": request.getfixturevalue("ray_cluster")} if request.param == "ray" else {}
    return Bench(tmp_path / "runs", request.param, options)


@pytest.fixture(params=["memory", LOCAL, RAY])
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    """Every backend in turn."""
    bench = new_bench(request, tmp_path)
    yield bench
    await bench.close()


@pytest.fixture(params=[LOCAL, RAY])
async def process_bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    """Every backend whose jobs are processes in turn."""
    bench = new_bench(request, tmp_path)
    yield bench
    await bench.close()


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path / "runs", "local")
    yield bench
    await bench.close()


@pytest.fixture(scope="session")
def ray_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A one-node Ray cluster with a CPU count that does not depend on the machine.

    Ray gives its node 30 s to start, which a busy machine may exceed: so there are three tries."""
    for _ in range(3):
        port, log = free_port(), tmp_path_factory.mktemp("ray") / "log"
        cluster = start_ray(port, log)
        while cluster.poll() is None and b"Ray runtime started" not in log.read_bytes():
            time.sleep(0.2)
        if cluster.poll() is None:
            try:
                yield f"127.0.0.1:{port}"
            finally:
                cluster.terminate()
                cluster.wait(30)
            return
    if b"timed out during startup" in log.read_bytes():
        pytest.skip("Ray did not start its node within its own 30 s in three tries: this machine is too busy")
    raise AssertionError(f"the Ray cluster did not start: {log.read_text()[-2000:]}")


def start_ray(port: int, log: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--num-cpus=4"]
    command += [f"--port={port}", "--include-dashboard=false", "--node-ip-address=127.0.0.1"]
    command += ["--disable-usage-stats", "--object-store-memory=100000000"]
    with log.open("wb") as output:
        return subprocess.Popen(command, stdout=output, stderr=output, env=os.environ | {"PYTHONUNBUFFERED": "1"})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
