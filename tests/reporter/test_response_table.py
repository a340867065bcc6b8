"""The table of responses: the same changes as the report's, the right page, whatever is looked for."""

from __future__ import annotations

import pyarrow as pa
import pytest
from assay_reporter.scoring import benchmark_scores
from assay_reporter.sections.flips import consistent_flips
from assay_reporter.web.response_table import LONGEST_TEXT, ResponseTable, Wanted


def of(evidence, name: str, tmp_path) -> ResponseTable:
    benchmark = next(one for one in evidence.plan.benchmarks if one.id == name)
    table = ResponseTable(tmp_path / "t.duckdb")
    for number, (replicate, evaluated) in enumerate(evidence.evaluated(benchmark)):
        who = replicate.arm if replicate.seed is None else f"{replicate.arm}, seed {replicate.seed}"
        table.add(number, replicate.arm, who, evaluated.samples)
    table.arrange(higher_is_better=benchmark.higher_is_better, may_flip=name == "numeric")
    return table


@pytest.fixture
def numeric(evidence, tmp_path):
    made = evidence()
    return made, of(made, "numeric", tmp_path)


def test_what_changed_is_what_the_report_says_and_losses_come_first(numeric):
    made, table = numeric
    flips = consistent_flips(benchmark_scores(made, made.plan.benchmarks[0]))
    total, items = table.page(Wanted(size=1000))
    assert total == len({item for item, _, _ in flips})
    assert {(item["id"], note) for item in items for note in item["notes"]} == {
        (item, f"{arm} {'lost' if change < 0 else 'won'}") for item, arm, change in flips
    }
    assert items[0]["notes"][0].endswith("lost")
    losses, _ = table.page(Wanted(only="losses"))
    assert losses == len({item for item, _, change in flips if change < 0})


def test_pages_follow_one_another_and_each_item_has_every_answer(numeric):
    _, table = numeric
    seen = []
    for number in range(1, 7):
        total, items = table.page(Wanted(only="all", page=number))
        seen += [item["id"] for item in items]
        assert all(len(item["answers"]) == 10 for item in items)
        assert all(item["answers"][0]["who"] == "control" for item in items)
    assert (total, seen) == (150, [f"item-{number}" for number in range(150)])
    assert table.page(Wanted(only="all", page=99)) == (150, [])


def test_arms_search_and_one_item_narrow_the_page(numeric):
    _, table = numeric
    _, items = table.page(Wanted(only="all", arms=("wrong",)))
    assert {answer["arm"] for item in items for answer in item["answers"]} == {"control", "wrong"}
    total, items = table.page(Wanted(only="all", search="WHAT IS 77 +"))
    assert (total, items[0]["id"]) == (1, "item-77")
    assert table.page(Wanted(only="all", search="100%_'; DROP TABLE answers; --"))[0] == 0
    total, (item,) = table.page(Wanted(item="item-3"))
    assert (total, item["prompt"]) == (1, "What is 3 + 1?")


def test_scores_that_are_no_shares_have_no_flips(evidence, tmp_path):
    assert of(evidence(), "perplexity", tmp_path).page(Wanted())[0] == 0


def test_long_failed_and_strange_responses_are_shown_as_they_are(tmp_path):
    table = ResponseTable(tmp_path / "t.duckdb")
    texts = ["x" * 1_000_000, "<script>alert(1)</script>\u202e\x00", ""]
    for number, arm in enumerate(("control", "a")):
        rows = {
            "item_id": ["1", "2", "ä/3"], "sample_index": [0, 0, 0], "prompt": ["p"] * 3, "target": ["t"] * 3,
            "response": texts, "score": pa.array([1.0, float("nan"), None], pa.float64()),
            **({"error": ["", "no verdict", "timeout"]} if arm == "a" else {}),
        }  # fmt: skip
        table.add(number, arm, arm, pa.table(rows))
    table.arrange(higher_is_better=True, may_flip=True)
    _, items = table.page(Wanted(only="all"))
    assert items[0]["answers"][0]["cut"] == 1_000_000 - LONGEST_TEXT
    assert [item["answers"][1]["score"] for item in items] == [1.0, None, None]
    assert [[one["error"] for one in item["answers"]] for item in items] == [
        ["", ""],
        ["", "no verdict"],
        ["", "timeout"],
    ]
    assert items[1]["answers"][0]["response"] == texts[1]
    _, (whole,) = table.page(Wanted(item="1"))
    assert len(whole["answers"][0]["response"]) == 1_000_000
