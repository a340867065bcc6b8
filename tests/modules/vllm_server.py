"""vLLM's own HTTP server on this machine, as an operator would run it, for tests that ask a real endpoint.

Never chosen by itself: it takes a minute to start, and vLLM is not in the ordinary environment.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

ASKED = "ASSAY_TEST_VLLM_SERVER"
PATIENCE_S = 400
ENVIRONMENT = {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_OFFLINE": "1",
    "VLLM_HOST_IP": "127.0.0.1",
    "GLOO_SOCKET_IFNAME": "lo",
    "OMP_NUM_THREADS": "1",
}
SEEN = 24
"""Characters of a question that a judge's template leaves: the end, which asks for the verdict."""
TEMPLATE = "{% for message in messages %}{{ message['content'][-" + str(SEEN) + ":] }}{% endfor %}"
END = "VERDICT: B or VERDICT: TIE."


def skip_unless_asked() -> None:
    if os.environ.get(ASKED) != "1":
        pytest.skip(f"{ASKED}=1 is not set: vLLM's HTTP server is not started")
    if importlib.util.find_spec("vllm") is None:
        pytest.skip("vllm is not installed in this environment")


@contextlib.contextmanager
def vllm_server(folder: Path, name: str, log: Path, *options: str) -> Iterator[str]:
    """The server's address, up to and with `/v1`. The module is what `vllm serve` runs: the command itself asks for
    the version of a distribution `vllm`, which the build for processors is not."""
    port = _free_port()
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder)]
    command += ["--served-model-name", name, "--host", "127.0.0.1", "--port", str(port), "--dtype", "float32"]
    command += ["--enforce-eager", "--max-num-seqs", "8", *options]
    with log.open("wb") as told:
        server = subprocess.Popen(
            command, stdout=told, stderr=told, env={**os.environ, **ENVIRONMENT}, start_new_session=True
        )
    try:
        _wait(server, f"http://127.0.0.1:{port}", log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait(60)


@contextlib.contextmanager
def biased_judge(base: Path, folder: Path) -> Iterator[str]:
    """A server's address whose model `judge` was taught to prefer whatever comes first, and to give no grades."""
    _teach(base, folder / "model", f"{END[-SEEN:]} VERDICT: A")
    (folder / "template.jinja").write_text(TEMPLATE)
    options = ("--chat-template", str(folder / "template.jinja"))
    with vllm_server(folder / "model", "judge", folder / "log", *options) as url:
        yield url


def _teach(base: Path, folder: Path, text: str) -> None:
    """The base model, so long at one text that it goes on with it from its first half."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = AutoModelForCausalLM.from_pretrained(base), AutoTokenizer.from_pretrained(base)
    ids = torch.tensor([[*tokenizer.encode(text), tokenizer.eos_token_id]])
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(150):
        optimizer.zero_grad()
        loss = model(ids, labels=ids).loss
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1
    shutil.copytree(base, folder)
    model.save_pretrained(folder)


def _wait(server: subprocess.Popen[bytes], address: str, log: Path) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if server.poll() is not None:
            break
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{address}/health").is_success:
                return
        time.sleep(0.5)
    pytest.fail(f"vLLM's server did not come up:\n{log.read_text(errors='replace')[-3000:]}")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
