"""Objects in an S3 bucket through aioboto3.
Never keeps credentials in messages, and never trusts an answer shorter than it said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from assay_chassis.object_store.base import ObjectStat
from assay_chassis.object_store.common import CommonStore
from assay_chassis.object_store.digests import BLOCK, sha256_of_bytes, sha256_of_file
from assay_chassis.object_store.errors import ObjectTooLarge, StoreUnavailable, TryAgain
from assay_chassis.object_store.retry import RetryPolicy
from assay_chassis.object_store.s3_errors import translated
from assay_chassis.object_store.settings import StoreSettings

PART_BYTES = 16 * 2**20
KEYS_A_DELETE = 1000


class S3Store(CommonStore):
    """A store at `s3://<bucket>/<prefix>`. The connection opens with the first call."""

    def __init__(self, root: str, settings: StoreSettings, retries: RetryPolicy | None = None) -> None:
        super().__init__(root, retries)
        bucket, _, prefix = self.root.removeprefix("s3://").partition("/")
        self._bucket = bucket
        self._prefix = prefix + "/" if prefix else ""
        self._settings = settings
        self._opening = asyncio.Lock()
        self._open = AsyncExitStack()
        self._connection: Any = None

    async def _close(self) -> None:
        self._connection = None
        await self._open.aclose()

    async def _client(self) -> Any:
        async with self._opening:
            if self._connection is None:
                self._connection = await self._open.enter_async_context(_connect(self._settings))
        return self._connection

    @asynccontextmanager
    async def _call(self, key: str) -> AsyncIterator[tuple[Any, dict[str, str]]]:
        """The client and the arguments that name the object; failures come out as ours."""
        with translated(self._uri(key) if key else self.root):
            yield await self._client(), {"Bucket": self._bucket, "Key": self._prefix + key}

    async def _write(self, key: str, data: bytes, sha256: str, media_type: str, /) -> None:
        async with self._call(key) as (client, where):
            await client.put_object(**where, Body=data, **_extra(sha256, media_type))

    async def _upload(self, key: str, path: Path, media_type: str, /) -> tuple[str, int]:
        from boto3.s3.transfer import TransferConfig

        sha256, size = await asyncio.to_thread(sha256_of_file, path)
        parts = TransferConfig(multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES)
        async with self._call(key) as (client, where):
            await client.upload_file(str(path), **where, ExtraArgs=_extra(sha256, media_type), Config=parts)
        return sha256, size

    async def _read(self, key: str, max_bytes: int) -> bytes:
        async with self._call(key) as (client, where):
            answer = await client.get_object(**where)
            async with answer["Body"]:
                if answer["ContentLength"] > max_bytes:
                    raise ObjectTooLarge(self._uri(key), answer["ContentLength"], max_bytes)
                data: bytes = await answer["Body"].read()
        self._check_answer(key, answer, len(data), sha256_of_bytes(data))
        return data

    async def _download(self, key: str, path: Path) -> tuple[str, int]:
        async with self._call(key) as (client, where):
            answer = await client.get_object(**where)
            async with answer["Body"]:
                with path.open("wb") as target:
                    async for block in answer["Body"].iter_chunks(BLOCK):
                        await asyncio.to_thread(target.write, block)
        sha256, size = await asyncio.to_thread(sha256_of_file, path)
        self._check_answer(key, answer, size, sha256)
        return sha256, size

    def _check_answer(self, key: str, answer: dict[str, Any], size: int, sha256: str) -> None:
        if size != answer["ContentLength"] or answer["Metadata"].get("sha256", sha256) != sha256:
            problem = f"{size} bytes came of {answer['ContentLength']}, or their sha256 is wrong"
            raise TryAgain(StoreUnavailable(self._uri(key), problem))

    async def _stat(self, key: str) -> ObjectStat:
        async with self._call(key) as (client, where):
            answer = await client.head_object(**where)
        return ObjectStat(self._uri(key), answer["ContentLength"], answer["Metadata"].get("sha256"))

    async def _list(self, folder: str) -> Sequence[ObjectStat]:
        found = []
        under = self._prefix + (folder + "/" if folder else "")
        async with self._call("") as (client, where):
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=where["Bucket"], Prefix=under)
            async for page in pages:
                for entry in page.get("Contents", ()):
                    key = entry["Key"].removeprefix(self._prefix)
                    if not key.endswith("/"):
                        found.append(ObjectStat(self._uri(key), entry["Size"], None))
        return sorted(found, key=lambda entry: entry.uri)

    async def _delete(self, keys: list[str]) -> None:
        async with self._call("") as (client, where):
            for start in range(0, len(keys), KEYS_A_DELETE):
                objects = [{"Key": self._prefix + key} for key in keys[start : start + KEYS_A_DELETE]]
                answer = await client.delete_objects(Bucket=where["Bucket"], Delete={"Objects": objects, "Quiet": True})
                if answer.get("Errors"):
                    problem = f"{len(answer['Errors'])} objects were not deleted"
                    raise TryAgain(StoreUnavailable(self.root, problem))


def _extra(sha256: str, media_type: str) -> dict[str, Any]:
    return {"Metadata": {"sha256": sha256}, "ContentType": media_type}


def _connect(settings: StoreSettings) -> Any:
    import aioboto3
    from botocore.config import Config

    config = Config(
        connect_timeout=5,
        read_timeout=60,
        retries={"total_max_attempts": 1},
        s3={"addressing_style": "path" if settings.s3_endpoint_url else "auto"},
    )
    key_id, secret = settings.s3_access_key_id, settings.s3_secret_access_key
    return aioboto3.Session().client(
        "s3",
        endpoint_url=settings.s3_endpoint_url,
        region_name=settings.s3_region,
        aws_access_key_id=key_id.get_secret_value() if key_id else None,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
        config=config,
        verify=str(settings.s3_ssl_cafile) if settings.s3_ssl_cafile else None,
    )
