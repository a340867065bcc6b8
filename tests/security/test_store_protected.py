"""An S3 server behind TLS with an authority of one's own: services, jobs and the client reach it, strangers do not."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from assay.settings import ClientSettings
from assay.store import Store
from assay_chassis.object_store import StoreSettings, StoreUnavailable, open_store
from assay_chassis.object_store.retry import RetryPolicy
from assay_chassis.object_store.s3 import S3Store
from assay_local.ports import HOST, free_port
from pydantic import SecretStr

pytestmark = pytest.mark.real
KEY, SECRET = "assay", "canary-secret"


def _program() -> Path:
    """Where the object store's own tests have built it."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "assay" / "bin"
    found = sorted(cache.glob("versitygw-v*"))
    if not found:
        pytest.skip("the S3 server is built by tests/chassis/object_store, which has not run here")
    return found[-1]


@pytest.fixture(scope="module")
def endpoint(certificates: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server that speaks TLS only, with the bucket `assay`."""
    folder, port = tmp_path_factory.mktemp("s3-tls"), free_port(None)
    (folder / "objects" / "assay").mkdir(parents=True)
    (folder / "sidecar").mkdir()
    certificate, key = certificates.of("server")
    command = [_program(), "--port", f"{HOST}:{port}", "--access", KEY, "--secret", SECRET, "--quiet"]
    command += ["--cert", certificate, "--key", key, "posix", "--sidecar", folder / "sidecar", folder / "objects"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait_for(port)
        yield f"https://{HOST}:{port}"
    finally:
        server.terminate()
        server.wait(10)


def _wait_for(port: int) -> None:
    give_up = monotonic() + 20
    while monotonic() < give_up:
        with closing(socket.socket()) as probe:
            if probe.connect_ex((HOST, port)) == 0:
                return
        sleep(0.05)
    raise AssertionError("the S3 server did not open its port in 20 s")


def settings(endpoint: str, **changes: Any) -> StoreSettings:
    own = {"s3_access_key_id": SecretStr(KEY), "s3_secret_access_key": SecretStr(SECRET)}
    return StoreSettings(object_store="s3://assay/x", s3_endpoint_url=endpoint, **{**own, **changes})


async def test_objects_go_in_and_out_under_tls(endpoint: str, certificates: Any, tmp_path: Path) -> None:
    async with open_store(settings(endpoint, s3_ssl_cafile=certificates.authority)) as store:
        large = tmp_path / "large"
        large.write_bytes(b"0123456789" * 2_000_000)  # in parts
        reference = await store.put_file("large", large)
        await store.get_file(reference, tmp_path / "again")
        assert (tmp_path / "again").read_bytes() == large.read_bytes()
        assert [entry.uri async for entry in store.list()] == ["s3://assay/x/large"]


async def test_the_setting_comes_from_the_environment_of_a_job(
    endpoint: str, certificates: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_S3_SSL_CAFILE", str(certificates.authority))
    async with open_store(settings(endpoint)) as store:
        await store.put_bytes("a", b"1")
        assert await store.get_bytes("a") == b"1"


@pytest.mark.parametrize("authority", ["stranger", None])
async def test_a_server_of_another_authority_is_no_store(
    endpoint: str, certificates: Any, authority: str | None
) -> None:
    cafile = certificates.stranger if authority else None
    async with S3Store("s3://assay/x", settings(endpoint, s3_ssl_cafile=cafile), RetryPolicy(attempts=1)) as store:
        with pytest.raises(StoreUnavailable) as refused:
            await store.put_bytes("a", b"1")
    assert "canary" not in str(refused.value)


def test_the_server_speaks_tls_only(endpoint: str) -> None:
    port = int(endpoint.rpartition(":")[2])
    with socket.create_connection((HOST, port), timeout=5) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert not plain.recv(100).startswith(b"HTTP/1.1 200")


def test_the_client_reads_and_writes_under_tls(endpoint: str, certificates: Any) -> None:
    own = {"s3_access_key_id": KEY, "s3_secret_access_key": SecretStr(SECRET)}
    store = Store(
        ClientSettings(
            object_store="s3://assay/client",
            s3_endpoint_url=endpoint,
            s3_ssl_cafile=str(certificates.authority),
            **own,
        )
    )
    assert store.read(store.write("a", b"1")) == b"1"
