"""The loss of supervised fine-tuning is the same however its documents are laid out."""

from __future__ import annotations

import math
from typing import Any

import pytest
from assay_schemas.algorithms import SftHyperparameters
from assay_trainer.data.rows import Row
from training_ground import build_model, build_tokenizer, sums

pytestmark = pytest.mark.real


def ready(model: Any) -> Any:
    from assay_trainer.attention import ATTENTION, register

    register()
    model.set_attn_implementation(ATTENTION)
    return model


def algorithm(**changes: Any) -> Any:
    from assay_trainer.algorithms.sft import Sft

    return Sft(SftHyperparameters(**changes), build_tokenizer())


def examples(sft: Any, count: int = 12) -> Any:
    return sft.encode([Row(str(number), number, columns) for number, columns in enumerate(sums(count))])


def loss_and_gradients(model: Any, sft: Any, parts: list[Any]) -> tuple[float, Any]:
    import torch

    model.zero_grad()
    total = 0.0
    for part in parts:
        loss = sft.loss(model, part, torch.device("cpu")).total
        loss.backward()
        total += float(loss.detach())
    return total, {name: parameter.grad.clone() for name, parameter in model.named_parameters()}


def reference_loss(model: Any, sft: Any) -> float:
    """Each document by itself through transformers' own loss."""
    import torch

    total = 0.0
    for example in examples(sft):
        tokens = example.document.tokens_T.long()
        labels = torch.full_like(tokens, -100)
        labels[example.document.targets_N.long()] = tokens[example.document.targets_N.long()]
        outcome = model(input_ids=tokens[None], labels=labels[None], use_cache=False)
        total += float(outcome.loss.detach()) * example.weight
    return total


def test_packed_and_padded_losses_and_gradients_are_those_of_each_row_alone() -> None:
    import torch

    model = ready(build_model().double())
    packed, padded = algorithm(packing=True), algorithm(packing=False)
    packed_loss, packed_gradients = loss_and_gradients(model, packed, [examples(packed)])
    padded_loss, padded_gradients = loss_and_gradients(model, padded, [examples(padded)])
    alone_loss, alone_gradients = loss_and_gradients(model, packed, [[each] for each in examples(packed)])
    assert packed_loss == pytest.approx(alone_loss, rel=1e-6)
    assert padded_loss == pytest.approx(alone_loss, rel=1e-6)
    assert reference_loss(model, packed) == pytest.approx(alone_loss, rel=1e-6)
    for name, gradient in alone_gradients.items():
        torch.testing.assert_close(packed_gradients[name], gradient, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(padded_gradients[name], gradient, rtol=1e-4, atol=1e-5)


def test_a_document_is_blind_to_its_neighbours_in_the_pack() -> None:
    import torch

    model, sft = ready(build_model()), algorithm()
    first, _, *rest = examples(sft)
    with torch.no_grad():
        one = [float(sft.loss(model, [first, other], torch.device("cpu")).total) for other in rest[:3]]
        other = [float(sft.loss(model, [other], torch.device("cpu")).total) for other in rest[:3]]
        alone = float(sft.loss(model, [first], torch.device("cpu")).total)
    assert [both - single for both, single in zip(one, other, strict=True)] == pytest.approx([alone] * 3, rel=1e-4)


def test_transformers_own_mask_for_reset_positions_agrees() -> None:
    import torch
    from assay_trainer.data.packing import pack

    model, sft = build_model(), algorithm()
    layout = pack([example.document.tokens_T for example in examples(sft, 4)])
    with torch.no_grad():
        theirs = model(input_ids=layout.tokens_BT, position_ids=layout.positions_BT, use_cache=False).logits
        ours = ready(model)(
            input_ids=layout.tokens_BT,
            position_ids=layout.positions_BT,
            document_lengths=layout.lengths,
            use_cache=False,
        ).logits
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_a_sliding_window_is_kept_within_a_packed_document() -> None:
    import torch
    from assay_trainer.attention import packed_attention

    query, key, value = (torch.randn(1, 2, 9, 4) for _ in range(3))
    attended, _ = packed_attention(torch.nn.Module(), query, key, value, None, document_lengths=[9], sliding_window=1)
    torch.testing.assert_close(attended, value.transpose(1, 2))


def test_rows_over_the_limit_are_cut_or_dropped_as_declared() -> None:
    row = Row("long", 1, {"prompt": "x" * 20, "completion": "y" * 20})
    [cut] = algorithm(max_length=30, overlong="truncate").encode([row])
    [dropped] = algorithm(max_length=30, overlong="drop").encode([row])
    assert (cut.length, cut.weight, cut.truncated) == (30, 10, True)
    assert (dropped.weight, dropped.truncated) == (0, False)


def test_a_row_cut_before_its_completion_has_nothing_to_learn() -> None:
    [example] = algorithm(max_length=8).encode([Row("long", 1, {"prompt": "x" * 20, "completion": "y"})])
    assert example.weight == 0


def test_an_empty_completion_teaches_the_end_of_text() -> None:
    [example] = algorithm().encode([Row("empty", 1, {"prompt": "x", "completion": ""})])
    assert example.weight == 1


@pytest.mark.parametrize("packing", [True, False])
def test_neftune_s_noise_is_in_training_only_and_of_the_papers_size(packing: bool) -> None:
    import torch
    from assay_trainer.data.packing import pack, pad

    model, sft = ready(build_model()), algorithm(neftune_alpha=5.0, packing=packing)
    documents = [example.document.tokens_T for example in examples(sft, 3)]
    layout = pack(documents) if packing else pad(documents, 0)
    noise = (sft._noised(model, layout) - model.get_input_embeddings()(layout.tokens_BT)).abs()
    for start, length in zip(layout.starts(), layout.lengths, strict=True):
        limit = 5.0 / math.sqrt(length * 32)
        assert 0.9 * limit < noise.flatten(0, 1)[start : start + length].max() <= limit * 1.001
    model.eval()
    with torch.no_grad():
        assert float(sft.loss(model, examples(sft), torch.device("cpu")).total) == pytest.approx(
            float(algorithm(packing=packing).loss(model, examples(sft), torch.device("cpu")).total)
        )
