"""Trains a model with weights that get no gradient, spread in many ways, and writes what became of them as JSON.

A process of its own, so that it can fork: `python unused_checks.py RESULT.json SCRATCH`. No test itself.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from assay_schemas.algorithms import SftHyperparameters
from assay_schemas.experiments import Hardware
from assay_schemas.parallelism import Parallelism
from assay_trainer.algorithms.sft import Sft
from assay_trainer.data.rows import Row
from assay_trainer.model import recompute_activations
from assay_trainer.parallel.build import build_stepper
from assay_trainer.parallel.checkpoints import gathered
from assay_trainer.parallel.own_rows import OwnRows
from assay_trainer.parallel.peers import WorldPeers
from assay_trainer.parallel.world import world_of
from assay_trainer.stepper import Stepper
from safetensors.torch import load_file, save_file
from spread_checks import CPU, LAYOUTS, ONLINE, in_processes, model_of, run_job
from torch import Tensor, nn
from training_ground import build_tokenizer, save_seeing, sums

LIKE_SPREAD = (
    "data",
    "tensor",
    "context",
    "pipeline",
    "expert",
    "one process offloaded",
    "data offloaded",
    "data with activations computed again",
    "data and tensor",
    "data and pipeline",
    "data and expert",
)
MARK = "~"
LOUD = 5.0
STEPS, ROWS_A_STEP = 4, 8
MARKED_ROWS = (11, 17, 22)
"""One in the second step, so on one process in one pass; two in the third; none in the first and the last."""
JOBS: dict[str, dict[str, Any]] = {
    "SFT": {"algorithm": "SFT"},
    "GRPO": {**ONLINE["grpo"], "steps": 2},
    "PPO": {**ONLINE["ppo"], "steps": 2},
}


def with_rare_weights(kind: str) -> Any:
    """A model with a weight that no pass uses, and one for tokens of MARK alone; in a layer, and beside all layers."""
    model = model_of(kind)
    torch.manual_seed(1)
    layer = model.model.layers[0]
    layer.never, layer.rare = (nn.Linear(32, 32, bias=False) for _ in range(2))
    model.unseen = nn.Linear(32, 32, bias=False)
    mark = build_tokenizer().convert_tokens_to_ids(MARK)
    with torch.no_grad():
        model.get_input_embeddings().weight[mark, 0] = LOUD
    layer.register_forward_pre_hook(_pass_rarely)
    return model


def _pass_rarely(layer: Any, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """A token of MARK goes through `rare` as well; with none of them the weight has no part in the pass."""
    hidden_BTD = arguments[0]
    marked_BT = hidden_BTD[..., 0] > LOUD / 2
    if not marked_BT.any():
        return arguments
    changed = hidden_BTD.index_put((marked_BT,), hidden_BTD[marked_BT] + layer.rare(hidden_BTD[marked_BT]))
    return (changed, *arguments[1:])


def weights_alone(kind: str, rows: int | None) -> dict[str, Tensor]:
    stepper = Stepper(with_rare_weights(kind), *_learning(rows), 0)
    _train(stepper)
    return {name: tensor.detach() for name, tensor in stepper.model.named_parameters()}


def _learning(rows: int | None) -> tuple[Sft, SftHyperparameters]:
    values = SftHyperparameters(
        steps=STEPS, learning_rate=1e-3, max_length=64, weight_decay=0.5, micro_batch_size=rows, schedule="constant"
    )
    return Sft(values, build_tokenizer()), values


def _train(stepper: Stepper) -> None:
    rows = sums(ROWS_A_STEP * STEPS)
    for number in MARKED_ROWS:
        rows[number] = {**rows[number], "completion": rows[number]["completion"] + MARK + "."}
    examples = stepper.algorithm.encode([Row(str(number), number, row) for number, row in enumerate(rows)])
    for step in range(STEPS):
        outcome = stepper.step(step, STEPS, examples[step * ROWS_A_STEP : (step + 1) * ROWS_A_STEP])
        assert outcome.finite


def weights_spread(name: str, rank: int, rows: int | None, folder: Path) -> None:
    """The whole weights in `folder`, written by the first process."""
    kind, degrees, options = LAYOUTS[name]
    algorithm, values = _learning(rows)
    model, hardware = with_rare_weights(kind), Hardware(**options)
    if hardware.activation_checkpointing:
        recompute_activations(model)
    world = world_of(rank, Parallelism(**degrees), CPU)
    stepper = build_stepper(model, algorithm, values, 0, world, hardware)
    _train(stepper)
    folder.mkdir(exist_ok=True)
    whole = gathered(stepper.model, world, folder)
    if rank == 0:
        save_file(whole, folder / "weights.safetensors")


def found(name: str, rows: int | None, scratch: Path) -> dict[str, Any]:
    """By how much each weight is off, relative to its norm; and how far the rarely used ones went, in one process."""
    kind, degrees, _ = LAYOUTS[name]
    alone, untrained = weights_alone(kind, rows), dict(with_rare_weights(kind).named_parameters())
    room = scratch / f"{name}-{rows}".replace(" ", "-")
    in_processes(
        Parallelism(**degrees).processes, room, lambda rank: weights_spread(name, rank, rows, room / "weights")
    )
    spread = load_file(room / "weights" / "weights.safetensors")
    off = {each: float((spread[each] - one).norm() / one.norm()) for each, one in alone.items() if each in spread}
    moved = {each: float((one - untrained[each]).detach().norm() / one.norm()) for each, one in alone.items()}
    return {"off": off, "moved": moved, "missing": sorted(alone.keys() ^ spread.keys())}


def jobs(scratch: Path) -> dict[str, Any]:
    """Whole jobs of a model that sees, by data: how far what looks went, and whether what reads went anywhere."""
    base, results = scratch / "seeing", dict[str, Any]()
    save_seeing(base)
    before = load_file(base / "model.safetensors")
    for name, changes in JOBS.items():
        job = run_job(scratch / name, base, [({"data": 2}, None)], weight_decay=0.5, **changes)
        folder = Path(job["result"]["checkpoints"][-1]["checkpoint"]["uri"].removeprefix("file://"))
        after = load_file(folder / "model.safetensors")
        results[name] = {each: float((after[each] - one).norm()) for each, one in before.items()}
    return results


def added_up(scratch: Path) -> Any:
    """What becomes of gradients where two processes sample: of a weight that both have, one has, and none has."""

    def work(rank: int) -> None:
        world, model = world_of(rank, Parallelism(data=2), CPU), nn.ModuleList(nn.Linear(2, 2) for _ in range(3))
        both, one, none = (layer.weight for layer in model)
        both.grad = torch.full_like(both, 1.0 + rank)
        one.grad = torch.full_like(one, 5.0) if rank == 1 else None
        WorldPeers(world, OwnRows(model, world)).add_up_gradients([both, one, none])
        gradients = [None if each.grad is None else each.grad.tolist() for each in (both, one, none)]
        (scratch / f"gradients-{rank}.json").write_text(json.dumps(gradients))

    in_processes(2, scratch / "gradients", work)
    return [json.loads((scratch / f"gradients-{rank}.json").read_text()) for rank in range(2)]


def attempted(name: str, rows: int | None, scratch: Path) -> dict[str, Any]:
    try:
        return found(name, rows, scratch)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    torch.set_num_threads(1)
    target, room = Path(sys.argv[1]), Path(sys.argv[2])
    room.mkdir(parents=True, exist_ok=True)
    results = {
        "layouts": {name: [attempted(name, rows, room) for rows in (None, 2)] for name in LIKE_SPREAD},
        "jobs": jobs(room),
        "gradients": added_up(room),
    }
    target.write_text(json.dumps(results))
