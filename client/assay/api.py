"""The scheduler's HTTP API as the client uses it: questions about state, and requests to cancel or retry.

Experiments themselves are published on Kafka; nothing here trains or evaluates.
"""

from __future__ import annotations

from typing import Any

import httpx
from assay_schemas.problems import Problem

from assay.errors import AssayError, NotConnected, NotFound, Refused
from assay.settings import ClientSettings

TIMEOUT_S = 30.0


class Api:
    """Calls one scheduler. Raises NotConnected, NotFound or Refused."""

    def __init__(self, settings: ClientSettings) -> None:
        self._url = settings.api_url.rstrip("/")
        token = settings.api_token.get_secret_value()
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def experiments(self, **filters: Any) -> list[dict[str, Any]]:
        return self._items(self._call("GET", "/experiments", params=_given(filters)))

    def experiment(self, experiment_id: str) -> dict[str, Any]:
        return dict(self._call("GET", f"/experiments/{experiment_id}"))

    def plan(self, document: dict[str, Any]) -> dict[str, Any]:
        """What would happen to this specification, without asking for it."""
        return dict(self._call("POST", "/experiments", params={"dry_run": "true"}, json=document))

    def retry(self, experiment_id: str) -> dict[str, Any]:
        return dict(self._call("POST", f"/experiments/{experiment_id}/retry"))

    def job(self, key: str) -> dict[str, Any]:
        return dict(self._call("GET", f"/jobs/{key}"))

    def jobs(self, **filters: Any) -> list[dict[str, Any]]:
        return self._items(self._call("GET", "/jobs", params=_given(filters)))

    def versions(self) -> list[dict[str, Any]]:
        """The versions of engine and harness that may be asked for."""
        return self._items(self._call("GET", "/versions"))

    def logs(self, key: str) -> str:
        answer = self._call("GET", f"/jobs/{key}/logs")
        return str(answer.get("log", "")) if isinstance(answer, dict) else str(answer)

    @staticmethod
    def _items(answer: Any) -> list[dict[str, Any]]:
        return list(answer["items"] if isinstance(answer, dict) else answer)

    def _call(self, method: str, path: str, **options: Any) -> Any:
        if not self._url:
            raise NotConnected("The scheduler's address is not known. Set ASSAY_API_URL, or start `assay up`.")
        try:
            answer = httpx.request(method, self._url + path, timeout=TIMEOUT_S, headers=self._headers, **options)
        except httpx.HTTPError as error:
            raise NotConnected(f"The scheduler does not answer at {self._url}: {error}. Try `assay doctor`.") from error
        if answer.is_success:
            return answer.json() if "json" in answer.headers.get("content-type", "") else answer.text
        raise _refusal(answer, "experiment" if method == "POST" else "request")


def _refusal(answer: httpx.Response, what: str) -> AssayError:
    try:
        details = answer.json()
    except ValueError:
        details = {}
    if answer.status_code == 422 and details.get("problems"):
        return Refused([Problem.model_validate(problem) for problem in details["problems"]], what)
    message = details.get("detail") or details.get("title") or f"HTTP {answer.status_code}"
    return NotFound(message) if answer.status_code == 404 else AssayError(message)


def _given(filters: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in filters.items() if value is not None}
