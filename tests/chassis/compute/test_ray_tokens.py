"""Where Ray is to ask for a token and the service has none, it says what is missing."""

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


def test_a_service_without_the_token_is_told_what_to_set(ray_cluster: str, tmp_path: object) -> None:
    others = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    answer = subprocess.run(
        [sys.executable, "-c", STRANGER, ray_cluster, str(tmp_path)],
        env={**others, "HOME": str(tmp_path), "RAY_AUTH_MODE": "token"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH" in answer.stdout, answer.stderr[-2000:]
