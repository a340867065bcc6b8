"""What every compute backend must do, on a stand-in and on a real cluster: the suite of tests/chassis/compute."""

import pytest

pytest.register_assert_rewrite("test_contract")

import test_contract  # noqa: E402
from test_contract import *  # noqa: E402, F403

pytestmark = [pytest.mark.real, pytest.mark.slow]
del globals()[
    test_contract.test_more_than_one_node_is_refused_where_there_is_one.__name__
]  # of the local backend alone
