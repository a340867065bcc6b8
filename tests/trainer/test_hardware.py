"""What hardware a run is given changes how it computes, never what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from assay_schemas.results import TrainingResult
from assay_trainer.errors import BadInput
from training_ground import Ground

pytestmark = pytest.mark.real
Train = Callable[..., TrainingResult]
SAMPLING = {
    "algorithm": "GRPO",
    "rollout_engine": "transformers",
    "reward": {"kind": "verifier", "name": "regex", "pattern": "[aeiou]"},
    "batch_size": 2,
    "group_size": 4,
    "max_completion_length": 4,
}


@pytest.mark.parametrize("changes", [{}, {"lora": {"rank": 4}}, SAMPLING], ids=["full", "adapters", "sampling"])
def test_activations_computed_again_change_no_bit(
    train_afresh: Train, ground: Ground, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    layers_with_gradients = count_layers(monkeypatch)
    rows = [{"prompt": f"{number} + 1 = ", "completion": str(number + 1)} for number in range(24)]
    request = ground.request(ground.dataset(rows), steps=2, checkpoint_every=2, **changes)
    digests, counts = [], []
    for again in (False, True):
        hardware = request.hardware.model_copy(update={"activation_checkpointing": again})
        before = layers_with_gradients[0]
        result = train_afresh(request.model_copy(update={"hardware": hardware}))
        digests.append(result.checkpoints[-1].checkpoint.digest)
        counts.append(layers_with_gradients[0] - before)
    assert digests[0] == digests[1]
    assert counts[1] == 2 * counts[0] > 0


def count_layers(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts the layers that are computed in training mode."""
    from transformers.models.llama.modeling_llama import LlamaMLP

    whole, count = LlamaMLP.forward, [0]

    def forward(self: Any, given: Any) -> Any:
        count[0] += self.training
        return whole(self, given)

    monkeypatch.setattr(LlamaMLP, "forward", forward)
    return count


def test_an_architecture_whose_activations_cannot_be_computed_again_is_refused(
    train: Train, ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import LlamaForCausalLM

    monkeypatch.setattr(LlamaForCausalLM, "supports_gradient_checkpointing", False)
    request = ground.request()
    hardware = request.hardware.model_copy(update={"activation_checkpointing": True})
    with pytest.raises(BadInput, match=r"hardware\.activation_checkpointing: LlamaForCausalLM"):
        train(request.model_copy(update={"hardware": hardware}))


@pytest.mark.parametrize(("seen", "own"), [(None, "1"), ("4,6", "6"), ("GPU-a,GPU-b", "GPU-b")])
def test_each_process_sees_its_own_device_alone(monkeypatch: pytest.MonkeyPatch, seen: str | None, own: str) -> None:
    import os

    from assay_trainer.parallel.world import only_device

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", seen or "")
    device = only_device(1)
    assert (device.type, device.index, os.environ["CUDA_VISIBLE_DEVICES"]) == ("cuda", 0, own)


def test_one_gpu_that_offloads_keeps_its_model_as_a_shard_and_sampling_does_not(ground: Ground) -> None:
    from assay_schemas.parallelism import SINGLE
    from assay_trainer.parallel.job import run_spread
    from assay_trainer.worker import in_shards

    request = ground.request(**SAMPLING)
    hardware = request.hardware.model_copy(update={"gpus": 1, "cpu_offload": True})
    request = request.model_copy(update={"hardware": hardware})
    assert in_shards(request, SINGLE)
    assert not in_shards(ground.request(), SINGLE)
    with pytest.raises(BadInput, match=r"hardware\.cpu_offload: GRPO samples"):
        run_spread(None, request, SINGLE)  # type: ignore[arg-type]
