"""A Ray cluster takes nobody without its token, and the service says what is missing."""

import os
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.real, pytest.mark.slow]
STRANGER = """
import asyncio, pathlib, sys
from assay_chassis.compute.errors import BackendUnavailable
from assay_chassis.compute.ray import RayBackend
try:
    asyncio.run(RayBackend(pathlib.Path(sys.argv[2]), address=sys.argv[1]).start())
except BackendUnavailable as error:
    print(error)
"""


@pytest.mark.parametrize("given", [{"RAY_AUTH_TOKEN": "x" * 32}, {"RAY_AUTH_MODE": "token"}, {}])
def test_a_stranger_is_refused_and_told_what_to_set(ray_cluster: str, tmp_path: object, given: dict[str, str]) -> None:
    others = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    mode = {"RAY_AUTH_MODE": "token"} if "RAY_AUTH_TOKEN" in given else {}
    answer = subprocess.run(
        [sys.executable, "-c", STRANGER, ray_cluster, str(tmp_path)],
        env={**others, "HOME": str(tmp_path), **mode, **given},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH" in answer.stdout, answer.stderr[-2000:]
