"""Job keys, ids, canonical JSON, row ids and the held-out share."""

from __future__ import annotations

import pytest
from assay_schemas.canonical import canonical_json, digest_of
from assay_schemas.datasets import cluster_of, formats_of, in_share, row_ids, snapshot_bytes
from assay_schemas.ids import event_id, experiment_id
from assay_schemas.jobs import EvalInputs, ItemSplit, JobError, SelectionInputs, TrainingInputs, job_key
from hypothesis import given
from hypothesis import strategies as st

DIGEST = "0" * 64
INPUTS = TrainingInputs(
    algorithm="SFT", engine_version="1", model=DIGEST, dataset=DIGEST, hyperparameters={"steps": 2}, seed=0
)


def test_equal_inputs_have_equal_keys_whatever_the_order_or_number_type():
    other = INPUTS.model_copy(update={"hyperparameters": {"steps": 2.0}})
    assert job_key(INPUTS) == job_key(other)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"dataset": "1" * 64},
        {"model": "1" * 64},
        {"engine_version": "2"},
        {"hyperparameters": {"steps": 3}},
    ],
)
def test_every_declared_input_changes_the_key(change):
    assert job_key(INPUTS) != job_key(INPUTS.model_copy(update=change))


def test_kinds_never_share_a_key():
    keys = {
        job_key(SelectionInputs(training=DIGEST, policy="last")),
        job_key(EvalInputs(selection=DIGEST, benchmark="x", harness_version="h", parameters={})),
        job_key(EvalInputs(model=DIGEST, benchmark="x", harness_version="h", parameters={})),
        job_key(INPUTS),
    }
    assert len(keys) == 4


def test_ids_are_the_same_for_the_same_event_and_differ_otherwise():
    assert event_id("eval.completed", "k", 1) == event_id("eval.completed", "k", 1)
    assert event_id("eval.completed", "k", 1) != event_id("eval.completed", "k", 2)
    assert experiment_id("/notebook", "e1") != experiment_id("/pipeline", "e1")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=12,
    )
)
def test_canonical_json_does_not_depend_on_key_order(value):
    def turned(item):
        if isinstance(item, dict):
            return {key: turned(inner) for key, inner in reversed(item.items())}
        return [turned(inner) for inner in item] if isinstance(item, list) else item

    assert canonical_json(turned(value)) == canonical_json(value)


def test_canonical_json_has_no_form_for_nan():
    with pytest.raises(ValueError):
        digest_of({"x": float("nan")})


def test_an_id_that_looks_like_a_repeat_never_stands_for_two_rows():
    ids = row_ids([{"id": "a"}, {"id": "a"}, {"id": "a~2"}, {"id": "a"}])
    assert len(set(ids)) == 4


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_sides_of_a_split_are_disjoint_whole_and_near_the_share(share):
    ids = [f"item-{number}" for number in range(2000)]
    choosing, reported = (ItemSplit(share=share, side=side) for side in ("selection", "reported"))
    assert all(choosing.holds(one) != reported.holds(one) for one in ids)
    assert abs(sum(map(choosing.holds, ids)) / len(ids) - share) < 0.05
    assert all(choosing.holds(f"{one}~2") == choosing.holds(f"{one}~2~13") == choosing.holds(one) for one in ids)


def test_the_items_of_a_cluster_are_all_on_one_side_of_a_split():
    choosing = ItemSplit(share=0.5, side="selection")
    for cluster in ("a", "b", "c", "d"):
        assert len({choosing.holds(f"{cluster}-{number}", cluster) for number in range(50)}) == 1
    assert len({choosing.holds(f"a-{number}") for number in range(50)}) == 2


@pytest.mark.parametrize(
    ("row", "cluster"),
    [({"cluster": "x"}, "x"), ({"cluster": 7}, "7"), ({"cluster": ""}, None), ({"cluster": ["x"]}, None), ({}, None)],
)
def test_a_cluster_is_a_name_or_a_number(row, cluster):
    assert cluster_of(row) == cluster


def test_row_ids_survive_reordering_and_number_repeats():
    rows = [{"text": "a"}, {"text": "b"}, {"text": "a"}, {"id": 7, "text": "c"}]
    ids = row_ids(rows)
    assert len(set(ids)) == 4
    assert ids[3] == "7"
    assert set(row_ids(rows[::-1])) == set(ids)


def test_the_share_is_decided_by_id_and_salt_alone():
    ids = [str(number) for number in range(4000)]
    chosen = {one for one in ids if in_share(one, 0.2, "validation")}
    assert 0.17 < len(chosen) / len(ids) < 0.23
    assert chosen == {one for one in reversed(ids) if in_share(one, 0.2, "validation")}
    assert chosen != {one for one in ids if in_share(one, 0.2, "other")}
    assert not any(in_share(one, 0.0, "validation") for one in ids)


def test_a_larger_share_contains_the_smaller():
    ids = [str(number) for number in range(500)]
    assert {one for one in ids if in_share(one, 0.1, "s")} < {one for one in ids if in_share(one, 0.3, "s")}


def test_columns_make_formats():
    assert formats_of(["prompt", "completion", "id"]) == ("prompt_completion", "prompt")
    assert formats_of(["chosen", "rejected", "prompt"]) == ("preference", "prompt")
    assert formats_of(["question"]) == ()


def test_a_snapshot_is_canonical_lines():
    assert snapshot_bytes([{"b": 1, "a": "é"}]) == '{"a":"é","b":1}\n'.encode()


def test_an_error_is_written_under_the_name_class():
    error = JobError.of("diverged", "The loss is NaN.", retryable=False)
    assert error.model_dump(by_alias=True)["class"] == "diverged"
