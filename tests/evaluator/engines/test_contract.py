"""What every engine must do alike: the same model gives the same answers, whoever runs it."""

from __future__ import annotations

import importlib.util
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from assay_chassis.job_service import JobFailed
from assay_evaluator.endpoint import EndpointClient
from assay_evaluator.engines import open_engine
from assay_evaluator.engines.base import EngineSettings
from assay_evaluator.evaluation import made_ready
from assay_evaluator.progress import EvaluationProgress
from assay_evaluator.samples import samples_from_parquet
from assay_schemas.endpoints import Endpoint, endpoint_model
from assay_schemas.jobs import job_key

pytestmark = pytest.mark.real
SERVER = "vllm's server"
PROMPTS = ["one two three", "4 + 5 =", "The colour of the sky", "a", "long " * 20]
GREEDY = {"until": [], "max_gen_toks": 8, "do_sample": False, "temperature": 0.0}


class Told:
    """Progress that is kept."""

    def __init__(self) -> None:
        self.expected, self.done = 0, 0

    def expect(self, rows: int) -> None:
        self.expected, self.done = rows, 0

    def rows_done(self, rows: int) -> None:
        self.done += rows

    def beat(self) -> None:
        return


class Opened(SimpleNamespace):
    lm: Any
    told: Told

    def generate(self, prompts: list[str], **settings: Any) -> list[str]:
        texts: list[str] = self.lm.generate_until([request(one, {**GREEDY, **settings}) for one in prompts])
        return texts

    def likelihoods(self, *pairs: tuple[str, str]) -> list[tuple[float, bool]]:
        found: list[tuple[float, bool]] = self.lm.loglikelihood([request(*pair) for pair in pairs])
        return found


def request(*arguments: Any) -> SimpleNamespace:
    return SimpleNamespace(args=arguments, arguments=arguments, task_name="t")


Open = Callable[[str], Opened]


@pytest.fixture(scope="session")
def opening(model: Path, served: Path, request: pytest.FixtureRequest) -> Open:
    """Opens each engine once; skips where its library is missing. `vllm's server` is the endpoint engine before it."""
    opened: dict[str, Opened] = {}

    def opens(name: str) -> Opened:
        if name == "vllm" and importlib.util.find_spec("vllm") is None:
            pytest.skip("vllm is not installed in this environment")
        if name not in opened:
            told = Told()
            declared = request.getfixturevalue("served_by_vllm") if name == SERVER else served
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("ASSAY_ENDPOINTS_FILE", str(declared))
                behind = name in ("endpoint", SERVER)
                folder = Path("endpoint:tiny/llama") if behind else model
                lm = open_engine("endpoint" if behind else name, EngineSettings(folder), told)
                opened[name] = Opened(lm=lm, told=told)
        return opened[name]

    return opens


@pytest.fixture(params=["transformers", "endpoint", "vllm", SERVER])
def engine(request: pytest.FixtureRequest, opening: Open) -> Opened:
    return opening(request.param)


@pytest.fixture
def peer(opening: Open) -> Opened:
    return opening("transformers")


def whole(texts: list[str]) -> list[str]:
    """Texts without a last character that was cut in the middle: vLLM leaves it out, transformers marks it."""
    return [text.rstrip("\ufffd") for text in texts]


def test_greedy_answers_are_the_same(engine: Opened, peer: Opened) -> None:
    assert whole(engine.generate(PROMPTS)) == whole(peer.generate(PROMPTS))
    assert whole(engine.generate(PROMPTS, until=["e"])) == whole(peer.generate(PROMPTS, until=["e"]))


def test_it_remembers_how_every_answer_ended(engine: Opened) -> None:
    prompts = ["first here", "second", "third of all", "first here"]
    engine.generate(prompts)
    ends = [engine.lm.generations.take(prompt, GREEDY, 1) for prompt in prompts]
    assert all(len(found) == 1 for found in ends)
    assert {found[0].finish_reason for found in ends} <= {"stop", "length"}
    assert all(found[0].tokens == 8 for found in ends if found[0].finish_reason == "length")
    assert engine.lm.generations.take(prompts[0], GREEDY, 1) == []


@pytest.mark.parametrize("name", ["transformers", "vllm"])
def test_generated_tokens_have_the_probabilities_that_the_model_gives_them(
    name: str, opening: Open, peer: Opened
) -> None:
    engine, prompts = opening(name), ["first here", "second"]
    engine.generate(prompts)
    for prompt in prompts:
        [found] = engine.lm.generations.take(prompt, GREEDY, 1)
        assert len(found.token_ids) == len(found.token_logprobs) == found.tokens
        context = peer.lm.tok_encode(prompt)
        [(likelihood, greedy)] = peer.lm._loglikelihood_tokens([(None, context, list(found.token_ids))])
        assert greedy
        assert found.logprob == pytest.approx(likelihood, rel=1e-4)


def test_likelihoods_and_what_is_the_greedy_choice_are_the_same(engine: Opened, peer: Opened) -> None:
    prompts = [f"{number} + 1 =" for number in range(24)]
    answered = zip(prompts, peer.generate(prompts, max_gen_toks=1), strict=True)
    likely = next((prompt, text) for prompt, text in answered if text.isascii() and text.strip())
    pairs = [likely, ("one two three", " four"), ("a ", "b"), ("x", "yz" * 10)]
    found, expected = engine.likelihoods(*pairs), peer.likelihoods(*pairs)
    assert [value for value, _ in found] == pytest.approx([value for value, _ in expected], rel=1e-3)
    assert [greedy for _, greedy in found] == [greedy for _, greedy in expected]
    assert [greedy for _, greedy in expected[:2]] == [True, False]


def test_likelihoods_of_texts_with_characters_of_several_bytes_are_the_same(engine: Opened, peer: Opened) -> None:
    pairs = [("größe = ", "fünf"), ("Öl", " ist ölig"), ("日本", "語 €")]
    found, expected = engine.likelihoods(*pairs), peer.likelihoods(*pairs)
    assert [value for value, _ in found] == pytest.approx([value for value, _ in expected], rel=1e-3)


def test_min_k_is_the_same_and_where_only_chosen_tokens_are_known_it_stands_alone(engine: Opened, peer: Opened) -> None:
    asked = [request(text, share) for text in ("one two three, four", "9 + 9 = 18") for share in (0.2, 1.0)]
    found, expected = engine.lm.membership(asked), peer.lm.membership(asked)
    assert [tokens for tokens, _, _ in found] == [tokens for tokens, _, _ in expected]
    assert [first for _, first, _ in found] == pytest.approx([first for _, first, _ in expected], abs=1e-3)
    assert [second is None for _, _, second in found] == [engine is not peer] * len(asked)
    assert engine.lm.membership([request("a", 0.2)]) == [(0, None, None)]


def test_a_likelihood_that_cannot_be_computed_fails_alone(engine: Opened) -> None:
    first, none = engine.likelihoods(("one", " two"), ("one", ""))
    assert math.isfinite(first[0])
    assert math.isnan(none[0])


def test_it_tells_how_far_it_is(engine: Opened) -> None:
    engine.generate(PROMPTS)
    assert (engine.told.expected, engine.told.done) == (len(PROMPTS), len(PROMPTS))


def test_it_knows_how_long_a_prompt_and_its_answer_may_be(engine: Opened) -> None:
    assert engine.lm.max_length == 256
    assert engine.lm.max_gen_toks <= 256


@pytest.mark.parametrize("name", ["transformers", "vllm"])
def test_other_weights_take_the_place_of_the_first_without_opening_anew(
    name: str, opening: Open, model: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    engine = opening(name)
    first, other, smaller = engine.generate(PROMPTS), tmp_path / "other", tmp_path / "smaller"
    tensors = load_file(model / "model.safetensors")
    changes = {
        other: {key: value.flip(0) if value.ndim > 1 else value for key, value in tensors.items()},
        smaller: {key: value[:-1].contiguous() for key, value in tensors.items()},
    }
    for folder, changed in changes.items():
        shutil.copytree(model, folder)
        save_file(changed, folder / "model.safetensors", {"format": "pt"})
    assert engine.lm.swap(other)
    second = engine.generate(PROMPTS)
    assert not engine.lm.swap(smaller)
    assert engine.generate(PROMPTS) == second != first
    expected = Opened(lm=open_engine("transformers", EngineSettings(other), Told()), told=Told())
    assert whole(second) == whole(expected.generate(PROMPTS))
    assert engine.lm.swap(model)
    assert engine.generate(PROMPTS) == first


def test_vllm_refuses_a_model_whose_attention_it_has_not_got(model: Path, tmp_path: Path) -> None:
    if importlib.util.find_spec("vllm") is None:
        pytest.skip("vllm is not installed in this environment")
    shutil.copytree(model, tmp_path / "narrow")
    config = json.loads((model / "config.json").read_text()) | {"head_dim": 16}
    (tmp_path / "narrow" / "config.json").write_text(json.dumps(config))
    with pytest.raises(JobFailed, match="this model's have 16; use transformers"):
        open_engine("vllm", EngineSettings(tmp_path / "narrow"), Told())


def test_an_endpoint_without_likelihoods_says_so(served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_ENDPOINTS_FILE", str(served))
    mute = open_engine("endpoint", EngineSettings(Path("endpoint:mute/llama")), Told())
    assert mute.generate_until([request("one", GREEDY)])[0]
    with pytest.raises(JobFailed, match="needs likelihoods, which the endpoint of llama does not declare"):
        mute.loglikelihood([request("one", " two")])


def test_an_engine_that_is_not_installed_is_bad_input(model: Path) -> None:
    if importlib.util.find_spec("vllm") is not None:
        pytest.skip("vllm is installed in this environment")
    with pytest.raises(JobFailed, match=r"inputs\.engine: vllm is not installed"):
        open_engine("vllm", EngineSettings(model), Told())


@pytest.mark.parametrize(
    ("server", "endpoint"),
    [("served", "tiny"), ("served_by_vllm", "tiny"), ("served_by_vllm", "chat")],
    ids=["stand-in", f"{SERVER}, completions", f"{SERVER}, chat"],
)
def test_an_evaluation_behind_an_api_is_the_evaluation_of_the_model_itself(
    server: str,
    endpoint: str,
    request: pytest.FixtureRequest,
    ask: Any,
    store: Any,
    sums: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from assay_evaluator.worker import evaluate

    monkeypatch.setenv("ASSAY_ENDPOINTS_FILE", str(request.getfixturevalue(server)))
    reference = endpoint_model(f"endpoint:{endpoint}/llama").reference()
    here = ask("exact_match", sums[:6], {"max_tokens": 6})
    inputs = here.inputs.model_copy(update={"engine": "endpoint", "model": reference.digest})
    there = here.model_copy(update={"inputs": inputs, "model": reference, "job_key": job_key(inputs)})
    told = EvaluationProgress(lambda _: None)
    own, behind = (evaluate(request, store, tmp_path, told) for request in (here, there))
    assert behind.metrics == own.metrics
    texts = [[one.response for one in samples_from_parquet(store.get_bytes(found.samples))] for found in (own, behind)]
    assert whole(texts[0]) == whole(texts[1])


def test_an_item_the_endpoint_does_not_answer_has_failed_and_is_not_wrong(
    ask: Any, store: Any, sums: Any, tmp_path: Path
) -> None:
    from assay_evaluator.engines.endpoint import EndpointEngine

    def moody(request: httpx.Request) -> httpx.Response:
        if "4 + 7" in json.loads(request.content)["prompt"]:
            return httpx.Response(400, text="too long")
        return httpx.Response(200, json={"choices": [{"text": " 1"}]})

    endpoint = Endpoint(url="http://endpoint.test/v1", interface="completions")
    client = EndpointClient(endpoint, "llama", transport=httpx.MockTransport(moody))
    request = ask("exact_match", sums[:6], {"max_tokens": 6})
    evaluation = made_ready(request.inputs, request.items, store, tmp_path)
    scored = evaluation.score(EndpointEngine(client, Told()), Path("endpoint:x/llama"))
    [failed] = [one for one in scored.samples if one.error]
    assert (failed.item_id, failed.score, failed.error) == ("sum-1", None, "refused: status 400: too long")
    assert scored.metrics["exact_match"].items == 5
