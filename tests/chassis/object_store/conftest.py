"""A real S3 server, built once for this machine, and every object store the contract suite runs against."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from assay_chassis.object_store import StoreSettings, open_store
from assay_chassis.object_store.common import CommonStore
from pydantic import SecretStr

VERSION = "v1.8.0"
MODULE = f"github.com/versity/versitygw/cmd/versitygw@{VERSION}"
ACCESS_KEY, SECRET_KEY = "contract", "contract-secret"


def built_server() -> Path:
    """The S3 server's program; building it takes some 100 s, once."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "assay" / "bin"
    program = cache / f"versitygw-{VERSION}"
    if program.exists():
        return program
    if shutil.which("go") is None:
        pytest.skip("the S3 server for tests is built with Go, which is not installed")
    building = cache / f"building-{os.getpid()}"
    environment = os.environ | {"GOBIN": str(building)}
    built = subprocess.run(["go", "install", MODULE], env=environment, capture_output=True, timeout=280)
    if built.returncode != 0:
        pytest.skip(f"the S3 server for tests did not build: {built.stderr.decode()[-300:]}")
    (building / "versitygw").replace(program)
    building.rmdir()
    return program


@pytest.fixture(scope="session")
def s3_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreSettings]:
    """A running S3 server with the bucket `contract`."""
    program, folder = built_server(), tmp_path_factory.mktemp("s3")
    (folder / "objects" / "contract").mkdir(parents=True)
    (folder / "sidecar").mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [program, "--port", f"127.0.0.1:{port}", "--access", ACCESS_KEY, "--secret", SECRET_KEY, "--quiet"]
    command += ["posix", "--sidecar", folder / "sidecar", folder / "objects"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    wait_until_open(port)
    yield StoreSettings(
        s3_endpoint_url=f"http://127.0.0.1:{port}",
        s3_access_key_id=SecretStr(ACCESS_KEY),
        s3_secret_access_key=SecretStr(SECRET_KEY),
    )
    server.terminate()
    server.wait(10)


def wait_until_open(port: int) -> None:
    give_up = time.monotonic() + 20
    while time.monotonic() < give_up:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("the S3 server did not open its port in 20 s")


@pytest.fixture(params=["memory", "file", pytest.param("s3", marks=pytest.mark.real)])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[CommonStore]:
    roots = {"memory": "memory://test", "file": (tmp_path / "store").as_uri(), "s3": f"s3://contract/{tmp_path.name}"}
    settings = request.getfixturevalue("s3_settings") if request.param == "s3" else StoreSettings()
    async with open_store(roots[request.param], settings) as store:
        yield store
