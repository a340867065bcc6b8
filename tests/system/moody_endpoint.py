"""An OpenAI-compatible server with moods: at first a limit, then silence, then nonsense, and right answers after that.

It lets nobody in without its key, and is careless enough to repeat the key where it refuses a question.
"""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "canary-9f30aa"
KEY_VARIABLE = "MOODY_ENDPOINT_KEY"
AFTER_S = 1.0
SILENT_S = 4.0
TIMEOUT_S = 2.0
Say = Callable[[str], str | None]


@dataclass
class Endpoint:
    """Where it listens, what each model says to a prompt (None: it refuses), and what it was asked when."""

    url: str = ""
    models: dict[str, Say] = field(default_factory=dict)
    asked: defaultdict[str, list[tuple[float, str]]] = field(default_factory=lambda: defaultdict(list))
    strangers: int = 0

    def declared(self) -> dict[str, Any]:
        """The endpoint as an operator declares it."""
        return {"url": self.url, "key_variable": KEY_VARIABLE, "timeout_s": TIMEOUT_S, "tries": 8, "patience_s": 2}

    def reply(self, model: str, prompt: str) -> tuple[int, dict[str, str], bytes]:
        self.asked[model].append((time.monotonic(), prompt))
        mood = len(self.asked[model])
        if mood == 1:
            return 429, {"Retry-After": f"{AFTER_S:g}"}, b'{"error": {"message": "not so fast"}}'
        if mood == 2:
            time.sleep(SILENT_S)
        if mood == 3:
            return 200, {}, b"<html>try again later</html>"
        said = self.models[model](prompt)
        if said is None:
            return 400, {}, json.dumps({"error": {"message": f"key {KEY} may not ask that"}}).encode()
        choice = {"message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
        return 200, {}, json.dumps({"choices": [choice], "usage": {"completion_tokens": 3}}).encode()


@contextmanager
def endpoint() -> Iterator[Endpoint]:
    found = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.headers.get("Authorization") != f"Bearer {KEY}":
                found.strangers += 1
                status, headers, content = 401, dict[str, str](), b"{}"
            else:
                status, headers, content = found.reply(body["model"], body["messages"][-1]["content"])
            try:
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)
            except ConnectionError:  # who asked has given up
                return

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    found.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
