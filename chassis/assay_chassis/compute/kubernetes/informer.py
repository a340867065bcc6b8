"""Keeps a copy of one kind of object up to date: list, then watch, for ever.
Never changes anything on the cluster, and never forgets what it knew while the API server is away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

import structlog

from assay_chassis.compute.kubernetes.api import KubernetesApi, Object
from assay_chassis.compute.kubernetes.errors import ClusterUnavailable, Gone
from assay_chassis.retry import Backoff

PAGE = 500
BETWEEN_WATCHES_S = 0.1
RETRY = Backoff(first=0.2, longest=10.0)
log = structlog.get_logger(__name__)


def whole(item: Object) -> Object:
    return item


def no_keys(_item: Object) -> Iterable[str]:
    return ()


class Informer:
    """The objects under `path` that the selector takes, by name.

    `keep` makes of each what is kept of it; `keys` says by what else it is found."""

    def __init__(
        self,
        api: KubernetesApi,
        path: str,
        selector: str = "",
        *,
        keep: Callable[[Object], Object] = whole,
        keys: Callable[[Object], Iterable[str]] = no_keys,
    ) -> None:
        self._api = api
        self._path = path
        self._query = {"labelSelector": selector} if selector else {}
        self._keep = keep
        self._keys = keys
        self._objects: dict[str, Object] = {}
        self._by_key: dict[str, dict[str, Object]] = {}
        self._made_while_listing: dict[str, Object] | None = None
        self._synced = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._trouble: ClusterUnavailable | None = None

    @property
    def objects(self) -> Mapping[str, Object]:
        """What is known now."""
        return self._objects

    def having(self, key: str) -> tuple[Object, ...]:
        """Those of which `keys` said this one. An object that did not change is the same as before."""
        return tuple(self._by_key.get(key, {}).values())

    def add(self, item: Object) -> None:
        """Know at once what was created here; the watch brings it a little later."""
        kept = self._keep(item)
        name = kept["metadata"]["name"]
        if name not in self._objects:
            self._put(name, kept)
        if self._made_while_listing is not None:
            self._made_while_listing[name] = kept

    def _put(self, name: str, kept: Object) -> None:
        self._drop(name)
        self._objects[name] = kept
        for key in self._keys(kept):
            self._by_key.setdefault(key, {})[name] = kept

    def _drop(self, name: str) -> None:
        dropped = self._objects.pop(name, None)
        for key in self._keys(dropped) if dropped is not None else ():
            self._by_key[key].pop(name)
            if not self._by_key[key]:
                del self._by_key[key]

    async def start(self, timeout_s: float) -> None:
        """Until everything was listed once. Raises ClusterUnavailable."""
        self._task = asyncio.create_task(self._run())
        try:
            await asyncio.wait_for(self._synced.wait(), timeout_s)
        except TimeoutError:
            raise self._trouble or ClusterUnavailable(f"{self._path} was not listed in {timeout_s:g} s") from None

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _run(self) -> None:
        delays = RETRY.delays()
        while True:
            try:
                version = await self._list()
                self._synced.set()
                delays = RETRY.delays()
                while True:
                    version = await self._watch(version)
                    await asyncio.sleep(BETWEEN_WATCHES_S)
            except Gone:
                log.debug("the watch was too far behind; listing again", path=self._path)
            except ClusterUnavailable as error:
                self._trouble = error
                log.warning("the cluster cannot be watched; trying again", path=self._path, error=str(error))
            await asyncio.sleep(next(delays))

    async def _list(self) -> str:
        """Take over everything that is there; the version to watch from.

        What was created here after the listing began may not be in it, and is there all the same."""
        made: dict[str, Object] = {}
        self._made_while_listing = made
        found: dict[str, Object] = {}
        query: dict[str, str | int] = {**self._query, "limit": PAGE}
        while True:
            page = await self._api.get(self._path, **query)
            found |= {item["metadata"]["name"]: self._keep(item) for item in page["items"]}
            metadata = page["metadata"]
            if not metadata.get("continue"):
                self._made_while_listing = None
                self._take_over({**made, **found})
                return str(metadata["resourceVersion"])
            query["continue"] = metadata["continue"]

    def _take_over(self, listed: Mapping[str, Object]) -> None:
        """What was listed is all there is. What did not change stays the object that it was."""
        for name in self._objects.keys() - listed.keys():
            self._drop(name)
        for name, kept in listed.items():
            if self._objects.get(name) != kept:
                self._put(name, kept)

    async def _watch(self, version: str) -> str:
        """Follow the changes until the server ends the watch; the version reached."""
        async for event in self._api.watch(self._path, version, **self._query):
            item = event["object"]
            version = str(item["metadata"]["resourceVersion"])
            if event["type"] == "DELETED":
                self._drop(item["metadata"]["name"])
            elif event["type"] != "BOOKMARK":
                self._put(item["metadata"]["name"], self._keep(item))
        return version
