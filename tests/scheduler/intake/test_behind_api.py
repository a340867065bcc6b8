"""Which models behind an API may be references, and what is said where they may not."""

from __future__ import annotations

from typing import Any

import pytest
from assay_scheduler.intake.behind_api import usable_endpoint
from assay_scheduler.intake.unusable import Unusable
from assay_schemas.endpoints import Endpoint, EndpointsUnreadable

DECLARED = {
    "lab": Endpoint(url="http://endpoint.test/v1", models=["large"]),
    "open": Endpoint(url="http://endpoint.test/v1", likelihoods=True),
}


def take(location: str, *benchmarks: str) -> Any:
    return usable_endpoint(location, lambda: DECLARED, [{"name": name} for name in benchmarks])


def test_a_declared_model_is_named_without_its_address() -> None:
    found = take("endpoint:lab/large", "numeric")
    assert (found.uri, found.name) == ("endpoint:lab/large", "large")
    assert found.digest != take("endpoint:open/large").digest


@pytest.mark.parametrize(
    ("location", "benchmarks", "words"),
    [
        ("endpoint:lap/large", (), "'lap' is not declared here"),
        ("endpoint:lab/lagre", (), "may not be asked for 'lagre'"),
        ("endpoint:lab", (), "is not endpoint:NAME/MODEL"),
        ("endpoint:lab/large", ("numeric", "perplexity"), "gives no likelihoods, which perplexity needs"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_its_reason(
    location: str, benchmarks: tuple[str, ...], words: str
) -> None:
    with pytest.raises(Unusable, match=words):
        take(location, *benchmarks)


def test_likelihoods_are_no_obstacle_where_the_endpoint_gives_them() -> None:
    assert take("endpoint:open/any", "perplexity").name == "any"


def test_a_file_that_cannot_be_read_is_named() -> None:
    def broken() -> dict[str, Endpoint]:
        raise EndpointsUnreadable("ASSAY_ENDPOINTS_FILE: not there")

    with pytest.raises(Unusable, match="ASSAY_ENDPOINTS_FILE: not there"):
        usable_endpoint("endpoint:lab/large", broken, [])
