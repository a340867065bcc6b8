"""Options that are not used leave a benchmark's declared parameters, and so its jobs' keys, as they were."""

from __future__ import annotations

import pytest
from assay_schemas.benchmarks import (
    OWN_BENCHMARKS,
    ExactMatchParameters,
    HarnessTaskParameters,
    VisualChoiceParameters,
)
from pydantic import ValidationError


@pytest.mark.parametrize("name", ["numeric", "exact_match"])
def test_a_pattern_that_is_none_is_told_before_anything_is_trained(name: str) -> None:
    with pytest.raises(ValidationError, match="is no regular expression: missing"):
        OWN_BENCHMARKS[name].parameters.model_validate({"extract": "(("})
    assert OWN_BENCHMARKS[name].parameters.model_validate({"extract": "(-?[0-9]+)"})


def test_an_option_that_is_not_used_is_no_part_of_a_jobs_key() -> None:
    assert not {"min_k", "chat_template", "most_failed"} & HarnessTaskParameters().declared().keys()
    used = HarnessTaskParameters(min_k=0.2, chat_template=True, most_failed=0.0).declared()
    assert (used["min_k"], used["chat_template"], used["most_failed"]) == (0.2, True, 0.0)


def test_where_examples_come_from_is_part_of_a_key_only_where_there_are_any_and_clusters_count() -> None:
    declared = [
        ExactMatchParameters(num_fewshot=shots, examples_from=source).declared()
        for shots, source in ((0, "other_clusters"), (1, "other_items"), (1, "other_clusters"))
    ]
    assert [one.get("examples_from") for one in declared] == [None, None, "other_clusters"]


def test_asking_with_and_without_a_template_are_two_things() -> None:
    with_template, without = VisualChoiceParameters(), VisualChoiceParameters(chat_template=False)
    assert with_template.declared() != without.declared()


def test_rows_with_images_may_have_them_in_any_of_three_columns() -> None:
    columns = OWN_BENCHMARKS["visual_multiple_choice"].item_columns
    assert {alternative[-1] for alternative in columns} == {"image", "images", "image_1"}
