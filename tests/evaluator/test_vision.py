"""Questions with images, asked of a tiny model that sees: what it answers is what it would answer by itself."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from assay_chassis.job_service import JobFailed
from assay_chassis.object_store import SyncObjectStore
from assay_evaluator.samples import samples_from_parquet
from assay_schemas.artifacts import ModelRef
from assay_schemas.canonical import digest_of, sha256_hex
from assay_schemas.images import image_key
from assay_schemas.jobs import EvalRequest
from assay_schemas.results import EvalResult, Sample

pytestmark = pytest.mark.real
TEMPLATE = (
    "{% for message in messages %}{{ message.role }}: {% for part in message.content %}"
    "{{ '<image>' if part.type == 'image' else part.text }}{% endfor %}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)
COLOURS = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (10, 10, 10)]
Judged = Callable[..., tuple[EvalResult, list[Sample]]]


@pytest.fixture(scope="module")
def seeing(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LLaVA of the tiny Llama and a CLIP of one layer, with random weights: images of 8 × 8 in four patches."""
    import torch
    from transformers import (
        AutoTokenizer,
        CLIPImageProcessorPil,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    folder = tmp_path_factory.mktemp("seeing")
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    sizes: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1}
    vision = CLIPVisionConfig(**sizes, num_attention_heads=2, image_size=8, patch_size=4, projection_dim=32)
    text = LlamaConfig.from_pretrained(model, vocab_size=len(tokenizer), max_position_embeddings=512)
    torch.manual_seed(5)
    config = LlavaConfig(
        vision_config=vision, text_config=text, image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-1, vision_feature_select_strategy="default",
    )  # fmt: skip
    made = LlavaForConditionalGeneration(config)
    made.model.multi_modal_projector.linear_2.weight.data *= 50
    made.save_pretrained(folder)
    pictures = CLIPImageProcessorPil(size={"shortest_edge": 8}, crop_size={"height": 8, "width": 8})
    LlavaProcessor(
        pictures, tokenizer, patch_size=4, vision_feature_select_strategy="default", num_additional_image_tokens=1,
        chat_template=TEMPLATE,
    ).save_pretrained(folder)  # fmt: skip
    return folder


def picture(place: int) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), COLOURS[place]).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def kept(store: SyncObjectStore) -> list[str]:
    """The keys of four pictures in the store."""
    pictures = [picture(place) for place in range(len(COLOURS))]
    keys = [image_key(sha256_hex(data), "png") for data in pictures]
    for key, data in zip(keys, pictures, strict=True):
        store.put_bytes(key, data)
    return keys


def rows_of(keys: list[str]) -> list[dict[str, Any]]:
    """MMMU's form: one image named in the question, and two of which one is not."""
    options = "['red', 'green', 'blue', 'black']"
    asked = [
        {"id": f"one-{place}", "question": "Which colour is <image 1>?", "options": options, "answer": "ABCD"[place]}
        for place in range(len(keys))
    ]
    rows = [{**row, "image_1": key, "image_2": None} for row, key in zip(asked, keys, strict=True)]
    both = {"id": "two", "question": "Is it like <image 2>?", "choices": ["yes", "no"], "answer": "no"}
    return [*rows, {**both, "image_1": keys[0], "image_2": keys[1]}]


@pytest.fixture
def judged(ask: Callable[..., EvalRequest], store: SyncObjectStore, seeing: Path, cache: Path) -> Judged:
    """Evaluates the model that sees in this process."""

    def evaluation(*arguments: Any, **inputs: Any) -> tuple[EvalResult, list[Sample]]:
        from assay_evaluator.progress import EvaluationProgress
        from assay_evaluator.worker import evaluate

        model = ModelRef(uri=seeing.as_uri(), digest=digest_of(seeing.name))
        request = ask(*arguments, **inputs).model_copy(update={"model": model})
        result = evaluate(request, store, cache, EvaluationProgress(lambda _: None))
        return result, samples_from_parquet(store.get_bytes(result.samples))

    return evaluation


def test_responses_are_what_the_model_gives_by_itself_and_samples_name_the_images(
    judged: Judged, seeing: Path, kept: list[str]
) -> None:
    import torch
    from PIL import Image
    from transformers import AutoModelForImageTextToText, AutoProcessor

    result, samples = judged("visual_multiple_choice", rows_of(kept), {"max_tokens": 6})
    model, processor = AutoModelForImageTextToText.from_pretrained(seeing), AutoProcessor.from_pretrained(seeing)
    by_id = {sample.item_id: sample for sample in samples}
    assert by_id["two"].images == (kept[0], kept[1])
    assert by_id["two"].prompt.startswith("user: <image>\nIs it like <image>?")
    for sample in samples:
        assert sample.error == ""
        shown = [Image.open(io.BytesIO(picture(kept.index(key)))).convert("RGB") for key in sample.images]
        inputs = processor(images=shown, text=[sample.prompt], return_tensors="pt")
        with torch.no_grad():
            new = model.generate(**inputs, max_new_tokens=6, do_sample=False)[0, inputs["input_ids"].shape[1] :]
        assert sample.response == processor.tokenizer.decode(new, skip_special_tokens=True)
        assert sample.token_ids == tuple(new.tolist())
    assert result.primary == "accuracy"
    assert result.metrics["accuracy"].items == 5


def test_the_harness_own_tasks_with_images_take_rows_of_their_form(
    judged: Judged, kept: list[str], seeing: Path
) -> None:
    """lm-eval's MMMU, its prompts, reading and images, over rows of a snapshot in the place of the hub's."""
    rows = [{**row, "question_type": "multiple-choice"} for row in rows_of(kept)[:4]]
    result, samples = judged("mmmu_val_accounting", rows, {"max_tokens": 6})
    _, ours = judged("visual_multiple_choice", rows_of(kept)[:4], {"max_tokens": 6, "chat_template": False})
    assert (result.primary, result.items_failed) == ("acc", 0)
    by_id = {sample.item_id: sample for sample in samples}
    for row, own in zip(rows, ours, strict=True):
        sample = by_id[row["id"]]
        assert (sample.images, sample.target) == ((row["image_1"],), row["answer"])
        assert "<image>" in sample.prompt
        assert sample.prompt.strip() == own.prompt.strip()
        assert sample.token_ids == own.token_ids
    with pytest.raises(JobFailed, match="mmmu_val_accounting shows images, and no row has one in image"):
        judged("mmmu_val_accounting", [{**rows[0], "image_1": None}])


def test_another_image_gives_other_probabilities(judged: Judged, kept: list[str]) -> None:
    _, samples = judged("visual_multiple_choice", rows_of(kept)[:4], {"max_tokens": 4})
    assert len({sample.prompt for sample in samples}) == 1
    assert len({round(sample.logprob or 0.0, 5) for sample in samples}) == 4


def test_an_image_that_was_not_kept_and_a_prompt_without_room_fail_alone(judged: Judged, kept: list[str]) -> None:
    lost = {**rows_of(kept)[0], "id": "lost", "image_1": "pictures/1.png"}
    long = {**rows_of(kept)[0], "id": "long", "question": "x" * 600}
    result, samples = judged("visual_multiple_choice", [*rows_of(kept), lost, long], {"max_tokens": 4})
    failed = {sample.item_id: sample.error for sample in samples if sample.error}
    assert result.items_failed == 2
    assert failed["lost"].startswith("image: is not kept with the items")
    assert "the model's context has room for 508" in failed["long"]


def test_a_model_that_sees_is_asked_text_as_any_other(judged: Judged, sums: list[dict[str, Any]]) -> None:
    result, samples = judged("exact_match", sums[:3], {"max_tokens": 4})
    assert result.items_failed == 0
    assert all(sample.images == () and sample.tokens for sample in samples)


def test_a_model_without_sight_refuses(evaluated: Judged, kept: list[str]) -> None:
    with pytest.raises(JobFailed, match="shows images, and this model on this engine takes none") as caught:
        evaluated("visual_multiple_choice", rows_of(kept), {"chat_template": False})
    assert caught.value.error_class == "bad_input"


def test_an_image_that_is_not_what_its_name_says_is_refused(
    judged: Judged, kept: list[str], store: SyncObjectStore
) -> None:
    wrong = image_key("0" * 64, "png")
    store.put_bytes(wrong, picture(0))
    with pytest.raises(JobFailed, match="does not hash to its name"):
        judged("visual_multiple_choice", [{**rows_of(kept)[0], "image_1": wrong}])


def test_stored_responses_are_scored_again_without_a_model(judged: Judged, kept: list[str]) -> None:
    from assay_evaluator.rescoring.scorers import scorer_of

    _, samples = judged("visual_multiple_choice", rows_of(kept)[:1], {"max_tokens": 4})
    details = json.loads(samples[0].details)
    assert details["choices"] == ["red", "green", "blue", "black"]
    assert scorer_of("visual_multiple_choice", {}) is not None
