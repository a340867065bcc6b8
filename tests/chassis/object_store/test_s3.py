"""What only the S3 store can show: refusals of a real server, and digests it keeps."""

import pytest
from assay_chassis.object_store import AccessDenied, StoreSettings, StoreUnavailable
from assay_chassis.object_store.s3 import S3Store
from pydantic import SecretStr

pytestmark = pytest.mark.real


async def test_a_wrong_secret_is_an_access_problem(s3_settings: StoreSettings) -> None:
    wrong = s3_settings.model_copy(update={"s3_secret_access_key": SecretStr("wrong")})
    async with S3Store("s3://contract/x", wrong) as store:
        with pytest.raises(AccessDenied, match="credentials"):
            await store.put_bytes("a", b"1")


async def test_a_bucket_that_does_not_exist_is_a_store_problem(s3_settings: StoreSettings) -> None:
    async with S3Store("s3://no-such-bucket", s3_settings) as store:
        with pytest.raises(StoreUnavailable, match="NoSuchBucket"):
            await store.put_bytes("a", b"1")


async def test_the_digest_is_kept_with_the_object(s3_settings: StoreSettings) -> None:
    async with S3Store("s3://contract/digest", s3_settings) as store:
        ref = await store.put_bytes("a", b"1")
        assert (await store.stat("a")).sha256 == ref.sha256


async def test_a_closed_store_opens_again(s3_settings: StoreSettings) -> None:
    store = S3Store("s3://contract/again", s3_settings)
    await store.put_bytes("a", b"1")
    await store.aclose()
    assert await store.get_bytes("a") == b"1"
    await store.aclose()


async def test_two_prefixes_of_one_bucket_do_not_meet(s3_settings: StoreSettings) -> None:
    async with S3Store("s3://contract/one", s3_settings) as one, S3Store("s3://contract/on", s3_settings) as other:
        await one.put_bytes("a", b"1")
        assert [entry.uri async for entry in other.list()] == []
        assert await other.delete_prefix("e") == 0
        assert await one.exists("a")
