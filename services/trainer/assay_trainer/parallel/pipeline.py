"""Pipeline parallelism: each process keeps some of the layers, and passes go through them one behind the other.

The schedule is PyTorch's 1F1B (Narayanan et al. 2021, section 2.2); the last stage computes the loss itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from assay_schemas.algorithms import Hyperparameters
from torch import Tensor, nn
from torch.distributed.pipelining import PipelineStage, Schedule1F1B, ScheduleGPipe

from assay_trainer.algorithms.base import Algorithm, Example
from assay_trainer.attention import takes_packed
from assay_trainer.errors import BadInput
from assay_trainer.parallel.sharding import Computation, rest, shard
from assay_trainer.parallel.shares import Pass, passes_of
from assay_trainer.parallel.stepper import ParallelStepper
from assay_trainer.parallel.world import World
from assay_trainer.stepper import LOSS, Validation, add_sums, precision

PASSES_A_STAGE = 2  # of one process in one step: fewer leave stages waiting


class Absent(nn.Module):
    """Stands for a layer that another process has."""


class _Asked(Exception):
    """Carries what an algorithm asks the decoder for, instead of an answer."""

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__("the decoder was asked")
        self.options = options


@dataclass(frozen=True)
class _Answer:
    last_hidden_state: Tensor


class _Facade:
    """A model as an algorithm's loss sees it: its decoder notes what it is asked, or answers what it was given."""

    def __init__(self, model: Any, hidden_BTD: Tensor | None = None) -> None:
        self._model = model
        self._hidden = hidden_BTD
        self.config = model.config
        self.training = False  # what an algorithm adds in training happens before the first stage

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def get_decoder(self) -> Any:
        return self._decode

    def _decode(self, **options: Any) -> _Answer:
        if self._hidden is None:
            raise _Asked(options)
        return _Answer(self._hidden[:, : options["input_ids"].shape[1]])


@dataclass(frozen=True)
class Micro:
    """One pass, as every stage needs it. Shapes: tokens and positions (1, T)."""

    part: Pass[Example]
    tokens_BT: Tensor
    positions_BT: Tensor
    lengths: tuple[int, ...]


class Stage(nn.Module):
    """The layers of one process. First: tokens to hidden states; last: hidden states to a share of the loss."""

    def __init__(self, model: Any, algorithm: Algorithm, world: World) -> None:
        super().__init__()
        self.model = model
        self._algorithm = algorithm
        self._first, self._last = (
            world.place("pipeline") == 0,
            world.place("pipeline") == world.parallelism.pipeline - 1,
        )
        self._device = world.device
        self.queue: list[Micro] = []
        self.terms = 1
        self.sums: dict[str, float] = {}
        self.own = _keep_own_layers(model, world)

    def forward(self, given: Tensor) -> Tensor:
        """(1, T) token ids or (1, T, D) hidden states to hidden states or, in the last stage, a loss (1,)."""
        micro = self.queue.pop(0)
        decoder = self.model.get_decoder()
        hidden = decoder.embed_tokens(given) if self._first else given
        rotary = decoder.rotary_emb(hidden, position_ids=micro.positions_BT)
        for number in self.own:
            hidden = decoder.layers[number](
                hidden,
                attention_mask=None,
                position_ids=micro.positions_BT,
                position_embeddings=rotary,
                use_cache=False,
                document_lengths=micro.lengths,
            )
        return self._loss(micro, decoder.norm(hidden)) if self._last else hidden

    def _loss(self, micro: Micro, hidden: Tensor) -> Tensor:
        loss = self._algorithm.loss(_Facade(self.model, hidden), micro.part.examples, self._device)  # type: ignore[arg-type]
        if micro.part.counts:
            add_sums(self.sums, loss)
            return (loss.total / self.terms)[None]
        return (loss.total * 0.0)[None]


def _keep_own_layers(model: Any, world: World) -> range:
    """Drop what other stages have; layers keep their names. The numbers of this stage's layers."""
    decoder, stages, place = model.get_decoder(), world.parallelism.pipeline, world.place("pipeline")
    count = len(decoder.layers)
    if model.get_output_embeddings() is None or model.config.tie_word_embeddings:
        raise BadInput("hardware.parallelism.pipeline: needs an output layer of its own; set it to 1 for this model")
    if count < stages or not takes_packed(model):
        raise BadInput(
            f"hardware.parallelism.pipeline: {stages} stages of {count} packed layers cannot be; set it to 1"
        )
    own = range(count * place // stages, count * (place + 1) // stages)
    for number in range(count):
        if number not in own:
            decoder.layers[number] = Absent()
    if place > 0:
        decoder.embed_tokens = Absent()
    if place < stages - 1:
        decoder.norm = Absent()
        model.lm_head = Absent()
    return own


class PipelineStepper(ParallelStepper):
    """Steps of one stage. All stages see the same passes; gradients of their layers never leave them."""

    _stage: Stage

    @classmethod
    def of(
        cls,
        model: Any,
        algorithm: Algorithm,
        hyperparameters: Hyperparameters,
        seed: int,
        world: World,
        *,
        offload: bool,
    ) -> PipelineStepper:
        if getattr(hyperparameters, "neftune_alpha", 0.0) > 0:
            raise BadInput("hyperparameters.neftune_alpha: not with hardware.parallelism.pipeline; set it to 0")
        stage = Stage(model, algorithm, world)
        shard(stage, [model.get_decoder().layers[number] for number in stage.own], world, offload=offload)
        stepper = cls(Computation(model, algorithm), algorithm, hyperparameters, seed, world)
        stepper._stage = stage
        return stepper

    def _gradients(self, examples: Sequence[Example]) -> dict[str, float]:
        return self._run(examples, learning=True)

    def validate(self, examples: Sequence[Example]) -> Validation | None:
        if not sum(example.weight for example in examples):
            return None
        self.model.eval()
        with torch.no_grad():
            means = self._run(examples, learning=False)
        rest(self._stage)
        return Validation(means.pop(LOSS), means)

    def _run(self, examples: Sequence[Example], *, learning: bool) -> dict[str, float]:
        terms = sum(example.weight for example in examples)
        micros = self._micros(examples)
        self._stage.queue, self._stage.terms, self._stage.sums = list(micros), terms, {}
        with precision(self.hyperparameters, self.device):
            self._schedule(micros, learning=learning)
        return self._over_all({LOSS: 0.0, **self._stage.sums}, terms)

    def _micros(self, examples: Sequence[Example]) -> list[Micro]:
        """The passes of this process's row place, filled up to one length with a document that nothing learns from."""
        layout = self.world.parallelism
        rows = self.hyperparameters.micro_batch_size or math.ceil(
            len(examples) / (self.world.row_places * layout.pipeline * PASSES_A_STAGE)
        )
        parts = passes_of(examples, self.world.row_place, self.world.row_places, rows, layout.pipeline)
        asked = [_asked(self.algorithm, self.model, part.examples, self.device) for part in parts]
        longest = max(options["input_ids"].shape[1] for options in asked)
        most = longest_of_all(longest, self.device)
        return [_micro(part, options, most) for part, options in zip(parts, asked, strict=True)]

    def _schedule(self, micros: list[Micro], *, learning: bool) -> None:
        layout, place = self.world.parallelism, self.world.place("pipeline")
        width, tokens = self.model.config.hidden_size, micros[0].tokens_BT.shape[1]
        dtype = torch.bfloat16 if self.hyperparameters.dtype == "bfloat16" else torch.float32
        between = torch.empty(1, tokens, width, dtype=dtype, device="meta", requires_grad=learning)
        first, last = place == 0, place == layout.pipeline - 1
        stage = PipelineStage(
            self._stage,
            place,
            layout.pipeline,
            self.device,
            input_args=(torch.empty(1, tokens, dtype=torch.long, device="meta") if first else between,),
            output_args=(torch.empty(1, device="meta", requires_grad=learning) if last else between,),
            output_grads=(None if last else between.detach(),) if learning else None,
            input_grads=(None if first else between.detach(),) if learning else None,
            group=self.world.group("pipeline"),
        )
        kind = Schedule1F1B if learning else ScheduleGPipe
        schedule = kind(stage, len(micros), loss_fn=_as_it_is, scale_grads=False)
        run = schedule.step if learning else schedule.eval
        inputs = (torch.cat([micro.tokens_BT for micro in micros]),) if first else ()
        run(*inputs, target=torch.zeros(len(micros), device=self.device) if last else None)


def _as_it_is(loss: Tensor, _: Tensor) -> Tensor:
    return loss[0]


def _asked(algorithm: Algorithm, model: Any, examples: list[Example], device: torch.device) -> dict[str, Any]:
    """What the algorithm's loss asks the decoder for. Raises BadInput where that is no packed row of tokens."""
    try:
        algorithm.loss(_Facade(model), examples, device)  # type: ignore[arg-type]
    except _Asked as asked:
        if "document_lengths" in asked.options:
            return asked.options
    raise BadInput("hyperparameters.packing: pipeline parallelism needs packed rows; set it to true")


def _micro(part: Pass[Example], options: dict[str, Any], tokens: int) -> Micro:
    missing = tokens - options["input_ids"].shape[1]
    lengths = tuple(options["document_lengths"]) + ((missing,) if missing else ())
    return Micro(part, F.pad(options["input_ids"], (0, missing)), F.pad(options["position_ids"], (0, missing)), lengths)


def longest_of_all(tokens: int, device: torch.device) -> int:
    """The most tokens that any process has in a pass."""
    most = torch.tensor(tokens, device=device)
    dist.all_reduce(most, dist.ReduceOp.MAX)
    return int(most)
