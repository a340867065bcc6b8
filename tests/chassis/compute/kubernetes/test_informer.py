"""A copy of the cluster's objects that outlives what an API server does."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from assay_chassis.compute.kubernetes.api import _event
from assay_chassis.compute.kubernetes.errors import ClusterUnavailable, refusal
from assay_chassis.compute.kubernetes.informer import Informer

Step = list[dict[str, Any]] | Exception


def item(name: str, version: int = 1) -> dict[str, Any]:
    return {"metadata": {"name": name, "resourceVersion": str(version)}}


def event(kind: str, name: str, version: int) -> dict[str, Any]:
    return {"type": kind, "object": item(name, version)}


class ScriptedApi:
    """Answers lists and watches as it was told to; the last watch never ends."""

    def __init__(self, lists: list[Any], watches: list[Step]) -> None:
        self.lists, self.watches = lists, watches
        self.watched_from: list[str] = []
        self.queries: list[dict[str, Any]] = []

    async def get(self, path: str, **query: Any) -> Any:
        self.queries.append(query)
        answer = self.lists.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def watch(self, path: str, resource_version: str, **query: Any) -> AsyncIterator[dict[str, Any]]:
        self.watched_from.append(resource_version)
        if not self.watches:
            await asyncio.sleep(3600)
        step = self.watches.pop(0)
        if isinstance(step, Exception):
            raise step
        for each in step:
            yield each


def page(*names: str, version: str = "10", more: str = "") -> dict[str, Any]:
    return {"items": [item(name) for name in names], "metadata": {"resourceVersion": version, "continue": more}}


async def informed(api: ScriptedApi, until: Callable[[Informer], bool]) -> Informer:
    informer = Informer(api, "/jobs", "a=b")  # type: ignore[arg-type]
    await informer.start(5.0)
    for _ in range(300):
        if until(informer):
            break
        await asyncio.sleep(0.01)
    await informer.close()
    assert until(informer), dict(informer.objects)
    return informer


async def test_changes_are_followed_from_the_list_on() -> None:
    api = ScriptedApi([page("a")], [[event("ADDED", "b", 11), event("DELETED", "a", 12), event("BOOKMARK", "", 20)]])
    await informed(api, lambda informer: set(informer.objects) == {"b"} and len(api.watched_from) == 2)
    assert api.watched_from == ["10", "20"]
    assert api.queries[0]["labelSelector"] == "a=b"


async def test_objects_are_found_by_what_they_belong_to_as_long_as_they_are_there() -> None:
    moved = {"type": "MODIFIED", "object": item("a", 12) | {"of": "two"}}
    first = page("a", "b")
    first["items"][0]["of"] = first["items"][1]["of"] = "one"
    api = ScriptedApi([first], [[moved, event("DELETED", "b", 13)]])
    informer = Informer(api, "/jobs", keys=lambda item: (item["of"],))  # type: ignore[arg-type]
    await informer.start(5.0)
    for _ in range(300):
        if set(informer.objects) == {"a"}:
            break
        await asyncio.sleep(0.01)
    assert (informer.having("one"), [each["metadata"]["name"] for each in informer.having("two")]) == ((), ["a"])
    await informer.close()


async def test_what_a_new_listing_finds_unchanged_is_the_same_object() -> None:
    api = ScriptedApi([page("a", "b"), page("a")], [refusal(410, "too old")])
    informer = Informer(api, "/jobs", keys=lambda item: (item["metadata"]["name"],))  # type: ignore[arg-type]
    await informer.start(5.0)
    (before,) = informer.having("a")
    for _ in range(300):
        if set(informer.objects) == {"a"}:
            break
        await asyncio.sleep(0.01)
    assert (informer.having("a")[0] is before, informer.having("b")) == (True, ())
    await informer.close()


async def test_a_long_list_comes_in_pages() -> None:
    api = ScriptedApi([page("a", more="next"), page("b")], [])
    await informed(api, lambda informer: set(informer.objects) == {"a", "b"})
    assert api.queries[1]["continue"] == "next"


async def test_a_version_too_old_is_listed_again() -> None:
    api = ScriptedApi([page("a"), page("c", version="99")], [refusal(410, "too old resource version")])
    await informed(api, lambda informer: set(informer.objects) == {"c"} and api.watched_from == ["10", "99"])


async def test_an_outage_keeps_what_was_known_and_ends() -> None:
    away = ClusterUnavailable("cannot be reached")
    api = ScriptedApi([page("a"), away, page("a", "b")], [away])
    informer = Informer(api, "/jobs")  # type: ignore[arg-type]
    await informer.start(5.0)
    for _ in range(300):
        assert "a" in informer.objects
        if "b" in informer.objects:
            break
        await asyncio.sleep(0.01)
    await informer.close()
    assert set(informer.objects) == {"a", "b"}


async def test_a_server_that_never_answers_is_said_at_the_start() -> None:
    informer = Informer(ScriptedApi([ClusterUnavailable("connection refused")] * 9, []), "/jobs")  # type: ignore[arg-type]
    with pytest.raises(ClusterUnavailable, match="connection refused"):
        await informer.start(0.1)
    await informer.close()


async def test_what_was_created_here_is_known_at_once_and_never_replaces_news() -> None:
    informer = Informer(ScriptedApi([], []), "/jobs")  # type: ignore[arg-type]
    informer.add(item("a", 5))
    informer.add(item("a", 4))
    assert informer.objects["a"]["metadata"]["resourceVersion"] == "5"


async def test_what_is_created_during_a_listing_that_does_not_have_it_yet_is_not_lost() -> None:
    class Slow(ScriptedApi):
        async def get(self, path: str, **query: Any) -> Any:
            await asyncio.sleep(0.05)
            return await super().get(path, **query)

    informer = Informer(Slow([page("a")], []), "/jobs")  # type: ignore[arg-type]
    starting = asyncio.create_task(informer.start(5.0))
    await asyncio.sleep(0.01)
    informer.add(item("b", 11))
    await starting
    assert set(informer.objects) == {"a", "b"}
    await informer.close()


async def test_an_answer_that_is_not_json_is_an_outage() -> None:
    with pytest.raises(ClusterUnavailable, match="no API server"):
        _event(b'{"type": "ADDED", "obj')
