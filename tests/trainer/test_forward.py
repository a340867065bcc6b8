"""Log-probabilities are the model's own, however many logits are in memory at once and whatever follows its head."""

from __future__ import annotations

from typing import Any

import pytest
from training_ground import build_model

pytestmark = pytest.mark.real
SHAPE = {
    "vocab_size": 64,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "pad_token_id": 0,
    "initializer_range": 0.5,
}


def documents() -> Any:
    from assay_trainer.data.documents import document

    return [document(range(1, length), [at > 3 for at in range(length)], limit=60) for length in (12, 30, 7, 29)]


def logprobs(model: Any, packing: bool = True) -> Any:
    import torch
    from assay_trainer.attention import ATTENTION, register
    from assay_trainer.forward import lay_out, target_logprobs

    register()
    model.set_attn_implementation(ATTENTION)
    made = documents()
    layout = lay_out(model, [each.tokens_T for each in made], 0, torch.device("cpu"), packing)
    return target_logprobs(model, made, layout)


def test_logits_in_parts_give_the_same_values_and_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from assay_trainer import forward

    whole, parted = build_model().double(), build_model().double()
    expected = logprobs(whole)
    expected.square().sum().backward()
    monkeypatch.setattr(forward, "LOGITS_AT_ONCE", 5 * 259)
    sizes = list[int]()
    parted.lm_head.register_forward_hook(lambda *given: sizes.append(given[2].numel()))
    found = logprobs(parted)
    assert max(sizes) <= 5 * 259 < sum(sizes)
    found.square().sum().backward()
    torch.testing.assert_close(found, expected)
    for left, right in zip(parted.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(left.grad, right.grad, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("packing", [True, False])
@pytest.mark.parametrize("architecture", ["granite", "gemma2", "cohere"])
def test_what_an_architecture_does_to_its_logits_is_kept(architecture: str, packing: bool) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    scaling = {
        "granite": {"logits_scaling": 8.0},
        "gemma2": {"final_logit_softcapping": 2.0, "attn_logit_softcapping": None},
        "cohere": {"logit_scale": 0.25},
    }[architecture]
    torch.manual_seed(0)
    config = AutoConfig.for_model(architecture, **SHAPE, **scaling)
    model = AutoModelForCausalLM.from_config(config).eval()
    expected = []
    with torch.no_grad():
        for each in documents():
            tokens = each.tokens_T.long()
            alone = model(input_ids=tokens[None]).logits[0].float().log_softmax(-1)
            expected += [float(alone[at - 1, tokens[at]]) for at in each.targets_N.tolist()]
        found = logprobs(model, packing)
    assert found.tolist() == pytest.approx(expected, abs=1e-4)


def test_tokens_come_back_from_their_batches_where_they_were() -> None:
    import torch
    from assay_trainer.grouping import batches_of, group

    lengths = (5, 90, 7, 88, 30)
    assert batches_of(lengths) == [[1, 3], [4], [2, 0]]
    packed = torch.randn(1, 2, sum(lengths), 3, requires_grad=True)
    grouping = group(lengths, torch.device("cpu"))
    parts = grouping.split(packed)
    assert [tuple(part.shape) for part in parts] == [(2, 2, 90, 3), (1, 2, 30, 3), (2, 2, 7, 3)]
    joined = grouping.join(parts)
    assert joined.equal(packed.transpose(1, 2))
    (joined * torch.arange(220)[None, :, None, None]).sum().backward()
    assert packed.grad is not None
    assert packed.grad[0, 0, :, 0].tolist() == list(range(220))
