"""A model is trained on what its own attention sees: rows are packed where that is certain, else padded."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

pytestmark = pytest.mark.real
SHAPE = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "moe_intermediate_size": 16,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "num_experts": 4,
    "num_local_experts": 4,
    "num_experts_per_tok": 2,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "initializer_range": 0.5,
    "sliding_window": 5,
}
PACKED = [
    *("llama", "mistral", "mixtral", "qwen2", "qwen2_moe", "qwen3", "qwen3_moe", "gemma", "gemma3_text", "granite"),
    *("phi", "phi3", "olmo", "olmo2", "olmo3", "smollm3", "cohere", "cohere2", "glm4", "starcoder2"),
]
PADDED: dict[str, dict[str, Any]] = {
    "gemma2": {"attn_logit_softcapping": 2.0},
    "gpt_oss": {},
    "lfm2": {"layer_types": ["conv", "full_attention", "conv", "full_attention"]},
    "minimax": {},
    "nemotron": {},
    "olmoe": {},
}


def built(architecture: str, **options: Any) -> Any:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    config = AutoConfig.for_model(architecture, **SHAPE, **options)
    return AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()


@pytest.mark.parametrize("architecture", [*PACKED, *PADDED])
def test_every_document_has_the_log_probabilities_that_it_has_alone(architecture: str) -> None:
    import torch
    from assay_trainer.attention import takes_packed
    from assay_trainer.data.documents import document
    from assay_trainer.forward import lay_out, target_logprobs
    from assay_trainer.own_attention import choose_attention

    model = built(architecture, **PADDED.get(architecture, {}))
    documents = [document(range(1, length), [at > 3 for at in range(length)], limit=60) for length in (12, 30, 7, 29)]
    expected = []
    with torch.no_grad():
        for each in documents:
            tokens = each.tokens_T.long()
            alone = model(input_ids=tokens[None], use_cache=False).logits[0].log_softmax(-1)
            expected += [float(alone[at - 1, tokens[at]]) for at in each.targets_N.tolist()]
        choose_attention(model)
        layout = lay_out(model, [each.tokens_T for each in documents], 0, torch.device("cpu"))
        found = target_logprobs(model, documents, layout)
    assert takes_packed(model) is (architecture in PACKED)
    assert found.tolist() == pytest.approx(expected, abs=1e-3)


def test_why_rows_are_padded_is_said_and_random_numbers_and_mode_stay(caplog: pytest.LogCaptureFixture) -> None:
    import torch
    from assay_trainer.own_attention import choose_attention

    model = built("olmoe").train()
    before = torch.get_rng_state()
    with caplog.at_level(logging.WARNING):
        choose_attention(model)
    assert "rows are padded, not packed, since its layers see more than one document" in caplog.text
    assert model.training
    assert torch.get_rng_state().equal(before)


def test_a_lack_of_memory_is_no_reason_to_pad(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from assay_trainer import own_attention

    def lacking(*_: Any) -> Any:
        raise torch.OutOfMemoryError("nothing left")

    monkeypatch.setattr(own_attention, "hidden_states", lacking)
    with pytest.raises(torch.OutOfMemoryError):
        own_attention.choose_attention(built("llama"))


@pytest.mark.parametrize(
    ("architecture", "options", "why"),
    [
        ("granite", {"embedding_multiplier": 2.0}, "does more than its layers one after another"),
        ("gemma3_text", {}, "has layers that cannot be called alone"),
        ("olmo3", {}, "has layers that cannot be called alone"),
    ],
)
def test_a_decoder_whose_layers_are_not_all_it_does_is_not_cut_into_stages(
    architecture: str, options: dict[str, Any], why: str
) -> None:
    from assay_trainer.errors import BadInput
    from assay_trainer.own_attention import choose_attention
    from assay_trainer.parallel.stages import keep_own_layers

    model = built(architecture, tie_word_embeddings=False, **options)
    choose_attention(model)
    world: Any = SimpleNamespace(parallelism=SimpleNamespace(pipeline=2), place=lambda _: 0)
    with pytest.raises(BadInput, match=why):
        keep_own_layers(model, world)


def test_a_decoder_that_drops_out_in_training_is_cut_all_the_same() -> None:
    from assay_trainer.own_attention import choose_attention
    from assay_trainer.parallel.stages import Absent, keep_own_layers

    model = built("llama", tie_word_embeddings=False, attention_dropout=0.5)
    choose_attention(model.train())
    world: Any = SimpleNamespace(parallelism=SimpleNamespace(pipeline=2), place=lambda _: 0)
    keep_own_layers(model, world)
    assert [isinstance(layer, Absent) for layer in model.model.layers] == [False, False, True, True]
