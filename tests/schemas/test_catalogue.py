"""The catalogue: every domain has its benchmarks, each with data, parameters and a figure or the reason for none."""

from __future__ import annotations

from typing import get_args

import pytest
from assay_schemas.benchmarks import HARNESS_VERSIONS, NamedTaskParameters, harness_tasks
from assay_schemas.catalogue import CatalogueEntry, Domain, catalogue, pinned_revisions
from pydantic import ValidationError

ASKED = {
    "reasoning": {"gsm8k", "mgsm", "math", "bbh"},
    "knowledge": {"mmlu", "global_mmlu", "mmlu_pro", "arc_easy", "arc_challenge"},
    "coding": {"humaneval", "mbpp", "livecodebench"},
    "instruction following": {"ifeval"},
    "visual reasoning": {"mmmu"},
    "reward models": {"rewardbench", "rewardbench_2", "ppe_human_preference", "ppe_math"},
}
COMMIT = "0" * 40


def test_every_domain_has_its_benchmarks() -> None:
    assert set(ASKED) == set(get_args(Domain))
    for domain, names in ASKED.items():
        assert names <= {entry.name for entry in catalogue().values() if entry.domain == domain}


@pytest.mark.parametrize("entry", catalogue().values(), ids=lambda entry: entry.name)
def test_an_entry_can_be_asked_for_as_it_says(entry: CatalogueEntry) -> None:
    assert entry.harness_version in HARNESS_VERSIONS
    takes = entry.definition.parameters
    if entry.brings_data:
        assert entry.benchmark in harness_tasks(entry.harness_version)
        takes.model_validate(entry.parameters)
        return
    assert entry.definition.primary_metric == entry.metrics[0]
    assert any(set(columns) <= set(entry.columns) for columns in entry.definition.item_columns)
    without = takes.model_validate(entry.in_specification["parameters"]).model_dump()
    assert {name: without[name] for name in entry.parameters} == entry.parameters
    for figure in entry.published:
        takes.model_validate(figure.parameters)


def test_a_file_without_a_figure_says_why() -> None:
    whole = catalogue()["mbpp"].model_dump()
    with pytest.raises(ValidationError, match="or say why there is none"):
        CatalogueEntry.model_validate({**whole, "no_figure": ""})
    figure = {"metric": "passed", "figure": 0.1, "tolerance": 0.1, "source": "https://x"}
    with pytest.raises(ValidationError, match="give model and revision, or what the figure is of"):
        CatalogueEntry.model_validate({**whole, "no_figure": "", "published": [{**figure, "model": "a/b"}]})


def test_revisions_are_by_data_set_and_one_for_each() -> None:
    commits: dict[str, set[str | None]] = {}
    for entry in catalogue().values():
        commits.setdefault(entry.data.hub, set()).add(entry.data.revision)
    assert all(len(found) == 1 for found in commits.values())
    assert len(pinned_revisions()["openai/gsm8k"]) == 40
    assert "lmarena-ai/PPE-Human-Preference-V1" not in pinned_revisions()


def test_a_revision_is_part_of_the_key_where_one_is_given_and_goes_with_no_other_data() -> None:
    assert "revision" not in NamedTaskParameters().declared()
    assert NamedTaskParameters(revision=COMMIT).declared()["revision"] == COMMIT
    with pytest.raises(ValidationError, match="leave one of them out"):
        NamedTaskParameters(dataset="rows.jsonl", revision=COMMIT)
    with pytest.raises(ValidationError, match="pattern"):
        NamedTaskParameters(revision="main")
