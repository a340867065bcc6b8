"""What every compute backend must do, on a stand-in and on a real cluster: the suite of tests/chassis/compute."""

import pytest

pytest.register_assert_rewrite("test_contract")

from test_contract import *  # noqa: E402, F403

pytestmark = [pytest.mark.real, pytest.mark.slow]
