"""Models that take images are trained on text: what reads learns as it would alone, what looks stays as it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from assay_schemas.artifacts import ModelRef
from assay_schemas.canonical import digest_of
from assay_schemas.results import TrainingResult
from training_ground import Ground, save_seeing

pytestmark = pytest.mark.real
Train = Callable[..., TrainingResult]


@pytest.fixture
def seeing(tmp_path: Path) -> Path:
    folder = tmp_path / "seeing"
    save_seeing(folder)
    return folder


def test_what_reads_learns_as_it_would_alone_and_what_looks_stays_as_it_was(
    ground: Ground, train: Train, seeing: Path
) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

    request = ground.request(steps=3)
    alone = train(request)
    model = ModelRef(uri=seeing.as_uri(), digest=digest_of("seeing"), name="seeing")
    result = train(request.model_copy(update={"model": model, "job_key": digest_of("another key")}))
    assert result.final_loss == pytest.approx(alone.final_loss, rel=1e-5)
    folder = Path(result.checkpoints[-1].checkpoint.uri.removeprefix("file://"))
    assert (folder / "processor_config.json").is_file()
    trained = dict(AutoModelForImageTextToText.from_pretrained(folder).named_parameters())
    before = dict(AutoModelForImageTextToText.from_pretrained(seeing).named_parameters())
    text = AutoModelForCausalLM.from_pretrained(alone.checkpoints[-1].checkpoint.uri.removeprefix("file://"))
    for name, tensor in text.named_parameters():
        place = name.replace("model.", "model.language_model.", 1) if name.startswith("model.") else name
        torch.testing.assert_close(trained[place], tensor, rtol=1e-4, atol=1e-6)
        assert not torch.equal(trained[place], before[place])
    unseen = [name for name in trained if "vision" in name or "projector" in name]
    assert unseen
    assert all(torch.equal(trained[name], before[name]) for name in unseen)
