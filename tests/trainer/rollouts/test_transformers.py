"""The transformers engine: what it draws, and with which probability, is what the model says."""

from __future__ import annotations

from typing import Any

import pytest
import rollout_engine_contract as contract
from assay_schemas.algorithms import Lora
from assay_trainer.attention import ATTENTION, register
from training_ground import build_model

pytestmark = pytest.mark.real
END = 257


@pytest.fixture(params=["as it comes", "packed"])
def model(request: pytest.FixtureRequest) -> Any:
    """With the attention that it has by itself, whose cache is copied, and with the trainer's, whose cache grows."""
    built = build_model().eval()
    if request.param == "packed":
        register()
        built.set_attn_implementation(ATTENTION)
    return built


@pytest.fixture
def engine(model: Any) -> Any:
    from assay_trainer.rollouts import open_engine
    from assay_trainer.rollouts.base import EngineSettings

    opened = open_engine("transformers", EngineSettings("", (END, *range(60, 90)), 258, 64))
    opened.update_weights(model)
    return opened


def test_samples_come_in_groups_and_end_where_they_end(model: Any) -> None:
    from assay_trainer.rollouts.base import EngineSettings
    from assay_trainer.rollouts.transformers import TransformersEngine

    engine = TransformersEngine(EngineSettings("", (END,), 258, 64))
    engine.update_weights(model)
    contract.check_shapes_and_ends(engine, END)


def test_the_same_seed_draws_the_same(engine: Any) -> None:
    contract.check_repeatable(engine)


def test_logprobs_are_those_of_a_plain_forward_pass(engine: Any, model: Any) -> None:
    contract.check_logprobs(engine, model)


def test_greedy_takes_the_likeliest_token(engine: Any, model: Any) -> None:
    contract.check_greedy_is_the_likeliest(engine, model)


def test_new_weights_are_followed_at_once(engine: Any, model: Any) -> None:
    contract.check_weights_are_followed(engine, model)


def test_it_samples_with_adapters_and_leaves_the_model_in_training(engine: Any, model: Any) -> None:
    from assay_trainer.lora import add_adapters

    add_adapters(model, Lora(rank=2))
    model.train()
    engine.update_weights(model)
    contract.check_logprobs(engine, model.eval())
    model.train()
    engine.generate([[1]], 1, contract.SAMPLED, 0)
    assert model.training


def test_a_bfloat16_run_samples_in_bfloat16_as_it_learns(model: Any) -> None:
    import torch
    from assay_trainer.rollouts.base import EngineSettings
    from assay_trainer.rollouts.transformers import TransformersEngine

    engine = TransformersEngine(EngineSettings("", (END,), 258, 64, dtype="bfloat16"))
    engine.update_weights(model)
    formats = set()
    model.model.layers[0].mlp.down_proj.register_forward_hook(lambda *given: formats.add(given[2].dtype))
    contract.check_shapes_and_ends(engine, END)
    contract.check_repeatable(engine)
    assert formats == {torch.bfloat16}


def test_a_cache_that_grows_in_place_holds_what_one_that_is_copied_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when its room is used up, and after rows have left."""
    import torch
    from assay_trainer.rollouts import growing
    from transformers import DynamicCache

    monkeypatch.setattr(growing, "ROOM", 2)
    torch.manual_seed(0)
    copied, grown = DynamicCache(), DynamicCache()
    first = torch.randn(4, 2, 3, 5)
    for cache in (copied, grown):
        cache.update(first, -first, 0)
    assert growing.make_room(grown)
    for number in range(5):
        token = torch.randn(4 if number < 3 else 2, 2, 1, 5)
        kept = [cache.update(token, -token, 0) for cache in (copied, grown)]
        assert all(one.equal(other) for one, other in zip(*kept, strict=True))
        if number == 2:
            for cache in (copied, grown):
                cache.batch_select_indices(torch.tensor([1, 3]))
    assert grown.get_seq_length() == 8


def test_the_nucleus_keeps_the_likeliest_tokens_and_their_own_probabilities() -> None:
    import torch
    from assay_trainer.rollouts.base import Sampling
    from assay_trainer.rollouts.transformers import draw, luck

    probabilities = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).expand(400, 4)
    chosen, logprobs = draw(probabilities.log(), Sampling(1.0, 0.7, 1), luck(0, 0, 400, 1)[:, 0])
    assert set(chosen.tolist()) == {0, 1}
    torch.testing.assert_close(logprobs.exp(), probabilities[0][chosen])
    assert 200 < int((chosen == 0).sum()) < 300


def test_tokens_come_as_often_as_they_are_likely_and_none_of_probability_zero() -> None:
    import torch
    from assay_trainer.rollouts.base import Sampling
    from assay_trainer.rollouts.transformers import draw, luck

    probabilities = torch.tensor([[0.0, 0.6, 0.0, 0.3, 0.1, 0.0]]).expand(4000, 6)
    chosen, _ = draw(probabilities.log(), Sampling(1.0, 1.0, 1), luck(1, 0, 4000, 1)[:, 0])
    shares = torch.bincount(chosen, minlength=6) / 4000
    torch.testing.assert_close(shares, probabilities[0], atol=0.03, rtol=0)
    assert not shares[[0, 2, 5]].any()


def test_a_row_s_luck_is_its_seed_s_and_its_place_s_alone() -> None:
    import torch
    from assay_trainer.rollouts.transformers import luck

    torch.testing.assert_close(luck(3, 4, 2, 5), luck(3, 0, 6, 5)[4:], rtol=0, atol=0)
    assert not torch.equal(luck(3, 0, 1, 5), luck(2**32 + 3, 0, 1, 5))
