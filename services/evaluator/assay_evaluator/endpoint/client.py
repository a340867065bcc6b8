"""Asks an endpoint many questions at once, and again where that helps: limits, time-outs, outages, nonsense.

Never logs a key or a prompt. A question without an answer is told apart from a job that cannot go on.
"""

from __future__ import annotations

import asyncio
import math
import os
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import httpx
from assay_chassis.job_service.failures import JobFailed
from assay_schemas.endpoints import Endpoint, EndpointsUnreadable, endpoint_model, read_endpoints
from assay_schemas.problems import nearest

from assay_evaluator.endpoint.messages import Answer, NoSense, Question, Unanswered, read_answer, wire
from assay_evaluator.failures import bad_input

FIRST_WAIT_S = 0.5
NOT_ALLOWED = (401, 403)
PASSING = (408, 409, 425, 429)
TOO_MANY = 429
Reply = Answer | Unanswered
Sleep = Callable[[float], Awaitable[None]]


class EndpointClient:
    """One model at one endpoint. `transport` and `sleep` are for tests.

    A question that fails for good is Unanswered. What no question can survive raises JobFailed: a key that is
    refused (`endpoint_refused`), a model that is not there (`bad_input`), or no answer to any question
    (`endpoint_unavailable`, which a later attempt may overcome).
    """

    def __init__(
        self,
        endpoint: Endpoint,
        model: str,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Sleep = asyncio.sleep,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self.endpoint = endpoint
        self.model = model
        self._transport = transport
        self._sleep = sleep
        self._key = _key(endpoint, environment)

    def ask(self, questions: Sequence[Question], answered: Callable[[int], None] = lambda _: None) -> list[Reply]:
        """A reply to each question, in their order; `answered(1)` is called as each arrives, and may raise."""
        return asyncio.run(self._ask(questions, answered))

    async def _ask(self, questions: Sequence[Question], answered: Callable[[int], None]) -> list[Reply]:
        limit = asyncio.Semaphore(self.endpoint.at_once)
        limits = httpx.Limits(max_connections=self.endpoint.at_once)
        async with httpx.AsyncClient(
            base_url=self.endpoint.url.rstrip("/") + "/",
            headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
            timeout=self.endpoint.timeout_s,
            limits=limits,
            transport=self._transport,
        ) as http:

            async def one(question: Question) -> Reply:
                async with limit:
                    reply = await self._reply(http, question)
                answered(1)
                return reply

            tasks = [asyncio.create_task(one(question)) for question in questions]
            try:
                replies = await asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()
        self._check_any_answer(replies)
        return replies

    def _check_any_answer(self, replies: Sequence[Reply]) -> None:
        passing = [reply for reply in replies if isinstance(reply, Unanswered) and reply.why != "refused"]
        if passing and len(passing) == len(replies):
            message = f"the endpoint of {self.model} answered none of {len(replies)} questions: {passing[0]}"
            raise JobFailed("endpoint_unavailable", message, retryable=True)

    async def _reply(self, http: httpx.AsyncClient, question: Question) -> Reply:
        """Tries until there is an answer, a refusal, or no try left."""
        path, body = wire(question, self.model, self.endpoint)
        last = Unanswered("unavailable", "was never asked")
        for number in range(self.endpoint.tries):
            waiting: float | None = None
            try:
                async with asyncio.timeout(self.endpoint.timeout_s):
                    response = await http.post(path, json=body)
                if response.is_success:
                    return read_answer(question, response.json())
                last, waiting = self._refusal(response)
                if last.why == "refused":
                    return last
            except (TimeoutError, httpx.TimeoutException):
                last = Unanswered("timeout", f"no answer within {self.endpoint.timeout_s:g} s")
            except httpx.TransportError as error:
                last = Unanswered("unavailable", f"{type(error).__name__}: {error}")
            except ValueError as error:
                last = Unanswered("nonsense", str(error) if isinstance(error, NoSense) else "the body is no JSON")
            if number + 1 < self.endpoint.tries:
                await self._sleep(self._wait(number, waiting))
        return last

    def _refusal(self, response: httpx.Response) -> tuple[Unanswered, float | None]:
        """Why the endpoint said no, and how long it asks to wait. Raises JobFailed where it says no to everything."""
        status, said = response.status_code, _said(response, self._key)
        if status in NOT_ALLOWED:
            self._not_allowed(status)
        if status == httpx.codes.NOT_FOUND:
            raise bad_input(f"the endpoint has no model {self.model!r}, or no such interface: {said}")
        if status == TOO_MANY:
            return Unanswered("rate_limited", said), _retry_after(response)
        if status in PASSING or response.is_server_error:
            return Unanswered("unavailable", f"status {status}: {said}"), _retry_after(response)
        return Unanswered("refused", f"status {status}: {said}"), None

    def _not_allowed(self, status: int) -> NoReturn:
        variable = self.endpoint.key_variable
        mend = f"look at the key in {variable}" if variable else "declare key_variable for it"
        raise JobFailed("endpoint_refused", f"the endpoint of {self.model} does not let us in ({status}); {mend}")

    def _wait(self, number: int, asked: float | None) -> float:
        """Seconds before try `number` + 2: what the endpoint asks for, else doubling, with a jitter."""
        if asked is None:
            asked = FIRST_WAIT_S * 2**number * random.uniform(0.5, 1.5)
        return min(asked, self.endpoint.patience_s)


def open_client(location: str, endpoints_file: Path | None) -> EndpointClient:
    """The client for `endpoint:NAME/MODEL`. Raises JobFailed where that is not declared here."""
    try:
        named, declared = endpoint_model(location), read_endpoints(endpoints_file)
    except EndpointsUnreadable as error:
        raise JobFailed("endpoint_refused", str(error)) from error
    except ValueError as error:
        raise bad_input(str(error)) from error
    endpoint = declared.get(named.name)
    if endpoint is None:
        known = nearest(named.name, declared) or "ASSAY_ENDPOINTS_FILE declares none."
        raise bad_input(f"endpoint {named.name!r} is not declared here. {known}")
    if endpoint.models and named.model not in endpoint.models:
        raise bad_input(
            f"endpoint {named.name!r} may not be asked for {named.model!r}. {nearest(named.model, endpoint.models)}"
        )
    return EndpointClient(endpoint, named.model)


def _key(endpoint: Endpoint, environment: Mapping[str, str]) -> str:
    """The endpoint's key; empty where it needs none. Raises JobFailed where it is not set."""
    if endpoint.key_variable is None:
        return ""
    key = environment.get(endpoint.key_variable, "")
    if not key:
        raise JobFailed("endpoint_refused", f"{endpoint.key_variable}: is not set, and the endpoint needs its key")
    return key


def _said(response: httpx.Response, key: str) -> str:
    """What the endpoint gave as its reason, short, and without the key that some of them repeat."""
    try:
        body: Any = response.json()
    except ValueError:
        body = response.text
    error = body.get("error", body) if isinstance(body, dict) else body
    said = str(error.get("message", error) if isinstance(error, dict) else error)
    return (said.replace(key, "[key]") if key else said)[:200]


def _retry_after(response: httpx.Response) -> float | None:
    """The seconds of a Retry-After header; None where there is none, or it is a date."""
    try:
        seconds = float(response.headers.get("retry-after", ""))
    except ValueError:
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
