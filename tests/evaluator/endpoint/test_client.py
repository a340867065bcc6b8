"""What the client makes of an endpoint's moods: asks again where it helps, and names what went wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from assay_chassis.job_service.failures import JobFailed
from assay_evaluator.endpoint import Answer, EndpointClient, Question, Unanswered, open_client
from assay_evaluator.items import ShownImage
from assay_schemas.endpoints import Endpoint

Handler = Callable[[httpx.Request], httpx.Response]
ENDPOINT = Endpoint(url="http://endpoint.test/v1", interface="completions", tries=3)


def said(text: str, **more: Any) -> httpx.Response:
    return httpx.Response(200, json={"choices": [{"text": text, "finish_reason": "stop", **more}]})


def in_turn(*responses: httpx.Response | Exception) -> tuple[Handler, list[dict[str, Any]]]:
    """A handler that gives these one after the other, the last for ever; and the bodies it saw."""
    seen: list[dict[str, Any]] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(json.loads(request.content))
        given = responses[min(len(seen), len(responses)) - 1]
        if isinstance(given, Exception):
            raise given
        return given

    return handle, seen


class Client:
    """A client on a handler, which counts the seconds it would have slept."""

    def __init__(self, handle: Handler, endpoint: Endpoint = ENDPOINT, **options: Any) -> None:
        self.slept: list[float] = []
        self.client = EndpointClient(
            endpoint, "small", transport=httpx.MockTransport(handle), sleep=self.sleep, **options
        )

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def ask(self, *questions: Question) -> Any:
        return self.client.ask(questions)


def test_answers_come_in_the_order_of_their_questions() -> None:
    client = Client(lambda request: said(json.loads(request.content)["prompt"].upper()))
    replies = client.ask(*(Question(f"q{place}") for place in range(20)))
    assert [reply.text for reply in replies] == [f"Q{place}" for place in range(20)]
    assert client.slept == []


def test_a_chat_endpoint_gets_messages_and_the_settings_of_the_question() -> None:
    handle, seen = in_turn(httpx.Response(200, json={"choices": [{"message": {"content": "yes"}}]}))
    client = Client(handle, Endpoint(url="http://endpoint.test/v1"))
    [reply] = client.ask(Question("well?", max_tokens=3, temperature=0.5, top_p=0.9, stop=["\n"], seed=4))
    assert reply.text == "yes"
    assert seen == [
        {
            "model": "small",
            "messages": [{"role": "user", "content": "well?"}],
            "max_tokens": 3,
            "temperature": 0.5,
            "top_p": 0.9,
            "stop": ["\n"],
            "seed": 4,
        }
    ]


def test_a_limit_is_waited_for_as_long_as_the_endpoint_asks_but_not_longer_than_patience() -> None:
    handle, _ = in_turn(
        httpx.Response(429, headers={"retry-after": "7"}),
        httpx.Response(429, headers={"retry-after": "900"}),
        said("a"),
    )
    client = Client(handle)
    assert client.ask(Question("q")) == [Answer("a", 0, "stop")]
    assert client.slept == [7.0, 60.0]


@pytest.mark.parametrize(
    ("trouble", "why"),
    [
        (httpx.ReadTimeout("slow"), "timeout"),
        (httpx.ConnectError("away"), "unavailable"),
        (httpx.Response(503, text="busy"), "unavailable"),
        (httpx.Response(429), "rate_limited"),
        (httpx.Response(200, text="<html>"), "nonsense"),
        (httpx.Response(200, json={"choices": []}), "nonsense"),
        (httpx.Response(200, json={"choices": [{"message": {"content": None}}]}), "nonsense"),
        (httpx.Response(200, json=["no"]), "nonsense"),
    ],
)
def test_trouble_that_passes_is_tried_again_and_trouble_that_stays_is_named(
    trouble: httpx.Response | Exception, why: str
) -> None:
    passing, _ = in_turn(trouble, said("fine"))
    assert Client(passing).ask(Question("q"))[0].text == "fine"

    def one_of_two(request: httpx.Request) -> httpx.Response:
        if json.loads(request.content)["prompt"] == "good":
            return said("fine")
        if isinstance(trouble, Exception):
            raise trouble
        return trouble

    client = Client(one_of_two)
    good, bad = client.ask(Question("good"), Question("bad"))
    assert (good.text, bad.why, len(client.slept)) == ("fine", why, 2)


def test_an_endpoint_that_answers_nothing_ends_the_job_and_a_later_attempt_may_help() -> None:
    client = Client(lambda _: httpx.Response(500, text="down"))
    with pytest.raises(JobFailed, match="answered none of 2 questions: unavailable: status 500: down") as caught:
        client.ask(Question("a"), Question("b"))
    assert (caught.value.error_class, caught.value.retryable) == ("endpoint_unavailable", True)


def test_a_question_the_endpoint_refuses_fails_alone_and_is_not_asked_again() -> None:
    reason = {"error": {"message": "maximum context length is 16 tokens"}}
    handle, seen = in_turn(httpx.Response(400, json=reason))
    assert Client(handle).ask(Question("long")) == [
        Unanswered("refused", "status 400: maximum context length is 16 tokens")
    ]
    assert len(seen) == 1


def test_a_refused_key_and_a_missing_model_end_the_job_at_once() -> None:
    endpoint = ENDPOINT.model_copy(update={"key_variable": "KEY"})
    handle, seen = in_turn(httpx.Response(401))
    with pytest.raises(JobFailed, match="look at the key in KEY") as caught:
        Client(handle, endpoint, environment={"KEY": "s3cret"}).ask(Question("q"))
    assert (caught.value.error_class, caught.value.retryable, len(seen)) == ("endpoint_refused", False, 1)
    assert "s3cret" not in str(caught.value)
    with pytest.raises(JobFailed, match="no model 'small'"):
        Client(lambda _: httpx.Response(404)).ask(Question("q"))


def test_the_key_is_taken_from_the_environment_and_sent() -> None:
    endpoint = ENDPOINT.model_copy(update={"key_variable": "KEY"})
    client = Client(lambda request: said(request.headers["authorization"]), endpoint, environment={"KEY": "abc"})
    assert client.ask(Question("q"))[0].text == "Bearer abc"
    with pytest.raises(JobFailed, match="KEY: is not set"):
        EndpointClient(endpoint, "small", environment={})


@pytest.mark.parametrize("body", [{"json": {"error": {"message": "abc may not"}}}, {"text": "abc may not"}])
def test_a_key_that_the_endpoint_repeats_in_its_refusal_is_not_passed_on(body: dict[str, Any]) -> None:
    endpoint = ENDPOINT.model_copy(update={"key_variable": "KEY"})
    refusing = Client(lambda _: httpx.Response(400, **body), endpoint, environment={"KEY": "abc"})
    assert refusing.ask(Question("q")) == [Unanswered("refused", "status 400: [key] may not")]


def test_a_stop_sequence_that_the_endpoint_kept_is_cut_off() -> None:
    [reply] = Client(lambda _: said("one\ntwo")).ask(Question("q", stop=["\n"]))
    assert reply.text == "one"


@pytest.mark.parametrize(
    ("tokens", "offsets"),
    [
        (["a", "bc", "!"], [0, 1]),
        (["<s>", "a", "bc", "!"], [-3, 0, 1]),
        (["<s>", " a", "bc", "!"], [-4, -1, 1]),
        (["\ufffd", "", "bc", "!"], [0, 1, 1]),
    ],
)
def test_tokens_begin_where_they_do_in_the_prompt_whatever_the_model_puts_before_it(
    tokens: list[str], offsets: list[int]
) -> None:
    lengths = [len(token) for token in tokens]
    told = [sum(lengths[:place]) for place in range(len(tokens))]
    logprobs = {"text_offset": told, "token_logprobs": [None, *[-1.0] * (len(tokens) - 1)], "tokens": tokens}
    [reply] = Client(lambda _: said("abc!", logprobs=logprobs)).ask(Question("abc", echo=True))
    assert (list(reply.echo.offsets), len(reply.echo.logprobs)) == (offsets, len(offsets))


def test_tokens_that_do_not_spell_the_prompt_are_nonsense() -> None:
    logprobs = {"text_offset": [0, 1], "token_logprobs": [None, -1.0], "tokens": ["A", "BC"]}
    answered = {"text_offset": [0], "token_logprobs": [None], "tokens": ["d"]}

    def handle(request: httpx.Request) -> httpx.Response:
        upper = json.loads(request.content)["prompt"] == "abc"
        return said("", logprobs=logprobs if upper else answered)

    reply, other = Client(handle).ask(Question("abc", echo=True), Question("d", echo=True))
    assert (reply.why, other.echo.offsets) == ("nonsense", [0])
    assert "do not spell the prompt" in reply.message


def test_an_echo_gives_the_prompt_its_log_probabilities() -> None:
    logprobs = {
        "token_logprobs": [None, -1.0, -2.0, -0.1],
        "text_offset": [0, 1, 2, 3],
        "top_logprobs": [None, {"b": -1.0}, {"x": -0.5, "c": -2.0}, {"d": -0.1}],
    }
    handle, seen = in_turn(said("abcd", logprobs=logprobs))
    [reply] = Client(handle).ask(Question("abc", echo=True))
    assert (reply.echo.logprobs, reply.echo.likeliest) == ([None, -1.0, -2.0], [True, True, False])
    assert (seen[0]["echo"], seen[0]["max_tokens"]) == (True, 1)


CHAT = Endpoint(url="http://endpoint.test/v1", logprobs=True)


@pytest.mark.parametrize(
    ("endpoint", "asked", "choice"),
    [
        (CHAT, True, {"message": {"content": "ab"}, "logprobs": {"content": [{"logprob": -0.5}, {"logprob": -1.0}]}}),
        (ENDPOINT.model_copy(update={"logprobs": True}), 1, {"text": "ab", "logprobs": {"token_logprobs": [-0.5, -1]}}),
    ],
    ids=["chat", "completions"],
)
def test_token_probabilities_are_asked_for_where_they_are_declared(
    endpoint: Endpoint, asked: Any, choice: dict[str, Any]
) -> None:
    handle, seen = in_turn(httpx.Response(200, json={"choices": [choice]}))
    [reply] = Client(handle, endpoint).ask(Question("q"))
    assert seen[0]["logprobs"] == asked
    assert (reply.text, reply.logprobs, reply.tokens) == ("ab", (-0.5, -1.0), 2)


def test_without_the_declaration_they_are_not_asked_for_and_what_does_not_come_is_unknown() -> None:
    handle, seen = in_turn(said("ab"))
    [reply] = Client(handle).ask(Question("q"))
    assert "logprobs" not in seen[0]
    assert reply.logprobs == ()
    handle, _ = in_turn(httpx.Response(200, json={"choices": [{"message": {"content": "ab"}, "logprobs": None}]}))
    assert Client(handle, CHAT).ask(Question("q"))[0].logprobs == ()


def test_probabilities_of_a_text_that_was_cut_here_are_left_out() -> None:
    handle, _ = in_turn(said("a\nb", logprobs={"token_logprobs": [-0.5, -1, -1]}))
    [reply] = Client(handle, ENDPOINT.model_copy(update={"logprobs": True})).ask(Question("q", stop=["\n"]))
    assert (reply.text, reply.logprobs) == ("a", ())


def test_images_are_parts_of_the_message_at_their_places(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"one")
    image = ShownImage(f"images/{'0' * 64}.png", tmp_path / "1.png")
    handle, seen = in_turn(httpx.Response(200, json={"choices": [{"message": {"content": "A"}}]}))
    Client(handle, CHAT).ask(Question("<image>\nIs it like <image>?", images=[image, image]))
    shown = {"type": "image_url", "image_url": {"url": "data:image/png;base64,b25l"}}
    assert seen[0]["messages"][0]["content"] == [
        shown,
        {"type": "text", "text": "\nIs it like "},
        shown,
        {"type": "text", "text": "?"},
    ]


def test_only_declared_endpoints_and_models_are_asked(tmp_path: Path) -> None:
    path = tmp_path / "endpoints.json"
    path.write_text(json.dumps({"mine": {"url": "http://endpoint.test/v1", "models": ["small"]}}))
    assert open_client("endpoint:mine/small", path).model == "small"
    for location, words in {
        "endpoint:mine/large": "may not be asked for 'large'",
        "endpoint:mein/small": "Did you mean 'mine'",
        "endpoint:small": "is not endpoint:NAME/MODEL",
    }.items():
        with pytest.raises(JobFailed, match=words):
            open_client(location, path)
    path.write_text('{"mine": {"url": "ftp://x"}}')
    with pytest.raises(JobFailed, match=r"mine\.url"):
        open_client("endpoint:mine/small", path)


def test_an_endpoint_that_sends_us_elsewhere_is_not_followed_there() -> None:
    asked: list[str] = []

    def elsewhere(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return httpx.Response(307, headers={"Location": "http://169.254.169.254/latest"})

    [reply] = Client(elsewhere).ask(Question("q"))
    assert isinstance(reply, Unanswered)
    assert set(asked) == {"endpoint.test"}
