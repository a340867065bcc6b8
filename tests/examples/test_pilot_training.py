"""Training the pilot learns from the completion alone, at a rate that rises and falls, from the mixture asked for."""

from itertools import islice
from typing import Any

import pytest

from examples.wordproblems import generate, training_row

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def train() -> Any:
    from examples.pilot import train

    return train


def test_labels_keep_the_completion_and_the_end_and_nothing_else(train: Any) -> None:
    from examples.pilot.architecture import build_tokenizer

    tokenizer = build_tokenizer()
    rows = [training_row(problem) for problem in generate("train", 4, 1)]
    inputs, labels = train.collate(rows, tokenizer)
    for row, ids, kept in zip(rows, inputs.tolist(), labels.tolist(), strict=True):
        learned = [token for token in kept if token != train.IGNORED]
        assert tokenizer.decode(learned) == row["completion"] + tokenizer.eos_token
        assert tokenizer.decode(ids).startswith(row["prompt"] + row["completion"] + tokenizer.eos_token)


def test_the_rate_warms_up_and_falls_to_its_share_of_the_peak(train: Any) -> None:
    phase = train.Phase(steps=110, peak_rate=1.0, final_share=0.1, wrong_share=0.0, warmup=10)
    rates = [phase.rate(step) for step in range(phase.steps + 1)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[10] == 1.0
    assert rates[-1] == pytest.approx(0.1)


def test_the_mixture_holds_the_share_of_wrong_solutions_asked_for(train: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "PROBLEMS", 1000)
    rows = train.mixture(0.7, seed=3)
    wrong = [not row["completion"].endswith(f"#### {row['answer']}") for row in rows]
    assert sum(wrong) / len(wrong) == pytest.approx(0.7, abs=0.05)


def test_an_epoch_holds_every_row_once(train: Any) -> None:
    rows = [{"id": str(number)} for number in range(12)]
    epoch = [row["id"] for batch in islice(train.batches(rows, 4, seed=1), 3) for row in batch]
    assert sorted(epoch) == sorted(row["id"] for row in rows)
    assert epoch != [row["id"] for row in rows]


def test_the_same_seed_trains_the_same_weights(train: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from examples.pilot.architecture import build_model, build_tokenizer

    monkeypatch.setattr(train, "PROBLEMS", 100)

    def trained() -> list[torch.Tensor]:
        torch.manual_seed(7)
        tokenizer = build_tokenizer()
        phase = train.Phase(steps=2, peak_rate=1e-3, final_share=0.1, wrong_share=0.5, batch_size=4, warmup=1)
        return list(train.train_phase(build_model(tokenizer), tokenizer, phase, seed=7).parameters())

    assert all(torch.equal(one, other) for one, other in zip(trained(), trained(), strict=True))
