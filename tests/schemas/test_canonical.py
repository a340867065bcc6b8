"""Digests of values that passed through a reader that changes the types of numbers."""

from __future__ import annotations

import pytest
from assay_schemas.canonical import canonical_json, digest_of


@pytest.mark.parametrize(("as_float", "as_integer"), [(1.0, 1), (1e16, 10**16), (1e30, 10**30), (-1e22, -(10**22))])
def test_a_number_keeps_its_digest_whichever_way_it_is_read(as_float: float, as_integer: int) -> None:
    assert digest_of({"learning_rate": [as_float]}) == digest_of({"learning_rate": [as_integer]})


def test_what_is_stored_keeps_every_digit() -> None:
    assert canonical_json({"id": 2**53 + 1}) == b'{"id":9007199254740993}'
