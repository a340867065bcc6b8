"""What the reporter loads before its first report, so that nobody waits for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CHECK = """
import sys
from assay_reporter.publication import warm_up
from assay_reporter.render.html import environment
warm_up()
modules, templates = set(sys.modules), set(environment().cache.keys())
from benchmarks.report_speed import NOW, made_up
evidence = made_up(2, 2, 1, 40)
from assay_reporter.compile import compile_report
from assay_reporter.render import FORMS
report = compile_report(evidence, NOW)
for render, _ in FORMS.values():
    render(report)
libraries = ("jinja2", "numpy", "pyarrow.compute", "pyarrow.parquet", "scipy", "vl_convert")
new = [name for name in set(sys.modules) - modules if name.startswith(libraries)]
print(sorted(new), sorted(name for _, name in set(environment().cache.keys()) - templates))
"""


def test_a_report_imports_nothing_and_reads_no_template_after_the_warm_up() -> None:
    command = [sys.executable, "-c", CHECK]
    root = Path(__file__).parents[2]
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=root, timeout=300)
    assert found.stdout.strip() == "[] []"
