"""Failures that pass are tried again, others are not; and S3's answers are told apart."""

from pathlib import Path

import pytest
from assay_chassis.object_store import AccessDenied, MemoryStore, ObjectNotFound, StoreUnavailable
from assay_chassis.object_store.errors import ClockSkewed, TryAgain
from assay_chassis.object_store.retry import RetryPolicy
from assay_chassis.object_store.s3_errors import judged, translated
from botocore import exceptions


class Faulty(MemoryStore):
    """Fails or truncates its first reads."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__()
        self._retries = RetryPolicy(attempts=3, base_s=0.001)
        self.faults = faults

    async def _download(self, key: str, path: Path) -> tuple[str, int]:
        await self._read(key, 2**20)
        return await super()._download(key, path)

    async def _read(self, key: str, max_bytes: int) -> bytes:
        data = await super()._read(key, max_bytes)
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "slow":
            raise TryAgain(StoreUnavailable(key, "slow down"))
        return data[:3] if fault == "truncated" else data


@pytest.mark.parametrize("faults", [["slow"], ["slow", "slow"], ["truncated"], ["truncated", "slow"]])
async def test_a_passing_failure_is_not_seen(faults: list[str]) -> None:
    store = Faulty(faults)
    ref = await store.put_bytes("a", b"whole")
    assert await store.get_bytes(ref) == b"whole"


async def test_a_failure_that_stays_is_raised_in_the_end() -> None:
    store = Faulty(["slow"] * 3)
    await store.put_bytes("a", b"whole")
    with pytest.raises(StoreUnavailable, match="slow down"):
        await store.get_bytes("a")
    assert store.faults == []


def test_waits_grow_up_to_a_limit() -> None:
    policy = RetryPolicy(base_s=1.0, cap_s=4.0)
    for attempt, longest in enumerate([1.0, 2.0, 4.0, 4.0], start=1):
        assert longest / 2 <= policy.wait_s(attempt) <= longest


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("NoSuchKey", 404, ObjectNotFound),
        ("404", 404, ObjectNotFound),
        ("AccessDenied", 403, AccessDenied),
        ("403", 403, AccessDenied),
        ("RequestTimeTooSkewed", 403, ClockSkewed),
        ("SlowDown", 503, TryAgain),
        ("InternalError", 500, TryAgain),
        ("", 429, TryAgain),
        ("", 502, TryAgain),
        ("NoSuchBucket", 404, StoreUnavailable),
        ("InvalidRequest", 400, StoreUnavailable),
    ],
)
def test_an_answer_means(code: str, status: int, error: type[Exception]) -> None:
    assert type(judged("s3://bucket/a", code, status)) is error


@pytest.mark.parametrize("name", ["EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError"])
def test_a_server_that_cannot_be_reached_is_asked_again(name: str) -> None:
    error = getattr(exceptions, name)(endpoint_url="http://s3:7070")
    with pytest.raises(TryAgain) as caught, translated("s3://bucket/a"):
        raise error
    assert isinstance(caught.value.final, StoreUnavailable)


async def test_a_folder_fails_with_the_error_of_its_file(tmp_path: Path) -> None:
    store = Faulty(["slow"] * 9)
    await store.put_bytes("model/config.json", b"{}")
    await store.put_bytes("model/weights", b"w")
    with pytest.raises(StoreUnavailable, match="slow down"):
        await store.get_tree("model", tmp_path / "model")


async def test_no_server_is_a_clear_error(tmp_path: Path) -> None:
    from assay_chassis.object_store import StoreSettings
    from assay_chassis.object_store.s3 import S3Store
    from pydantic import SecretStr

    settings = StoreSettings(
        s3_endpoint_url="http://127.0.0.1:1", s3_access_key_id=SecretStr("a"), s3_secret_access_key=SecretStr("hidden")
    )
    async with S3Store("s3://bucket", settings, RetryPolicy(attempts=2, base_s=0.01)) as store:
        with pytest.raises(StoreUnavailable, match="ASSAY_S3_ENDPOINT_URL") as caught:
            await store.get_bytes("a")
    assert "hidden" not in str(caught.value)
