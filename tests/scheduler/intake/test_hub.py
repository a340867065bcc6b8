"""The Hub through an outage: what may come back is waited for, what is not there is refused at once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from assay_chassis.clock import ManualClock
from assay_scheduler.intake.hub import HubModels
from assay_scheduler.intake.inspection import Inspection, Inspector
from assay_scheduler.intake.installation import Installation
from assay_scheduler.intake.unusable import NotThereNow, Unusable
from assay_scheduler.intake.worker import MOST_TRIES_AWAY, Claim, IntakeWorker
from assay_scheduler.policy import Resources
from assay_schemas.problems import Problem

AWAY = Problem(field="base_model", message="the Hub does not answer.", mend="Look at the connection.")


def http_error(status: int) -> Exception:
    from httpx2 import Request, Response
    from huggingface_hub.errors import HfHubHTTPError

    return HfHubHTTPError("no", response=Response(status, request=Request("GET", "https://hub.invalid")))


def not_found(kind: str) -> Exception:
    from huggingface_hub import errors

    class_ = getattr(errors, kind)
    found: Exception = class_("no", response=http_error(404).response)  # type: ignore[attr-defined]
    return found


def not_in_cache(cause: Exception | None) -> Exception:
    from huggingface_hub.errors import LocalEntryNotFoundError

    error = LocalEntryNotFoundError("not in the cache")
    error.__cause__ = cause
    return error


def no_connection() -> Exception:
    from httpx2 import ConnectError

    return ConnectError("no route to host")


def hub(monkeypatch: pytest.MonkeyPatch, raised: Exception) -> HubModels:
    import huggingface_hub

    def download(*_: Any, **__: Any) -> str:
        raise raised

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    return HubModels()


@pytest.mark.parametrize("status", [408, 429, 500, 503])
async def test_an_answer_that_the_hub_is_in_trouble_may_pass(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    for error in (http_error(status), not_in_cache(http_error(status))):
        with pytest.raises(NotThereNow, match=r"org/model@main .* the Hub does not answer"):
            await hub(monkeypatch, error).files("hf:org/model@main")


async def test_a_connection_that_fails_may_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (no_connection(), not_in_cache(no_connection())):
        with pytest.raises(NotThereNow):
            await hub(monkeypatch, error).files("hf:org/model")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("RepositoryNotFoundError", "org/model@main is not on the Hub, or not for this account"),
        ("RevisionNotFoundError", "org/model@main has no such revision"),
        ("GatedRepoError", "org/model@main is gated"),
    ],
)
async def test_what_the_hub_does_not_have_or_give_is_said(
    monkeypatch: pytest.MonkeyPatch, kind: str, words: str
) -> None:
    with pytest.raises(Unusable, match=words) as caught:
        await hub(monkeypatch, not_found(kind)).files("hf:org/model@main")
    assert not isinstance(caught.value, NotThereNow)


async def test_a_refusal_of_the_hub_is_no_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (http_error(403), not_in_cache(http_error(403))):
        with pytest.raises(Unusable, match="cannot be had from the Hub: no") as caught:
            await hub(monkeypatch, error).files("hf:org/model")
        assert not isinstance(caught.value, NotThereNow)


async def test_where_the_cache_alone_is_read_nothing_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unusable) as caught:
        await hub(monkeypatch, not_in_cache(None)).files("hf:org/model")
    assert not isinstance(caught.value, NotThereNow)


class _Worker(IntakeWorker):
    """Keeps what becomes of a claim."""

    def __init__(self, found: Inspection) -> None:
        async def inspect(*_: Any) -> Inspection:
            return found

        parts = SimpleNamespace(
            app=SimpleNamespace(clock=ManualClock(), log=SimpleNamespace(warning=lambda *_, **__: None)),
            settings=SimpleNamespace(intake_lease_s=60.0, intake_timeout_s=60.0),
            inspector=SimpleNamespace(inspect=inspect),
        )
        super().__init__(parts)  # type: ignore[arg-type]
        self.tries = 0
        self.put_off: list[str] = []
        self.rejected: list[Problem] = []

    async def _claim(self) -> Claim:
        self.tries += 1
        return Claim("e", "experiment", "", {}, "", self.tries, self._parts.app.clock.now())

    async def _put_off(self, claim: Claim, error: Exception) -> None:
        self.put_off.append(str(error))

    async def _reject(self, claim: Claim, problems: Any) -> None:
        self.rejected += problems


async def test_an_experiment_waits_for_the_hub_and_is_refused_when_that_took_too_long() -> None:
    worker = _Worker(Inspection(away=[AWAY]))
    while not worker.rejected:
        await worker.take_one()
    assert worker.put_off == ["base_model: the Hub does not answer."] * (MOST_TRIES_AWAY - 1)
    assert [one.field for one in worker.rejected] == ["base_model"]
    assert worker.rejected[0].message.endswith(f"It was tried {MOST_TRIES_AWAY} times.")
    assert worker.rejected[0].mend == AWAY.mend


class _Models:
    async def take(self, _: str) -> Any:
        raise NotThereNow(AWAY.message, AWAY.mend)


async def test_a_mistake_beside_a_hub_that_is_away_is_told_at_once() -> None:
    inspector = Inspector(None, _Models(), Installation(Resources(), most_nodes=1))  # type: ignore[arg-type]
    document = {
        "name": "n",
        "base_model": "hf:org/model",
        "training": {"algorithm": "SFT"},
        "arms": [{"name": "a"}],
        "benchmarks": [{"name": "gsm8k"}],
    }
    found = await inspector.inspect(document)
    assert found.problems
    assert not found.away
    assert "base_model" not in {problem.field for problem in found.problems}
