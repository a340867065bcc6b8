"""The page about samples: its columns are the file's, and its examples run."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from assay_evaluator.samples import COLUMNS, samples_to_parquet
from assay_schemas.results import Sample

PAGE = (Path(__file__).parents[2] / "docs" / "samples.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_every_column_is_on_the_page_in_order_with_its_type() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", PAGE, re.MULTILINE)
    assert rows == [(name, kind) for name, (kind, _) in COLUMNS.items()]


@pytest.mark.parametrize("example", EXAMPLES, ids=["duckdb", "pandas"])
def test_the_examples_run(example: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if "duckdb" in example:
        pytest.importorskip("duckdb")
    samples = [
        Sample(item_id="missed", item_index=0, prompt="?", target="12", response="It is 12, not 13.", score=0.0),
        Sample(item_id="broken", item_index=1, prompt="?", target="1", error="the context is full"),
    ]
    (tmp_path / "samples.parquet").write_bytes(samples_to_parquet(samples))
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        exec(compile(example, "docs/samples.md", "exec"), {})
    finally:
        os.chdir(before)
    assert ("missed" if "duckdb" in example else "broken") in capsys.readouterr().out
