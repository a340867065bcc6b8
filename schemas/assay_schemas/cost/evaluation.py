"""What an eval will compute: prompts read, continuations scored or generated, as pieces of work; and its memory.

Pure; a harness's own items are not at hand before it runs, so their number and length are assumed.
"""

from __future__ import annotations

from assay_schemas.benchmarks import definition_of
from assay_schemas.cost.engine import SHARE_ALONE, engine_gib
from assay_schemas.cost.flops import forward_flops, generation_flops
from assay_schemas.cost.machine import Machine, Piece
from assay_schemas.cost.memory import Memory, bytes_of, cache_bytes, generation_memory
from assay_schemas.cost.shape import ModelShape
from assay_schemas.cost.tokens import Length, TokenSample
from assay_schemas.jobs import EvalInputs

ASSUMED_ITEMS = TokenSample(
    rows=1000, sampled_rows=1, lengths=(Length(prompt_tokens=120, tokens=150),), source="bytes_per_token"
)
ASSUMED = "items of harness tasks are not at hand: 1,000 of 150 tokens each are assumed"
ASSUMED_NEW_TOKENS = 256


def evaluation_pieces(inputs: EvalInputs, shape: ModelShape, items: TokenSample | None) -> list[Piece]:
    """One piece: reading for likelihood benchmarks, reading and decoding for generated answers."""
    sequences, prompt, whole, new = _numbers(inputs, items)
    if not new:
        batches = sequences / _batch(inputs)
        return [Piece("forward", forward_flops(shape, [whole]) * sequences, steps=batches)]
    rounds = new * max(1.0, sequences / _batch(inputs))
    moved = shape.parameters * bytes_of(inputs.dtype) * rounds
    moved += cache_bytes(shape, sequences, prompt + new / 2, inputs.dtype) * new
    return [Piece("decode", generation_flops(shape, prompt, new) * sequences, moved, rounds)]


def evaluation_tokens(inputs: EvalInputs, items: TokenSample | None) -> float:
    """Tokens read and generated."""
    sequences, prompt, whole, new = _numbers(inputs, items)
    return sequences * (prompt + new if new else whole)


def evaluation_memory(inputs: EvalInputs, shape: ModelShape, items: TokenSample | None, machine: Machine) -> Memory:
    if inputs.engine == "vllm":
        engine = engine_gib(shape, inputs.dtype, machine, SHARE_ALONE)
        return Memory(engine_gib=engine, process_gib=machine.process_gib)
    sequences, prompt, whole, new = _numbers(inputs, items)
    return generation_memory(
        shape,
        sequences=min(sequences, _batch(inputs)),
        tokens=prompt + new if new else whole,
        dtype=inputs.dtype,
        process_gib=machine.process_gib,
    )


def _numbers(inputs: EvalInputs, items: TokenSample | None) -> tuple[float, float, float, float]:
    """Sequences, tokens of a prompt with its examples, tokens of prompt and continuation, and new tokens."""
    sample = items if items is not None and items.lengths else ASSUMED_ITEMS
    rows = min(sample.rows, inputs.limit) if inputs.limit else sample.rows
    shots = int(inputs.parameters.get("num_fewshot") or 0)
    own = sum(length.prompt_tokens for length in sample.lengths) / len(sample.lengths)
    whole = sample.mean_tokens()
    prompt = own + shots * whole
    definition = definition_of(inputs.benchmark, inputs.harness_version)
    reads_only = definition is not None and definition.scored_on == "likelihood"
    new = 0.0 if reads_only else float(inputs.parameters.get("max_tokens") or ASSUMED_NEW_TOKENS)
    samples = float(inputs.parameters.get("samples") or 1)
    sequences = rows * (sample.sequences_per_row if reads_only else samples)
    return sequences, prompt, whole + shots * whole, new


def _batch(inputs: EvalInputs) -> int:
    return int(inputs.parameters.get("batch_size") or 64)
