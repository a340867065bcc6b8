"""A model that sees, trained on text and asked about images, and a task from a YAML file: through everything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import system_ground as ground
from assay_schemas.images import is_image_key
from assay_schemas.results import EvalResult
from system_ground import Ground

pytestmark = [pytest.mark.real, pytest.mark.slow]
TEMPLATE = (
    "{% for message in messages %}{% for part in message.content %}"
    "{{ '<image>' if part.type == 'image' else part.text }}{% endfor %}{% endfor %}"
)
TASK = """
dataset_path: someone/sums
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: "{{choices}}"
doc_to_target: 0
metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]
"""


def seeing(folder: Path) -> Path:
    """A LLaVA of one layer each, with the pilot's tokens."""
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

    tokenizer = AutoTokenizer.from_pretrained(ground.PILOT)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    sizes: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1}
    ids = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id, "bos_token_id": None}
    torch.manual_seed(0)
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**sizes, num_attention_heads=2, image_size=8, patch_size=4, projection_dim=16),
        text_config=LlamaConfig(
            **sizes, **ids, num_attention_heads=2, vocab_size=len(tokenizer), max_position_embeddings=512
        ),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-1,
    )
    LlavaForConditionalGeneration(config).save_pretrained(folder)
    pictures = CLIPImageProcessorPil(size={"shortest_edge": 8}, crop_size={"height": 8, "width": 8})
    LlavaProcessor(
        pictures, tokenizer, patch_size=4, vision_feature_select_strategy="default", num_additional_image_tokens=1,
        chat_template=TEMPLATE,
    ).save_pretrained(folder)  # fmt: skip
    return folder


def test_a_model_that_sees_is_trained_on_text_and_asked_about_images(whole: Ground) -> None:
    from assay_evaluator.samples import samples_from_parquet
    from PIL import Image

    model = seeing(whole.data / "seeing")
    rows = []
    for place, colour in enumerate(("red", "lime", "blue")):
        Image.new("RGB", (8, 8), colour).save(whole.data / f"{colour}.png")
        asked = {"question": "Which colour is <image 1>?", "choices": ["red", "green", "blue"], "answer": place}
        rows.append({**asked, "image_1": f"{colour}.png"})
    (whole.data / "shown.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (whole.data / "sums.yaml").write_text(TASK)
    items = str(whole.data / "shown.jsonl")
    run = whole.ended(
        whole.submit(
            base_model=str(model),
            seeds=[ground.new_seed()],
            benchmarks=[
                {"name": "visual_multiple_choice", "parameters": {"dataset": items, "max_tokens": 4}},
                {"name": "harness_task", "parameters": {"dataset": items, "task": "sums.yaml"}},
            ],
        )
    )
    assert run.result().outcome == "succeeded"
    cells = {(cell.arm, cell.benchmark): cell.mean for cell in run.report().cells}
    assert {arm for arm, _ in cells} == {"control", "clean"}
    assert all(mean is not None for mean in cells.values())
    evals = [
        EvalResult.model_validate_json(path.read_bytes())
        for end in run.result().ends if end.kind == "eval" for path in whole.manifests(end.key)
    ]  # fmt: skip
    shown = [one for one in evals if one.inputs.benchmark == "visual_multiple_choice"]
    assert len(shown) == 2
    for one in shown:
        samples = samples_from_parquet(Path(one.samples.uri.removeprefix("file://")).read_bytes())
        assert all(len(sample.images) == 1 and is_image_key(sample.images[0]) for sample in samples)
        assert all((whole.state / "store" / sample.images[0]).is_file() for sample in samples)
