"""A server that speaks OpenAI's completions with the tiny model behind it, as vLLM's server would."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from vllm_server import skip_unless_asked, vllm_server


class Completions:
    """Greedy completions of the tiny model; with `echo`, the prompt's log-probabilities and nothing new of worth."""

    def __init__(self, folder: Path) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.torch = torch
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.lock = threading.Lock()

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        ids = self.tokenizer.encode(asked["prompt"])
        with self.lock, self.torch.no_grad():
            new, reason = self._continue(ids, asked["max_tokens"], asked.get("stop", []))
            choice: dict[str, Any] = {"text": self._text(new), "finish_reason": reason}
            if asked.get("echo"):
                choice = {"text": asked["prompt"], "finish_reason": reason, "logprobs": self._logprobs(ids)}
        return {"choices": [choice], "usage": {"completion_tokens": len(new)}}

    def _continue(self, ids: list[int], most: int, stops: list[str]) -> tuple[list[int], str]:
        new: list[int] = []
        while len(new) < most:
            new.append(int(self.model(self.torch.tensor([ids + new])).logits[0, -1].argmax()))
            if new[-1] == self.tokenizer.eos_token_id or any(stop in self._text(new) for stop in stops):
                return new, "stop"
        return new, "length"

    def _text(self, new: list[int]) -> str:
        return str(self.tokenizer.decode(new, skip_special_tokens=True))

    def _logprobs(self, ids: list[int]) -> dict[str, Any]:
        steps = self.torch.log_softmax(self.model(self.torch.tensor([ids])).logits[0].double(), -1)
        given = [None, *(float(steps[place - 1, token]) for place, token in enumerate(ids) if place)]
        tops = [None, *({"top": float(step.max())} for step in steps[:-1])]
        whole = [self.tokenizer.decode(ids[:count]).rstrip("\ufffd") for count in range(len(ids) + 1)]
        tokens = [after[len(before) :] for before, after in pairwise(whole)]
        offsets = [len(text) for text in whole[:-1]]
        return {"token_logprobs": given, "text_offset": offsets, "tokens": tokens, "top_logprobs": tops}


@pytest.fixture(scope="session")
def served(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The file that declares the server as the endpoints `tiny`, with likelihoods, and `mute`, without."""
    completions = Completions(model)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            body = json.dumps(completions.answer(asked)).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    endpoint = {"url": f"http://127.0.0.1:{server.server_port}/v1", "interface": "completions", "context": 256}
    path = tmp_path_factory.mktemp("endpoints") / "endpoints.json"
    path.write_text(json.dumps({"tiny": {**endpoint, "likelihoods": True}, "mute": endpoint}))
    yield path
    server.shutdown()
    thread.join(10)
    server.server_close()


@pytest.fixture(scope="session")
def served_by_vllm(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The same model behind vLLM's own server, declared as `tiny` for completions and as `chat` for conversations."""
    skip_unless_asked()
    folder = tmp_path_factory.mktemp("vllm-server")
    template = folder / "template.jinja"
    template.write_text("{% for message in messages %}{{ message['content'] }}{% endfor %}")
    with vllm_server(model, "llama", folder / "log", "--chat-template", str(template)) as url:
        endpoint = {"url": url, "context": 256}
        likely = {**endpoint, "interface": "completions", "likelihoods": True, "logprobs": True}
        path = folder / "endpoints.json"
        path.write_text(json.dumps({"tiny": likely, "chat": {**endpoint, "logprobs": True}}))
        yield path
