"""What a training run will compute: its sequences by algorithm, as pieces of work, and its memory.

Pure; every algorithm's passes are one entry of a table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from assay_schemas.cost.engine import SHARE_BESIDE_TRAINING, engine_gib
from assay_schemas.cost.flops import forward_flops, generation_flops, training_flops
from assay_schemas.cost.machine import Machine, Piece
from assay_schemas.cost.memory import GIB, Memory, bytes_of, cache_bytes, held_parameters, training_memory
from assay_schemas.cost.shape import ModelShape
from assay_schemas.cost.tokens import TokenSample
from assay_schemas.jobs import TrainingInputs
from assay_schemas.parallelism import ONLINE_ALGORITHMS, Parallelism

TOKENS_IN_ONE_PASS = 4096  # the trainer's own budget of one forward pass
LEAST_VALIDATION_ROWS = 32
DEFAULT_CHECKPOINTS = 5


@dataclass(frozen=True)
class Run:
    """A run's numbers: optimizer steps, rows of each, and the sampled lengths after the policy for long rows."""

    shape: ModelShape
    hyperparameters: dict[str, Any]
    steps: int
    batch_size: int
    rows: int
    sequences_per_row: float
    lengths_tokens: Sequence[float]
    prompts_tokens: Sequence[float]

    @property
    def rank(self) -> int | None:
        lora = self.hyperparameters.get("lora")
        return int(lora["rank"]) if lora else None

    @property
    def rows_seen(self) -> int:
        return self.steps * self.batch_size

    def over(self, flops: Callable[[Sequence[float]], float], sequences: float) -> float:
        """FLOPs of `sequences` sequences, where `flops` gives those of the sampled ones."""
        return flops(self.lengths_tokens) / max(1, len(self.lengths_tokens)) * sequences

    @property
    def mean_tokens(self) -> float:
        return sum(self.lengths_tokens) / max(1, len(self.lengths_tokens))

    @property
    def mean_prompt(self) -> float:
        return sum(self.prompts_tokens) / max(1, len(self.prompts_tokens))


def run_of(inputs: TrainingInputs, shape: ModelShape, sample: TokenSample) -> Run:
    """The run that declared inputs ask for, on data as sampled."""
    values = inputs.hyperparameters
    limit, batch = int(values.get("max_length", 1024)), int(values.get("batch_size", 32))
    held_out = float(values.get("validation_share", 0.0))
    kept = [length for length in sample.lengths if length.tokens <= limit or values.get("overlong") != "drop"]
    share = len(kept) / len(sample.lengths) if sample.lengths else 1.0
    rows = max(1, round(sample.rows * share * (1 - held_out)))
    epochs = float(values.get("epochs") or 1.0)
    return Run(
        shape=shape,
        hyperparameters=values,
        steps=int(values.get("steps") or max(1, math.ceil(rows * epochs / batch))),
        batch_size=batch,
        rows=rows,
        sequences_per_row=sample.sequences_per_row,
        lengths_tokens=[float(min(length.tokens, limit)) for length in kept] or [float(limit)],
        prompts_tokens=[float(min(length.prompt_tokens, limit)) for length in kept] or [float(limit)],
    )


def training_pieces(algorithm: str, run: Run) -> list[Piece]:
    """All a run computes, its validation included."""
    return [*_PASSES[algorithm](run), _validation(run)]


def trained_tokens(algorithm: str, run: Run) -> float:
    """Tokens that go through a forward pass with gradients, each time counted."""
    if algorithm in ONLINE_ALGORITHMS:
        prompt, new, samples = _rollouts(run)
        return samples * (prompt + new) * _epochs(run)
    return run.rows_seen * run.sequences_per_row * run.mean_tokens


def _supervised(run: Run) -> list[Piece]:
    return [_learning(run, run.rows_seen * run.sequences_per_row, run.steps)]


def _preference_with_reference(run: Run) -> list[Piece]:
    """DPO: both sides with gradients, and the reference's log-probabilities once for every row that is used."""
    reference = run.over(lambda lengths: forward_flops(run.shape, lengths), _distinct(run) * run.sequences_per_row)
    return [*_supervised(run), Piece("forward", reference)]


def _policy_gradient(run: Run) -> list[Piece]:
    """PPO and GRPO: sample, read the samples with the policy and the reference, learn from them."""
    prompt, new, samples = _rollouts(run)
    lengths = [prompt + new]
    reads = 2.0 if float(run.hyperparameters.get("kl_coefficient", 0.0)) > 0 else 1.0
    epochs = _epochs(run)
    rounds = run.steps * new
    learning = training_flops(run.shape, lengths, lora_rank=run.rank) * samples * epochs
    return [
        Piece("decode", generation_flops(run.shape, prompt, new) * samples, _decode_bytes(run), rounds),
        Piece("forward", forward_flops(run.shape, lengths) * samples * reads, steps=run.steps),
        Piece(_learning_work(run), learning, steps=run.steps * epochs),
    ]


def _learning(run: Run, sequences: float, steps: float) -> Piece:
    flops = run.over(lambda lengths: training_flops(run.shape, lengths, lora_rank=run.rank), sequences)
    return Piece(_learning_work(run), flops, steps=steps)


def _learning_work(run: Run) -> Any:
    return "training" if run.rank is None else "training_lora"


def _rollouts(run: Run) -> tuple[float, float, float]:
    """Tokens of a prompt, new tokens of a sample (as many as are allowed), and samples of the whole run."""
    samples = run.rows_seen * int(run.hyperparameters.get("group_size", 1))
    return run.mean_prompt, float(run.hyperparameters.get("max_completion_length", 256)), float(samples)


def _epochs(run: Run) -> int:
    return int(run.hyperparameters.get("minibatch_epochs", 1))


def _decode_bytes(run: Run) -> float:
    """Every new token of a batch reads all weights once, and every sequence its cache."""
    prompt, new, samples = _rollouts(run)
    size = bytes_of(run.hyperparameters.get("dtype", "float32"))
    weights = run.shape.parameters * size * new * run.steps
    cache = cache_bytes(run.shape, samples, prompt + new / 2, run.hyperparameters.get("dtype", "float32")) * new
    return float(weights + cache)


def _distinct(run: Run) -> int:
    return min(run.rows, run.rows_seen)


def _validation(run: Run) -> Piece:
    """A forward pass over the held-out rows at every checkpoint."""
    share = float(run.hyperparameters.get("validation_share", 0.0))
    there = run.rows / (1 - share) * share
    rows = min(there, max(LEAST_VALIDATION_ROWS, run.rows_seen // 16))
    every = run.hyperparameters.get("checkpoint_every") or max(1, run.steps // DEFAULT_CHECKPOINTS)
    checkpoints = math.ceil(run.steps / int(every))
    flops = run.over(lambda lengths: forward_flops(run.shape, lengths), rows * run.sequences_per_row * checkpoints)
    return Piece("forward", flops)


_PASSES: dict[str, Callable[[Run], list[Piece]]] = {
    "SFT": _supervised,
    "REWARD": _supervised,
    "DPO": _preference_with_reference,
    "PPO": _policy_gradient,
    "GRPO": _policy_gradient,
}


def memory_of_run(
    algorithm: str,
    run: Run,
    machine: Machine,
    layout: Parallelism,
    *,
    checkpointed: bool = False,
    offloaded: bool = False,
    samples_elsewhere: bool = False,
) -> Memory:
    """Memory of one process of the run: of its largest forward pass, and of what it samples with, unless that is in
    processes of its own.

    Where the algorithm samples, `tensor`, `pipeline` and `expert` spread the weights; the others the optimizer's state
    alone."""
    online = algorithm in ONLINE_ALGORITHMS
    dtype = run.hyperparameters.get("dtype", "float32")
    tokens, targets = _largest_pass(run, online)
    memory = training_memory(
        run.shape,
        tokens_per_pass=tokens,
        targets_per_pass=0.0 if algorithm == "REWARD" else targets,
        dtype=dtype,
        lora_rank=run.rank,
        layout=layout,
        checkpointed=checkpointed,
        offloaded=offloaded,
        sharded=not online,
        process_gib=machine.process_gib,
    )
    if not online:
        return memory
    reference = 0.0 if run.rank is not None else held_parameters(run.shape, layout, sharded=False) * 4
    sampling = {} if samples_elsewhere else _sampling(run, machine, layout)
    return memory.model_copy(update={"other_models_gib": reference / GIB, **sampling})


def _sampling(run: Run, machine: Machine, layout: Parallelism) -> dict[str, float]:
    """What sampling holds beside the model in training: its cache, or an engine with a copy and a cache of its own."""
    dtype = run.hyperparameters.get("dtype", "float32")
    if run.hyperparameters.get("rollout_engine") == "vllm":
        return {"engine_gib": engine_gib(run.shape, dtype, machine, SHARE_BESIDE_TRAINING)}
    prompt, new, samples = _rollouts(run)
    here = samples / run.steps / (layout.data * layout.expert)
    cache = cache_bytes(run.shape, here, prompt + new, dtype) / layout.tensor / layout.pipeline
    return {"cache_gib": cache / GIB}


def _largest_pass(run: Run, online: bool) -> tuple[float, float]:
    """Tokens, and targets, of the largest forward pass: of `micro_batch_size` rows or the token budget."""
    prompt, new, samples = _rollouts(run)
    longest = prompt + new if online else max(run.lengths_tokens)
    sequences = samples / run.steps if online else run.batch_size * run.sequences_per_row
    mean = prompt + new if online else run.mean_tokens
    rows = run.hyperparameters.get("micro_batch_size")
    if rows:
        tokens = int(rows) * (1.0 if online else run.sequences_per_row) * longest
    else:
        tokens = max(longest, min(float(TOKENS_IN_ONE_PASS), sequences * mean))
    learned = new / (prompt + new) if online else _learned_share(run)
    return tokens, tokens * learned


def _learned_share(run: Run) -> float:
    if run.hyperparameters.get("loss_on") == "all":
        return 1.0
    whole = sum(run.lengths_tokens)
    return max(0.0, 1.0 - sum(run.prompts_tokens) / whole) if whole else 1.0
