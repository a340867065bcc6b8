"""Runs a tiny model over several processes in many ways and writes what came out as JSON, for the tests beside it.

A process of its own, so that it can fork: `python spread_checks.py RESULT.json SCRATCH`. No test itself.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
import torch.distributed as dist
from assay_chassis.object_store import StoreSettings, SyncObjectStore
from assay_schemas.algorithms import Lora, SftHyperparameters
from assay_schemas.experiments import Hardware
from assay_schemas.parallelism import Parallelism
from assay_trainer.algorithms.sft import Sft
from assay_trainer.attention import ATTENTION, register
from assay_trainer.checkpoints.writer import CheckpointWriter
from assay_trainer.data.rows import Row
from assay_trainer.lora import add_adapters
from assay_trainer.model import recompute_activations
from assay_trainer.parallel.build import build_stepper
from assay_trainer.parallel.launch import launch
from assay_trainer.parallel.rank import train_rank
from assay_trainer.parallel.world import COLLECTIVE_TIMEOUT, leave, world_of
from assay_trainer.stepper import Stepper
from assay_trainer.training_job import TrainingJob
from kills import PATIENCE_S, Doomed, Kill
from safetensors.torch import load_file
from training_ground import Ground, Watched, build_model, build_tokenizer, preferences, sums

CPU = torch.device("cpu")
ROWS_A_STEP, STEPS = 12, 3
SHARE_OF_ONE_ROW = 0.05
"""So that a process has no row of its own to validate with."""
LAYOUTS: dict[str, tuple[str, dict[str, int], dict[str, Any]]] = {
    "data": ("llama", {"data": 2}, {}),
    "tensor": ("llama", {"tensor": 2}, {}),
    "context": ("llama", {"context": 2}, {}),
    "pipeline": ("llama", {"pipeline": 2}, {}),
    "expert": ("mixtral", {"expert": 2}, {}),
    "data with adapters": ("adapted", {"data": 2}, {}),
    "data with activations computed again": ("llama", {"data": 2}, {"activation_checkpointing": True}),
    "one process offloaded": ("llama", {}, {"cpu_offload": True}),
    "data offloaded": ("llama", {"data": 2}, {"cpu_offload": True}),
    "data and tensor": ("llama", {"data": 2, "tensor": 2}, {}),
    "data and context": ("llama", {"data": 2, "context": 2}, {}),
    "data and pipeline": ("llama", {"data": 2, "pipeline": 2}, {}),
    "tensor and pipeline": ("llama", {"tensor": 2, "pipeline": 2}, {}),
    "data and expert": ("mixtral", {"data": 2, "expert": 2}, {}),
    "context and expert": ("mixtral", {"context": 2, "expert": 2}, {}),
    "data in bfloat16": ("bfloat16", {"data": 2}, {}),
    "tensor in bfloat16": ("bfloat16", {"tensor": 2}, {}),
    "context in bfloat16": ("bfloat16", {"context": 2}, {}),
    "pipeline in bfloat16": ("bfloat16", {"pipeline": 2}, {}),
}
QUESTIONS = [{"prompt": f"{number} + 1 = ", "answer": str(number + 1)} for number in range(24)]
SAMPLING = {
    "rollout_engine": "transformers",
    "reward": {"kind": "verifier", "name": "regex", "pattern": "[aeiou]"},
    "max_completion_length": 6,
    "kl_coefficient": 0.05,
    "steps": 4,
}
ONLINE: dict[str, dict[str, Any]] = {
    "grpo": {**SAMPLING, "algorithm": "GRPO", "batch_size": 5, "group_size": 3, "dynamic_sampling": True},
    "ppo": {**SAMPLING, "algorithm": "PPO", "batch_size": 9, "minibatches": 2, "minibatch_epochs": 2},
    "grpo-adapters": {**SAMPLING, "algorithm": "GRPO", "batch_size": 4, "group_size": 2, "lora": {"rank": 4}},
}

SPLIT: dict[str, dict[str, int]] = {"grpo": {"tensor": 2}, "ppo": {"data": 2, "tensor": 2}}
TOGETHER: dict[str, dict[str, int]] = {
    "grpo": {"context": 2},
    "ppo": {"data": 2, "context": 2},
    "grpo-adapters": {"context": 2},
}


def mixtral() -> Any:
    from transformers import MixtralConfig, MixtralForCausalLM

    torch.manual_seed(0)
    return MixtralForCausalLM(
        MixtralConfig(
            vocab_size=259,
            hidden_size=32,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            num_local_experts=4,
            num_experts_per_tok=2,
            max_position_embeddings=512,
            tie_word_embeddings=False,
        )
    )


def model_of(kind: str) -> Any:
    model = mixtral() if kind == "mixtral" else build_model()
    register()
    model.set_attn_implementation(ATTENTION)
    if kind == "adapted":
        add_adapters(model, Lora(rank=4))
    return model


class EverybodyKilled(Exception):
    """A job's own process was killed, and all of the job's processes with it."""

    error_class = "killed"


class Runs:
    """The same few steps, in one process or in many."""

    def __init__(self) -> None:
        tokenizer = build_tokenizer()
        encoder = Sft(self.hyperparameters("llama"), tokenizer)
        rows = sums(ROWS_A_STEP * STEPS)
        self.examples = encoder.encode([Row(str(number), number, row) for number, row in enumerate(rows)])
        self.tokenizer = tokenizer

    def hyperparameters(self, kind: str) -> SftHyperparameters:
        lora = Lora(rank=4) if kind == "adapted" else None
        return SftHyperparameters(
            steps=STEPS,
            learning_rate=1e-3,
            max_length=64,
            weight_decay=0.1,
            lora=lora,
            dtype="bfloat16" if kind == "bfloat16" else "float32",
        )

    def numbers(self, stepper: Stepper) -> list[float]:
        found = []
        for number in range(STEPS):
            batch = self.examples[number * ROWS_A_STEP : (number + 1) * ROWS_A_STEP]
            outcome = stepper.step(number, STEPS, batch)
            found += [outcome.loss, outcome.grad_norm]
        validation = stepper.validate(self.examples)
        assert validation is not None
        return [*found, validation.loss]

    def alone(self, kind: str) -> list[float]:
        values = self.hyperparameters(kind)
        return self.numbers(Stepper(model_of(kind), Sft(values, self.tokenizer), values, 0))

    def spread(self, name: str, rank: int) -> list[float]:
        kind, degrees, options = LAYOUTS[name]
        values = self.hyperparameters(kind)
        world = world_of(rank, Parallelism(**degrees), CPU)
        algorithm, hardware, model = Sft(values, self.tokenizer), Hardware(**options), model_of(kind)
        if hardware.activation_checkpointing:
            recompute_activations(model)
        return self.numbers(build_stepper(model, algorithm, values, 0, world, hardware))


def in_processes(count: int, folder: Path, work: Callable[[int], None]) -> None:
    """`work(rank)` in `count` processes that have met."""
    folder.mkdir(parents=True)

    def be(rank: int) -> None:
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"
        meeting = (folder / "rendezvous").as_uri()
        dist.init_process_group("gloo", meeting, COLLECTIVE_TIMEOUT, world_size=count, rank=rank)
        work(rank)
        leave()

    launch(count, folder, be)


def equalities(scratch: Path) -> dict[str, Any]:
    runs = Runs()
    alone = {kind: runs.alone(kind) for kind in ("llama", "mixtral", "adapted", "bfloat16")}
    found: dict[str, Any] = {}
    for count in (1, 2, 4):
        names = [name for name, (_, degrees, _) in LAYOUTS.items() if Parallelism(**degrees).processes == count]
        folder = scratch / f"equal-{count}"

        def work(rank: int, names: list[str] = names, folder: Path = folder) -> None:
            for position, name in enumerate(names):
                numbers = runs.spread(name, rank)
                if rank == 0:
                    (folder / f"numbers-{position}.json").write_text(json.dumps(numbers))

        in_processes(count, folder, work)
        for position, name in enumerate(names):
            spread = json.loads((folder / f"numbers-{position}.json").read_text())
            found[name] = {"alone": alone[LAYOUTS[name][0]], "spread": spread}
    return found


def lost_rank(scratch: Path) -> dict[str, Any]:
    """A process is killed while the other waits for it in a collective."""

    def work(rank: int) -> None:
        if rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        dist.all_reduce(torch.zeros(1))

    began = time.monotonic()
    try:
        in_processes(2, scratch / "lost", work)
    except Exception as error:
        class_, words = getattr(error, "error_class", type(error).__name__), str(error)
        return {"class": class_, "message": words, "seconds": time.monotonic() - began}
    return {}


def jobs(scratch: Path) -> dict[str, Any]:
    """Whole jobs: in one process, in four, and in four that are stopped half way and go on in two."""
    base = scratch / "model"
    build_model().save_pretrained(base)
    build_tokenizer().save_pretrained(base)
    found: dict[str, Any] = {}
    four = {"data": 2, "tensor": 2}
    found["alone"] = run_job(scratch / "alone", base, [({}, None)])
    found["spread"] = run_job(scratch / "spread", base, [(four, None)])
    found["resumed"] = run_job(scratch / "resumed", base, [(four, 2), ({"data": 2}, None)])
    found["offloaded"] = run_job(scratch / "offloaded", base, [(four, 2), ({"data": 2}, None)], offload=True)
    for name, changes in ONLINE.items():
        found[f"{name} alone"] = run_job(scratch / f"{name}-alone", base, [({}, None)], **changes)
        found[f"{name} spread"] = run_job(scratch / f"{name}-spread", base, [({"data": 2}, None)], **changes)
    for name, degrees in SPLIT.items():
        found[f"{name} split"] = run_job(scratch / f"{name}-split", base, [(degrees, None)], **ONLINE[name])
    for name, degrees in TOGETHER.items():
        found[f"{name} together"] = run_job(scratch / f"{name}-together", base, [(degrees, None)], **ONLINE[name])
    halves = [(SPLIT["ppo"], 2), ({"data": 2}, None)]
    found["ppo resumed"] = run_job(scratch / "ppo-resumed", base, halves, **ONLINE["ppo"])
    found["grpo resumed"] = run_job(scratch / "grpo-resumed", base, [({"data": 2}, 2), ({}, None)], **ONLINE["grpo"])
    found["reward alone"] = run_job(scratch / "reward-alone", base, [({}, None)], "REWARD")
    found["reward spread"] = run_job(scratch / "reward-spread", base, [(four, None)], "REWARD")
    staged = [({"tensor": 2, "pipeline": 2}, 2), ({"pipeline": 2}, None)]
    found["reward by pipeline"] = run_job(scratch / "reward-by-pipeline", base, staged, "REWARD")
    staged = [({"data": 2, "pipeline": 2}, 2), ({"pipeline": 2}, None)]
    for name, attempts in {"alone": [({}, None)], "spread": [({"data": 2}, None)], "by pipeline": staged}.items():
        room = scratch / f"dpo-{name.replace(' ', '-')}"
        found[f"dpo {name}"] = run_job(room, base, attempts, "DPO", validation_share=SHARE_OF_ONE_ROW)
    return found


def run_job(
    root: Path,
    base: Path,
    attempts: list[tuple[dict[str, int], int | Kill | None]],
    algorithm: str = "SFT",
    offload: bool = False,
    **changes: Any,
) -> Any:
    """A job in attempts, each with its degrees and the step to stop after, or how it is killed; its result, and how an
    attempt ended."""
    os.environ["ASSAY_OBJECT_STORE"] = root.as_uri()
    ground = Ground(root, base)
    rows = {"DPO": preferences(40), "REWARD": preferences(40), "GRPO": QUESTIONS, "PPO": QUESTIONS}.get(algorithm)
    data = ground.dataset(rows) if rows else None
    options = {"steps": 6, "checkpoint_every": 2, "validation_share": 0.2, **changes}
    outcome: dict[str, Any] = {}
    for attempt, (degrees, stop) in enumerate(attempts, start=1):
        layout = Parallelism(**degrees)
        request = ground.request(data, algorithm=algorithm, attempt=attempt, **options)
        request = request.model_copy(update={"hardware": Hardware(cpus=1, parallelism=layout, cpu_offload=offload)})
        work = partial(_be, request, layout, root / f"scratch-{attempt}", stop, root / "result.json")
        try:
            _launched(layout.processes, root / f"scratch-{attempt}", work, stop)
        except Exception as error:
            outcome["stopped"] = {"class": getattr(error, "error_class", ""), "message": str(error)}
    if not (root / "result.json").exists():
        raise RuntimeError(f"{root.name}: {outcome}")
    result = json.loads((root / "result.json").read_text())
    return {**outcome, "result": result, "files": _files(root), "steps": _steps(result), "state": _state(root)}


def _launched(count: int, folder: Path, work: Callable[[int], None], stop: int | Kill | None) -> None:
    """As `launch`; where everybody is killed, from a process of its own, and until all are gone."""
    if not isinstance(stop, Kill) or not stop.everybody:
        launch(count, folder, work)
        return
    living, held = os.pipe()
    child = os.fork()
    if child == 0:
        launch(count, folder, work)
        os._exit(1)
    os.close(held)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    gone, _, _ = select.select([living], [], [], PATIENCE_S)
    os.close(living)
    if not gone:
        raise RuntimeError("processes of a killed job live on")
    raise EverybodyKilled


def _state(root: Path) -> dict[str, int]:
    """How many numbers of the optimizer's state each process wrote at the last step, by its file's name."""
    newest = max(root.rglob("optimizer*.safetensors"), key=lambda path: (path.parts[:-1], path.name)).parent
    return {
        path.name: sum(tensor.numel() for tensor in load_file(path).values() if tensor.ndim)
        for path in newest.glob("optimizer*.safetensors")
    }


def _steps(result: dict[str, Any]) -> list[dict[str, Any]]:
    lines = Path(result["metrics"]["uri"].removeprefix("file://")).read_text().splitlines()
    return [json.loads(line) for line in lines]


def _be(request: Any, layout: Parallelism, scratch: Path, stop: int | Kill | None, target: Path, rank: int) -> None:
    """One process of a job; with one process, the job as it is without any of this. Who is to stop uploads late."""
    if isinstance(stop, Kill):
        doomed = Doomed(stop, rank, target.parent / "checkpoints")
        train_rank(rank, request, layout, scratch, doomed)
        return
    if stop is not None:
        upload_slowly()
    if layout.processes == 1:
        with SyncObjectStore(StoreSettings()) as store:
            result = TrainingJob(request, store, scratch, Watched(stop)).run()
    else:
        result = train_rank(rank, request, layout, scratch, Watched(stop))
    if result is not None:
        target.write_text(result.model_dump_json())


def upload_slowly() -> None:
    """So that a lead that is not waited for would lose its last checkpoint."""
    upload = CheckpointWriter._upload

    def late(*given: Any) -> Any:
        time.sleep(0.5)
        return upload(*given)

    CheckpointWriter._upload = late  # type: ignore[method-assign]


def _files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in (root / "checkpoints").rglob("*") if path.is_file())


if __name__ == "__main__":
    torch.set_num_threads(1)
    target, room = Path(sys.argv[1]), Path(sys.argv[2])
    room.mkdir(parents=True, exist_ok=True)
    parts = {"equalities": equalities, "lost_rank": lost_rank, "jobs": jobs}
    results: dict[str, Any] = {}
    for part, check in parts.items():
        try:
            results[part] = check(room)
        except Exception as error:
            results[part] = {"error": f"{type(error).__name__}: {error}"}
    target.write_text(json.dumps(results))
