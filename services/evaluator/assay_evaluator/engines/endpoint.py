"""The endpoint engine: a model behind an OpenAI-compatible API, asked what the harness asks of any model.

Never tokenizes: where a continuation begins is found by characters. An unanswered request fails its item alone.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from lm_eval.api.model import LM
from lm_eval.models.utils import normalize_gen_kwargs

from assay_evaluator.contamination.membership import Scores, min_k_alone
from assay_evaluator.endpoint import Answer, Echo, EndpointClient, Question, Unanswered, open_client
from assay_evaluator.engines.base import (
    EngineSettings,
    FailedText,
    FailedValue,
    Generation,
    GenerationLog,
    Progress,
)
from assay_evaluator.failures import bad_input
from assay_evaluator.settings import EvaluatorSettings

MAX_TOKENS = 256
NOTHING: Mapping[str, Any] = {}
NO_FIRST = "the endpoint gives the first token no log-probability; give the item a prompt"


class EndpointEngine(LM):  # type: ignore[misc]
    """Greedy or sampled answers; likelihoods only where the endpoint declares them.

    A prompt's trailing spaces are scored with the continuation, as the harness does with its own models.
    """

    def __init__(self, client: EndpointClient, progress: Progress) -> None:
        super().__init__()
        self._client = client
        self._progress = progress
        self.generations = GenerationLog()
        self.max_length = client.endpoint.context
        self.max_gen_toks = min(MAX_TOKENS, self.max_length // 2)
        self.MULTIMODAL = client.endpoint.images and client.endpoint.interface == "chat"

    @property
    def has_chat_template(self) -> bool:
        """A chat endpoint puts its own around what it is asked."""
        return self._client.endpoint.interface == "chat"

    def apply_chat_template(self, chat_history: list[dict[str, str]], **_: Any) -> str:
        """The texts as they are: what they become for the model is the endpoint's to know."""
        return "".join(message["content"] for message in chat_history)

    def generate_until(self, requests: list[Any], **_: Any) -> list[str]:
        replies = self._ask([self._question(*request.args) for request in requests])
        return [self._text(request, reply) for request, reply in zip(requests, replies, strict=True)]

    def _question(self, prompt: str, settings: dict[str, Any], shown: Mapping[str, Any] = NOTHING) -> Question:
        wanted = normalize_gen_kwargs(settings, self.max_gen_toks)
        sampled = wanted["temperature"] > 0
        return Question(
            prompt,
            images=shown.get("visual", ()),
            max_tokens=wanted["max_gen_toks"],
            temperature=wanted["temperature"],
            top_p=wanted.get("top_p", 1.0),
            stop=wanted["until"],
            seed=random.getrandbits(31) if sampled else None,
        )

    def _text(self, request: Any, reply: Answer | Unanswered) -> str:
        if isinstance(reply, Unanswered):
            return FailedText(str(reply))
        prompt, settings = request.args[:2]
        ended = Generation(reply.tokens, reply.finish_reason, token_logprobs=reply.logprobs)
        self.generations.add(prompt, settings, ended)
        return reply.text

    def loglikelihood(self, requests: list[Any], **_: Any) -> list[tuple[float, bool]]:
        self._check_likelihoods()
        pairs = [(request.args[0], "".join(request.args)) for request in requests]
        replies = self._ask([Question(text, echo=True) for _, text in pairs])
        return [_likelihood(len(context.rstrip()), reply) for (context, _), reply in zip(pairs, replies, strict=True)]

    def loglikelihood_rolling(self, requests: list[Any], **_: Any) -> NoReturn:
        raise bad_input(
            f"inputs.benchmark: asks the likelihood of {len(requests)} whole texts, whose first token an endpoint "
            "cannot score; give prompt and completion, or use the engine transformers or vllm"
        )

    def membership(self, requests: list[Any]) -> list[Scores]:
        """Min-K% of each request's (text, share); a text without an answer has no score."""
        self._check_likelihoods()
        replies = self._ask([Question(request.args[0], echo=True) for request in requests])
        return [_familiar(reply, request.args[1]) for request, reply in zip(requests, replies, strict=True)]

    def _check_likelihoods(self) -> None:
        if not self._client.endpoint.likelihoods:
            raise bad_input(
                f"inputs.benchmark: needs likelihoods, which the endpoint of {self._client.model} does not declare; "
                "use a benchmark of generated answers, or declare likelihoods where its completions echo them"
            )

    def _ask(self, questions: Sequence[Question]) -> list[Answer | Unanswered]:
        self._progress.expect(len(questions))
        return self._client.ask(questions, self._progress.rows_done)


def _likelihood(boundary: int, reply: Answer | Unanswered) -> tuple[float, bool]:
    """The log-likelihood of what comes from the character `boundary` on, and whether it was the greedy choice."""
    if isinstance(reply, Unanswered) or reply.echo is None:
        return FailedValue(str(reply)), False
    echo: Echo = reply.echo
    scored = [place for place, offset in enumerate(echo.offsets) if offset >= boundary]
    values = [value for place in scored if (value := echo.logprobs[place]) is not None]
    if not scored or len(values) < len(scored):
        return FailedValue(NO_FIRST), False
    return sum(values), all(echo.likeliest[place] for place in scored)


def _familiar(reply: Answer | Unanswered, share: float) -> Scores:
    """Of all tokens but the first, which has no log-probability."""
    if isinstance(reply, Unanswered) or reply.echo is None:
        return 0, None, None
    return min_k_alone([value for value in reply.echo.logprobs if value is not None], share)


def open_engine(settings: EngineSettings, progress: Progress) -> EndpointEngine:
    """The engine for the endpoint that `settings.folder` names in place of a folder."""
    return EndpointEngine(open_client(str(settings.folder), EvaluatorSettings().endpoints_file), progress)
