"""The engine says which version it is, and does no other's work."""

import pytest
from assay_schemas.algorithms import ENGINE_VERSIONS
from assay_trainer.version import ENGINE_VERSION, described


def test_the_engine_here_is_the_newest_that_the_schemas_offer():
    assert ENGINE_VERSIONS[-1] == ENGINE_VERSION


def test_it_says_its_version_and_libraries_without_loading_them():
    said = described()
    assert (said["kind"], said["version"]) == ("engine", ENGINE_VERSION)
    assert {"torch", "transformers", "assay-trainer"} <= said["libraries"].keys()


@pytest.mark.real
def test_a_job_of_another_version_is_refused_with_the_mend(ground, tmp_path):
    from assay_trainer.errors import BadInput
    from assay_trainer.worker import run

    request = ground.request()
    other = request.model_copy(update={"inputs": request.inputs.model_copy(update={"engine_version": "7"})})

    class Context:
        payload = other.model_dump(mode="json")

    with pytest.raises(BadInput, match=r"engine_version: 7 is asked, and this environment has 1; .*assay images add"):
        run(Context())
