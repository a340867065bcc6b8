"""A headless Chromium driven through its DevTools protocol: pages at a width, light or dark, and keys that are pressed.

One tab; never reaches beyond this machine.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
OPTIONS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--no-first-run", "--hide-scrollbars", "--remote-debugging-port=0",
]  # fmt: skip
WITHIN_S = 60.0
CODES = {"Tab": 9, "Enter": 13, "Escape": 27}
RUN_AXE = """axe.run(document, {resultTypes: ["violations"]}).then(found => found.violations
    .filter(one => ["serious", "critical"].includes(one.impact))
    .map(one => [one.id, one.nodes.map(node => node.html.slice(0, 200))]))"""


class Browser:
    """One tab. `complaints`: what the console said of errors since the page was opened."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._session = ""
        self._calls = 0
        self.complaints: list[str] = []

    async def attach(self) -> None:
        target = await self.call("Target.createTarget", url="about:blank")
        attached = await self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for part in ("Page", "Runtime", "Log"):
            await self.call(f"{part}.enable")

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The result of a command of the protocol."""
        self._calls += 1
        body = {"id": self._calls, "method": method, "params": parameters}
        await self._socket.send_json({**body, "sessionId": self._session} if self._session else body)
        async with asyncio.timeout(WITHIN_S):
            while True:
                message = await self._socket.receive_json()
                if message.get("id") == self._calls:
                    assert "error" not in message, (method, message["error"])
                    return dict(message["result"])
                self._heard(message)

    def _heard(self, message: dict[str, Any]) -> None:
        entry = message.get("params", {}).get("entry", {})
        if message.get("method") == "Runtime.exceptionThrown" or entry.get("level") == "error":
            self.complaints.append(json.dumps(message["params"])[:500])

    async def open(self, url: str, width: int = 1200, *, dark: bool = False) -> None:
        """Shows a page, whole and with its scripts run."""
        self.complaints = []
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False
        )
        colours = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[colours])
        await self.call("Page.setBypassCSP", enabled=False)
        await self.call("Page.navigate", url=url)
        await self.until("document.readyState === 'complete'")

    async def value(self, expression: str) -> Any:
        """What an expression gives on the page, promises awaited."""
        found = await self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    async def until(self, expression: str) -> None:
        async with asyncio.timeout(WITHIN_S):
            while not await self.value(expression):
                await asyncio.sleep(0.05)

    async def press(self, key: str) -> None:
        """A key as a person presses it: one character, or a name such as `Tab`."""
        named = {"key": key, "windowsVirtualKeyCode": CODES.get(key, ord(key[0].upper()))}
        text = {} if key in CODES else {"text": key}
        await self.call("Input.dispatchKeyEvent", type="keyDown", **named, **text)
        await self.call("Input.dispatchKeyEvent", type="keyUp", **named)

    async def picture(self) -> str:
        """The whole page as PNG in base64."""
        found = await self.call("Page.captureScreenshot", captureBeyondViewport=True)
        return str(found["data"])

    async def serious(self, axe: str) -> list[list[Any]]:
        """What axe, given as its source, finds serious or critical on the page that is open."""
        await self.value(f"{axe};0")
        return list(await self.value(RUN_AXE))


@asynccontextmanager
async def browsing() -> AsyncIterator[Browser]:
    """A Chromium with a profile of its own, ended afterwards."""
    assert CHROMIUM is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            CHROMIUM, *OPTIONS, f"--user-data-dir={profile}", stderr=pipe, stdout=asyncio.subprocess.DEVNULL
        )
        try:
            async with asyncio.timeout(WITHIN_S):
                address = await _address(process)
            async with aiohttp.ClientSession() as http, http.ws_connect(address, max_msg_size=2**27) as socket:
                browser = Browser(socket)
                await browser.attach()
                yield browser
        finally:
            process.kill()
            await process.wait()


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    async for line in process.stderr:
        if found := re.search(r"ws://\S+", line.decode()):
            return found[0]
    raise AssertionError("Chromium ended before it listened")
