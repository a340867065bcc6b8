"""Reports checked by axe in a real Chromium; ASSAY_AXE names axe.min.js of axe-core (`npm pack axe-core`)."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
from html import unescape
from pathlib import Path

import pytest
from assay_reporter.compile import compile_report
from assay_reporter.render import render_email, render_html

AXE = os.environ.get("ASSAY_AXE", "")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not AXE or CHROMIUM is None, reason="no ASSAY_AXE (axe-core's axe.min.js) or no chromium"),
]
CHECK = """
<script>%s</script>
<script>
axe.run(document, {resultTypes: ["violations"]}).then(found => {
  const said = found.violations.map(one => [one.impact, one.id, one.nodes.map(node => node.html.slice(0, 200))]);
  const place = document.createElement("pre");
  place.id = "axe-said";
  place.textContent = JSON.stringify(said);
  document.body.append(place);
});
</script>
"""


async def serious(html: str, width: int, folder: Path) -> list[list]:
    """What axe finds serious or critical."""
    page = folder / "page.html"
    checked = html.replace("</body>", CHECK % Path(AXE).read_text(encoding="utf-8") + "</body>")
    page.write_text(checked, encoding="utf-8")
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--window-size={width},900",
        "--virtual-time-budget=20000",
    ]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        CHROMIUM, *options, "--dump-dom", page.as_uri(), stdout=pipe, stderr=asyncio.subprocess.DEVNULL
    )
    document, _ = await asyncio.wait_for(process.communicate(), 120)
    (said,) = re.findall(r'<pre id="axe-said">(.*?)</pre>', document.decode(), re.DOTALL)
    return [one for one in json.loads(unescape(said)) if one[0] in ("serious", "critical")]


@pytest.mark.parametrize("form", [render_html, render_email])
@pytest.mark.parametrize("width", [390, 1200])
async def test_a_report_has_no_serious_finding(evidence, tmp_path, form, width):
    made = evidence(response="<script>alert('x')</script>")
    report = compile_report(made, made.result.completed_at)
    assert await serious(form(report), width, tmp_path) == []


async def test_a_page_with_a_fault_is_found_out(tmp_path):
    html = "<html><head><title>x</title></head><body><main><h1>x</h1><img src='x.png'></main></body></html>"
    assert {one[1] for one in await serious(html, 390, tmp_path)} >= {"image-alt"}
