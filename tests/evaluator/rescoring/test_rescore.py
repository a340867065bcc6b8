"""Stored responses judged again: other answers, scores and scorer, and nothing else."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from assay_evaluator.rescoring.__main__ import main
from assay_evaluator.rescoring.rescore import NotSamples, rescore
from assay_evaluator.rescoring.scorers import SCORERS, ScorerRefused, scorer_of
from assay_evaluator.samples import samples_from_parquet, samples_to_parquet
from assay_schemas.results import Sample

ANSWER = json.dumps({"answer": "worked\n#### 12"})


def sample(item: str, response: str, score: float | None, details: str = ANSWER, **others: Any) -> Sample:
    return Sample(
        item_id=item, item_index=0, prompt="?", target="12", response=response, score=score, details=details, **others
    )


SAMPLES = [
    sample("a", "#### 12, or 13", 0.0),
    sample("b", "it is 12", 1.0),
    sample("c", "", None, error="the context is full"),
]


def table(samples: list[Sample]) -> Any:
    return pq.ParquetFile(io.BytesIO(samples_to_parquet(samples))).read()


def read(again: Any) -> list[Sample]:
    buffer = io.BytesIO()
    pq.write_table(again, buffer)
    return samples_from_parquet(buffer.getvalue())


def test_another_extraction_gives_other_scores_and_the_rest_stays() -> None:
    again, change = rescore(table(SAMPLES), scorer_of("numeric", {"extract": r"#### (\S+?),?\s"}))
    marked, plain, failed = read(again)
    assert (marked.extracted, marked.score, marked.scorer) == ("12", 1.0, r'numeric/1 {"extract":"#### (\\S+?),?\\s"}')
    assert (plain.extracted, plain.score) == (None, 0.0)
    assert (failed.score, failed.error) == (None, "the context is full")
    assert [one.prompt for one in read(again)] == ["?"] * 3
    assert (change.before, change.after, change.gained, change.lost, change.failed) == (0.5, 0.5, 1, 1, 1)


def test_a_pattern_that_is_none_is_refused_in_words() -> None:
    with pytest.raises(ScorerRefused, match="extract: is no regular expression"):
        scorer_of("numeric", {"extract": "(("})


@pytest.mark.parametrize("scored_by", ["perplexity/1", "preference/3", "multiple_choice/1"])
def test_where_likelihoods_were_compared_there_is_no_response_to_read(scored_by: str) -> None:
    compared = table([sample("a", "12", 0.4, '{"bytes": 3}', scorer=scored_by)])
    with pytest.raises(NotSamples, match=f"{scored_by.partition('/')[0]} compares likelihoods"):
        rescore(compared, scorer_of("numeric", {}))
    assert rescore(compared, scorer_of("stored", {"value": "bytes"}))[1].after == 3.0


def test_the_same_scorer_changes_nothing() -> None:
    _, change = rescore(table(SAMPLES[1:2]), scorer_of("numeric", {}))
    assert (change.before, change.after, change.gained, change.lost) == (1.0, 1.0, 0, 0)


def test_an_item_the_new_scorer_cannot_judge_fails_rather_than_scores_zero() -> None:
    again, change = rescore(table([sample("a", "12", 1.0, '{"answer": "blue"}')]), scorer_of("numeric", {}))
    assert "holds no number" in read(again)[0].error
    assert (change.after, change.failed) == (None, 1)


def test_a_stored_value_of_the_harness_can_lead_instead() -> None:
    details = json.dumps({"exact_match,strict-match": 0.0, "exact_match,flexible-extract": 1.0})
    again, change = rescore(
        table([sample("a", "12", 0.0, details)]), scorer_of("stored", {"value": "exact_match,flexible-extract"})
    )
    assert (change.after, read(again)[0].scorer) == (1.0, "stored exact_match,flexible-extract")
    again, _ = rescore(table([sample("a", "12", 0.0, details)]), scorer_of("stored", {"value": "flexible"}))
    assert "'flexible' is no number that was stored" in read(again)[0].error


def test_several_responses_to_an_item_count_as_one_and_vote() -> None:
    samples = [sample("a", text, 0.0, sample_index=place) for place, text in enumerate(["12", "12.0", "7", "8"])]
    _, change = rescore(table(samples), scorer_of("numeric", {}))
    assert (change.items, change.after, change.metrics["pass@2"]) == (1, 0.5, pytest.approx(5 / 6))
    assert change.metrics["maj@4"] == 1.0


def test_a_file_from_before_scorers_were_named_is_judged_too() -> None:
    old = table(SAMPLES).drop_columns(["scorer", "images", "token_ids", "token_logprobs"])
    assert rescore(old, scorer_of("exact_match", {"extract": r"(\d+)$"}))[1].scorer.startswith("exact_match/1")
    with pytest.raises(NotSamples, match="no column response"):
        rescore(old.drop_columns(["response"]), scorer_of("numeric", {}))


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("numerik", {}, "'numerik' is not known. .*numeric"),
        ("numeric", {"max_tokens": "3"}, "max_tokens says nothing about scoring; its options are extract, tolerance"),
        ("numeric", {"tolerance": "blue"}, "tolerance"),
        ("stored", {}, "value"),
    ],
)
def test_a_scorer_that_cannot_be_is_refused(name: str, options: dict[str, str], words: str) -> None:
    with pytest.raises(ScorerRefused, match=words):
        scorer_of(name, options)


def test_every_benchmark_that_reads_responses_can_score_stored_ones() -> None:
    assert {"exact_match", "numeric", "stored"} <= SCORERS.keys()


def test_files_in_and_files_out_and_none_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stored = tmp_path / "samples.parquet"
    stored.write_bytes(samples_to_parquet(SAMPLES))
    arguments = [str(stored), "--scorer", "numeric", "--set", "tolerance=1", "--output", str(tmp_path / "again")]
    assert main(arguments) == 0
    [done] = json.loads(capsys.readouterr().out)
    assert (done["before"], done["after"], done["scorer"]) == (0.5, 1.0, 'numeric/1 {"tolerance":1}')
    assert samples_from_parquet(Path(done["output"]).read_bytes())[0].score == 1.0
    assert main(arguments) == 2
    assert main([str(tmp_path / "none.parquet"), "--scorer", "numeric"]) == 2


def test_a_file_that_could_not_be_written_whole_is_named_and_not_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    stored = tmp_path / "samples.parquet"
    stored.write_bytes(samples_to_parquet(SAMPLES))
    monkeypatch.setattr(pq, "write_table", full)
    assert main([str(stored), "--scorer", "numeric", "--output", str(tmp_path / "again")]) == 2
    assert f"{tmp_path}/again/samples.parquet was not written: No space left on device" in capsys.readouterr().err
    assert not list((tmp_path / "again").iterdir())
