"""What is said to an endpoint and what comes back, as values, and how each looks on the wire.

Reads and writes JSON structures, and the files of images that a question shows; never opens a connection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal

from assay_schemas.endpoints import Endpoint
from pydantic import BaseModel, Field, ValidationError

from assay_evaluator.endpoint.pictures import content_with

PART = "\ufffd"
Why = Literal["timeout", "rate_limited", "unavailable", "nonsense", "refused"]


@dataclass(frozen=True)
class Question:
    """A prompt, or messages of a conversation, and how to answer. `max_tokens` bounds the answer.

    With `echo`, nothing is generated: the answer is the prompt's own log-probabilities. `images` are shown at the
    prompt's places for them.
    """

    prompt: str = ""
    images: Sequence[Any] = ()
    messages: Sequence[dict[str, Any]] = ()
    max_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    stop: Sequence[str] = ()
    seed: int | None = None
    echo: bool = False


@dataclass(frozen=True)
class Echo:
    """The prompt as the endpoint's tokens: where each begins, its log-probability, whether it was the likeliest.

    The first token has no log-probability: nothing comes before it.
    """

    offsets: Sequence[int]
    logprobs: Sequence[float | None]
    likeliest: Sequence[bool]


@dataclass(frozen=True)
class Answer:
    """A text, its tokens (0 where unknown), and `stop`, `length` or another word for how it ended.

    `logprobs` are its tokens' natural-log probabilities as the endpoint gives them, and empty where it does not.
    """

    text: str
    tokens: int = 0
    finish_reason: str = ""
    echo: Echo | None = None
    logprobs: tuple[float, ...] = ()


@dataclass(frozen=True)
class Unanswered:
    """A question that got no answer after all tries: its item has failed."""

    why: Why
    message: str

    def __str__(self) -> str:
        return f"{self.why}: {self.message}"


class NoSense(ValueError):
    """What came back is no answer; the message says what is wrong with it."""


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Logprobs(BaseModel):
    token_logprobs: list[float | None]
    text_offset: list[int]
    tokens: list[str] | None = None
    top_logprobs: list[dict[str, float] | None] | None = None


class _ChatToken(BaseModel):
    logprob: float


class _Generated(BaseModel):
    """A chat lists tokens in `content`, completions their values in `token_logprobs`."""

    content: list[_ChatToken] | None = None
    token_logprobs: list[float] | None = None


class _Choice(BaseModel):
    message: _Message | None = None
    text: str | None = None
    finish_reason: str | None = None
    logprobs: Any = None


class _Usage(BaseModel):
    completion_tokens: int = 0


class _Body(BaseModel):
    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None


def wire(question: Question, model: str, endpoint: Endpoint) -> tuple[str, dict[str, Any]]:
    """The path under the endpoint's address and the JSON body of a question."""
    length = 1 if question.echo else question.max_tokens
    body: dict[str, Any] = {"model": model, endpoint.length_field: length, "temperature": question.temperature}
    if question.temperature > 0:
        body["top_p"] = question.top_p
    if question.stop:
        body["stop"] = list(question.stop)[:4]
    if question.seed is not None:
        body["seed"] = question.seed
    if question.echo:
        return "completions", body | {"prompt": question.prompt, "echo": True, "logprobs": 1}
    if endpoint.interface == "chat" or question.messages:
        content = content_with(question.prompt, question.images)
        messages: list[dict[str, Any]] = list(question.messages) or [{"role": "user", "content": content}]
        wanted = {"logprobs": True} if endpoint.logprobs else {}
        return "chat/completions", body | wanted | {"messages": messages}
    return "completions", body | ({"logprobs": 1} if endpoint.logprobs else {}) | {"prompt": question.prompt}


def read_answer(question: Question, data: Any) -> Answer:
    """The answer in a body. Raises NoSense."""
    try:
        body = _Body.model_validate(data)
        first = body.choices[0]
        echo = _echo(question.prompt, first) if question.echo else None
        logprobs = () if question.echo else _logprobs(first)
    except ValidationError as error:
        place = error.errors(include_url=False)[0]
        raise NoSense(f"{'.'.join(map(str, place['loc'])) or 'body'}: {place['msg']}") from error
    text = first.text if first.message is None else (first.message.content or first.message.refusal)
    if text is None:
        raise NoSense("choices.0: has neither text nor a message with content")
    tokens = body.usage.completion_tokens if body.usage else len(logprobs)
    kept = _cut(text, question.stop)
    return Answer(kept, tokens, first.finish_reason or "", echo, logprobs if kept == text else ())


def _logprobs(choice: _Choice) -> tuple[float, ...]:
    """The generated tokens' log-probabilities, where the endpoint gives them."""
    if choice.logprobs is None:
        return ()
    found = _Generated.model_validate(choice.logprobs)
    if found.content is not None:
        return tuple(token.logprob for token in found.content)
    return tuple(found.token_logprobs or ())


def _echo(prompt: str, choice: _Choice) -> Echo:
    logprobs = _Logprobs.model_validate(choice.logprobs)
    offsets = _offsets(prompt, logprobs.tokens) if logprobs.tokens else logprobs.text_offset
    count = sum(offset < len(prompt) for offset in offsets)
    if not count or len(logprobs.token_logprobs) < count:
        raise NoSense("choices.0.logprobs: does not cover the prompt; is the endpoint one with likelihoods?")
    tops = logprobs.top_logprobs or [None] * count
    values = logprobs.token_logprobs[:count]
    likeliest = [
        value is None or top is None or value >= max(top.values(), default=value)
        for value, top in zip(values, tops[:count], strict=True)
    ]
    return Echo(offsets[:count], values, likeliest)


def _offsets(prompt: str, tokens: Sequence[str]) -> list[int]:
    """Where in the prompt each token begins; below 0 what the model puts before it. Some endpoints count that as text.

    Raises NoSense where the tokens do not spell the prompt, so that nobody can say where a continuation begins."""
    begins = list(accumulate(map(len, tokens), initial=0))
    spelled = "".join(tokens)
    for first in begins[:2]:
        for at in (first, first + 1):  # some tokenizers begin with a space of their own
            if _spells(spelled[at : at + len(prompt)], prompt):
                return [begin - at for begin in begins[:-1]]
    raise NoSense("choices.0.logprobs.tokens: do not spell the prompt, so its parts cannot be told apart")


def _spells(text: str, prompt: str) -> bool:
    """A part of a character that is told without the others stands for it."""
    return len(text) == len(prompt) and all(one in (other, PART) for one, other in zip(text, prompt, strict=True))


def _cut(text: str, stops: Sequence[str]) -> str:
    """The text before its first stop sequence; some endpoints keep it, or take only four of them."""
    places = [place for stop in stops if stop and (place := text.find(stop)) >= 0]
    return text[: min(places)] if places else text
