"""What each process of `training_gpu` does: a few steps of one trainer, or a few rounds of one rollout engine.

Models are of a real shape with random weights, made on the device; never writes a result.
"""

from __future__ import annotations

import contextlib
import functools
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from benchmarks.online_sides import MODEL

SHAPES: dict[str, dict[str, Any]] = {
    "tiny": {
        "vocab_size": 512,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    },
    "1b": {
        "vocab_size": 128256,
        "hidden_size": 2048,
        "intermediate_size": 8192,
        "num_hidden_layers": 16,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
    },
    "8b": {
        "vocab_size": 128256,
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
    },
}
"""Llama's, as `LlamaConfig` names them."""
LORA_RANK = 16
LEARNING_RATE = 1e-5
Figures = dict[str, float]


@dataclass(frozen=True)
class Load:
    """What every side is given: rows a step and in one forward pass, the longest row in tokens, steps after the first,
    and for rollouts prompts, samples of each, and tokens of prompt and completion."""

    rows: int
    rows_at_once: int
    longest: int
    steps: int
    prompts: int
    samples_each: int
    prompt: int
    completion: int


LOADS = {
    "tiny": Load(8, 4, 64, 2, 2, 4, 16, 8),
    "1b": Load(32, 8, 2048, 5, 16, 8, 256, 128),
    "8b": Load(16, 4, 2048, 3, 8, 8, 256, 64),
}


def device_here() -> Any:
    """As a job has it: the first GPU, whose kernels repeat their numbers, or the processor."""
    import torch
    from assay_trainer.model import choose_device, repeat_exactly

    device = choose_device(int(torch.cuda.is_available()))
    repeat_exactly(device)
    return device


def dtype_here() -> Literal["float32", "bfloat16"]:
    return "bfloat16" if device_here().type == "cuda" else "float32"


def built(shape: str, device: Any = None) -> Any:
    """A Llama of that shape in float32, its weights random from one seed."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(**SHAPES[shape], max_position_embeddings=4096, tie_word_embeddings=False)
    with device or device_here():
        return LlamaForCausalLM(config)


def rows_of(shape: str, load: Load) -> list[list[int]]:
    """Token rows for all steps, of lengths as real rows have them: many short ones, a few cut at the longest."""
    draw = random.Random(0)
    vocabulary = SHAPES[shape]["vocab_size"]
    lengths = [
        min(load.longest, max(8, int(draw.lognormvariate(0.0, 0.7) * load.longest / 3)))
        for _ in range(load.rows * (load.steps + 1))
    ]
    return [[draw.randrange(vocabulary) for _ in range(length)] for length in lengths]


def spent(device: Any) -> float:
    """Seconds, when all that was asked of the device is done."""
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def figures_of(shape: str, lengths: Sequence[int], seconds: float, adapters: bool) -> Figures:
    """Tokens a second, memory, and the share of the device's peak that the model's own operations used."""
    from assay_schemas.algorithms import Lora, SftHyperparameters
    from assay_schemas.experiments import Hardware
    from assay_trainer.metrics import peak_memory_gib
    from assay_trainer.utilisation import work_of
    from transformers import LlamaConfig

    device = device_here()
    found = {"tokens_per_s": sum(lengths) / seconds, "memory_gib": peak_memory_gib(device)}
    options = SftHyperparameters(dtype=dtype_here(), lora=Lora(rank=LORA_RANK) if adapters else None)
    with tempfile.TemporaryDirectory() as folder:
        LlamaConfig(architectures=["LlamaForCausalLM"], tie_word_embeddings=False, **SHAPES[shape]).save_pretrained(
            folder
        )
        work = work_of(Path(folder), Hardware(gpus=1), options, device)
    if work is None:
        return found
    flops = work.flops(lengths)
    share = work.utilisation(flops, seconds)
    return found | {"tflop_per_s": flops / seconds / 1e12} | ({} if share is None else {"mfu": share})


def sft_by_assay(shape: str, load: Load, *, adapters: bool = False, offload: bool = False) -> Figures:
    """The trainer's own steps: full or with adapters, and with weights that rest in main memory."""
    import torch
    from assay_schemas.algorithms import Lora, SftHyperparameters
    from assay_schemas.experiments import Hardware
    from assay_schemas.parallelism import SINGLE
    from assay_trainer.algorithms.sft import Sft, Text
    from assay_trainer.attention import ATTENTION, register
    from assay_trainer.data.documents import document
    from assay_trainer.lora import add_adapters
    from assay_trainer.model import load_tokenizer, recompute_activations
    from assay_trainer.parallel.build import build_stepper
    from assay_trainer.parallel.world import join
    from assay_trainer.stepper import Stepper

    options = SftHyperparameters(
        steps=load.steps + 1,
        batch_size=load.rows,
        micro_batch_size=load.rows_at_once,
        learning_rate=LEARNING_RATE,
        schedule="constant",
        dtype=dtype_here(),
        lora=Lora(rank=LORA_RANK) if adapters else None,
    )
    device = device_here()
    model = built(shape, torch.device("cpu") if offload else device)
    register()
    model.set_attn_implementation(ATTENTION)
    if options.lora:
        add_adapters(model, options.lora)
    if recomputed(shape):
        recompute_activations(model)
    algorithm = Sft(options, load_tokenizer(MODEL))
    made = [document(row, [True] * len(row), load.longest) for row in rows_of(shape, load)]
    examples = [Text(str(at), one.length, one.targets, False, one) for at, one in enumerate(made)]
    with tempfile.TemporaryDirectory() as folder:
        if offload:
            world = join(0, SINGLE, device, Path(folder) / "rendezvous")
            stepper = build_stepper(model, algorithm, options, 0, world, Hardware(cpu_offload=True))
        else:
            stepper = Stepper(model, algorithm, options, 0)
        stepper.step(0, load.steps + 1, examples[: load.rows])
        began, lengths = spent(device), list[int]()
        for number in range(1, load.steps + 1):
            batch = examples[number * load.rows : (number + 1) * load.rows]
            outcome = stepper.step(number, load.steps + 1, batch)
            if not outcome.finite:
                raise ArithmeticError(f"step {number + 1}: {outcome}")
            lengths += outcome.lengths
        return figures_of(shape, lengths, spent(device) - began, adapters)


def recomputed(shape: str) -> bool:
    """Whether both sides compute activations again in the backward pass."""
    return shape == "8b"


def sft_by_trl(shape: str, load: Load, *, adapters: bool = False) -> Figures:
    """TRL's trainer on the same rows, as many at once; padded, as it does by itself."""
    import torch
    import trl
    from assay_trainer.model import load_tokenizer
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import TrainerCallback

    device, marks = device_here(), list[float]()

    class InOrder(trl.SFTTrainer):  # type: ignore[misc]
        def _get_train_sampler(self, *_: Any) -> Any:
            return torch.utils.data.SequentialSampler(self.train_dataset)

    class Marks(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_arguments: Any, **_named: Any) -> None:
            marks.append(spent(device))

    rows = rows_of(shape, load)
    with tempfile.TemporaryDirectory() as folder:
        config = trl.SFTConfig(
            output_dir=folder,
            max_steps=load.steps + 1,
            per_device_train_batch_size=load.rows_at_once,
            gradient_accumulation_steps=load.rows // load.rows_at_once,
            max_length=load.longest,
            learning_rate=LEARNING_RATE,
            lr_scheduler_type="constant",
            gradient_checkpointing=recomputed(shape),
            bf16=dtype_here() == "bfloat16",
            use_cpu=device.type == "cpu",
            save_strategy="no",
            report_to=[],
            logging_steps=1,
            disable_tqdm=True,
        )
        lora = LoraConfig(r=LORA_RANK, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
        trainer = InOrder(
            built(shape),
            args=config,
            train_dataset=Dataset.from_list([{"input_ids": row, "labels": row} for row in rows]),
            processing_class=load_tokenizer(MODEL),
            peft_config=lora if adapters else None,
            callbacks=[Marks()],
        )
        trainer.train()
    return figures_of(shape, [len(row) for row in rows[load.rows :]], marks[-1] - marks[0], adapters)


def same_numbers(shape: str, load: Load) -> Figures:
    """How far the device's losses and gradient norms are from a processor's in float32: the largest, relative."""
    import torch
    from assay_schemas.algorithms import SftHyperparameters
    from assay_trainer.algorithms.sft import Sft, Text
    from assay_trainer.attention import ATTENTION, register
    from assay_trainer.data.documents import document
    from assay_trainer.model import load_tokenizer
    from assay_trainer.stepper import Stepper

    register()
    options = SftHyperparameters(steps=load.steps + 1, learning_rate=LEARNING_RATE)
    made = [document(row, [True] * len(row), load.longest) for row in rows_of(shape, load)]
    examples = [Text(str(at), one.length, one.targets, False, one) for at, one in enumerate(made)]
    weights, found = built(shape, torch.device("cpu")).state_dict(), list[list[float]]()
    for device in (torch.device("cpu"), device_here(), device_here()):
        model = built(shape, torch.device("cpu"))
        model.load_state_dict(weights)
        model.to(device).set_attn_implementation(ATTENTION)
        stepper = Stepper(model, Sft(options, load_tokenizer(MODEL)), options, 0)
        outcomes = [
            stepper.step(number, load.steps + 1, examples[number * load.rows : (number + 1) * load.rows])
            for number in range(load.steps + 1)
        ]
        found.append([value for outcome in outcomes for value in (outcome.loss, outcome.grad_norm)])
    apart = max(abs(a - b) / abs(a) for a, b in zip(found[0], found[1], strict=True))
    again = max(abs(a - b) / abs(a) for a, b in zip(found[1], found[2], strict=True))
    return {"from_processor": apart, "from_itself": again}


def rollouts(name: str, shape: str, load: Load) -> Figures:
    """New tokens a second of one of the trainer's engines, or of transformers' `generate`; weights change before
    every round. Nothing ends a completion, so all are as long."""
    import torch
    from assay_trainer.attention import ATTENTION, register
    from assay_trainer.rollouts import open_engine
    from assay_trainer.rollouts.base import EngineSettings, Sampling

    device = device_here()
    register()
    model = built(shape).eval()
    if name != "generate":
        model.set_attn_implementation(ATTENTION)
    draw = random.Random(0)
    prompts = [
        [draw.randrange(SHAPES[shape]["vocab_size"]) for _ in range(load.prompt)]
        for _ in range(load.prompts * (load.steps + 1))
    ]
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        if name == "vllm":
            model.save_pretrained(folder)
        settings = EngineSettings(folder, (), 0, load.prompt + load.completion, 0, dtype_here())
        engine = None if name == "generate" else open_engine(name, settings)
        sampling, asked = Sampling(1.0, 1.0, load.completion), 0.0
        began = spent(device)
        for number in range(load.steps + 1):
            part = prompts[number * load.prompts : (number + 1) * load.prompts]
            if number == 1:
                began = spent(device)
            if engine is None:
                _generate(model, part, load, number)
                continue
            before = spent(device)
            engine.update_weights(model)
            asked = spent(device) - before
            engine.generate(part, load.samples_each, sampling, number)
        seconds = spent(device) - began
        if engine is not None:
            engine.close()
    tokens = load.steps * load.prompts * load.samples_each * load.completion
    return {"tokens_per_s": tokens / seconds, "new_weights_s": asked}


def _generate(model: Any, prompts: list[list[int]], load: Load, seed: int) -> None:
    import torch

    torch.manual_seed(seed)
    ids = torch.tensor(prompts, device=model.device)
    bfloat16 = dtype_here() == "bfloat16"  # as the engine: weights in float32, their products in bfloat16
    with torch.autocast("cuda", dtype=torch.bfloat16) if bfloat16 else contextlib.nullcontext():
        model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            do_sample=True,
            top_k=0,
            num_return_sequences=load.samples_each,
            max_new_tokens=load.completion,
            min_new_tokens=load.completion,
            pad_token_id=0,
        )


SIDES: dict[str, Callable[[str, Load], Figures]] = {
    "same_numbers": same_numbers,
    "sft_assay": sft_by_assay,
    "sft_trl": sft_by_trl,
    "lora_assay": functools.partial(sft_by_assay, adapters=True),
    "lora_trl": functools.partial(sft_by_trl, adapters=True),
    "offload_assay": functools.partial(sft_by_assay, offload=True),
    "rollout_assay": functools.partial(rollouts, "transformers"),
    "rollout_generate": functools.partial(rollouts, "generate"),
    "rollout_vllm": functools.partial(rollouts, "vllm"),
}
