"""The warm parent of evaluations has imported what every one of them needs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

CHECK = """
import json, sys
import assay_evaluator.warm
before = set(sys.modules)
from pathlib import Path
from assay_evaluator.engines.base import EngineSettings
from assay_evaluator.engines.transformers import open_engine
from assay_evaluator.scoring import interval_of_mean
class Progress:
    def expect(self, rows): ...
    def rows_done(self, rows): ...
    def beat(self): ...
open_engine(EngineSettings(Path(sys.argv[1])), Progress())
interval_of_mean([0.0, 1.0], 0.5)
later = sorted(name for name in set(sys.modules) - before if name.partition(".")[0] not in sys.stdlib_module_names)
print(json.dumps(later))
"""


@pytest.mark.slow
def test_an_evaluation_imports_no_library_of_its_own(model: Path) -> None:
    command = [sys.executable, "-c", CHECK, str(model)]
    found = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=300).stdout)
    assert found == []
