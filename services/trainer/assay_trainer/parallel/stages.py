"""The stages of a pipeline: which layers each process keeps, and the schedule by which passes go through them.

The schedule is PyTorch's 1F1B (Narayanan et al. 2021, section 2.2); the last stage computes the loss itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributed.pipelining import PipelineStage, Schedule1F1B, ScheduleGPipe

from assay_trainer.algorithms.base import Loss
from assay_trainer.attention import takes_packed
from assay_trainer.branches import Branches
from assay_trainer.data.packing import pack
from assay_trainer.errors import BadInput
from assay_trainer.forward import hidden_states
from assay_trainer.memory import lacks_memory
from assay_trainer.model import HEAD
from assay_trainer.own_attention import differ, few_documents, tried
from assay_trainer.parallel.shares import Pass
from assay_trainer.parallel.world import World
from assay_trainer.stepper import LOSS, add_sums

PASSES_A_STAGE = 2  # of one process in one step: fewer leave stages waiting


class Absent(nn.Module):
    """Stands for a layer that another process has, `width` being that of what it takes."""

    def __init__(self, width: int = 0) -> None:
        super().__init__()
        self.in_features = width


class _Asked(Exception):
    """Carries what a loss asks the decoder for, instead of an answer."""

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__("the decoder was asked")
        self.options = options


@dataclass(frozen=True)
class _Answer:
    last_hidden_state: Tensor


class _Facade:
    """A model as a loss sees it: its decoder notes what it is asked, or answers what it was given."""

    def __init__(self, model: Any, hidden_BTD: Tensor | None = None) -> None:
        self._model = model
        self._hidden = hidden_BTD
        self.config = model.config
        self.training = False  # what an algorithm adds in training happens before the first stage

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def get_decoder(self) -> Any:
        return self._decode

    @property
    def base_model(self) -> Any:
        return self._decode

    def _decode(self, **options: Any) -> _Answer:
        if self._hidden is None:
            raise _Asked(options)
        return _Answer(self._hidden[:, : options["input_ids"].shape[1]])


@dataclass(frozen=True)
class Micro:
    """One pass, as every stage needs it. Shapes: tokens and positions (1, T)."""

    part: Pass[Any]
    tokens_BT: Tensor
    positions_BT: Tensor
    lengths: tuple[int, ...]
    branches: Branches | None = None


class Stage(nn.Module):
    """The layers of one process. First: tokens to hidden states; last: hidden states to a share of the loss."""

    def __init__(self, model: Any, loss: Callable[[Any, Any], Loss], world: World) -> None:
        super().__init__()
        self.model = model
        self.loss_of = loss
        stages, place = world.parallelism.pipeline, world.place("pipeline")
        self._first, self._last = place == 0, place == stages - 1
        self.own = own_layers(model, world)
        self.queue: list[Micro] = []
        self.terms = 1
        self.sums: dict[str, float] = {}

    def forward(self, given: Tensor) -> Tensor:
        """(1, T) token ids or (1, T, D) hidden states to hidden states or, in the last stage, a loss (1,)."""
        micro = self.queue.pop(0)
        decoder = self.model.get_decoder()
        hidden = decoder.embed_tokens(given) if self._first else given
        options = {} if micro.branches is None else {"branches": micro.branches}
        hidden = through(decoder, self.own, hidden, micro.positions_BT, document_lengths=micro.lengths, **options)
        return self._loss(micro, decoder.norm(hidden)) if self._last else hidden

    def _loss(self, micro: Micro, hidden: Tensor) -> Tensor:
        loss = self.loss_of(_Facade(self.model, hidden), micro.part.examples)
        if micro.part.counts:
            add_sums(self.sums, loss)
            return (loss.total / self.terms)[None]
        for name in (LOSS, *loss.sums):
            self.sums.setdefault(name, 0.0)
        return (loss.total * 0.0)[None]


def through(decoder: Any, numbers: range, hidden_BTD: Tensor, positions_BT: Tensor, **options: Any) -> Tensor:
    """Hidden states (B, T, D) behind some of a decoder's layers, which know of each other nothing else."""
    rotary = decoder.rotary_emb(hidden_BTD, position_ids=positions_BT)
    for number in numbers:
        hidden_BTD = decoder.layers[number](
            hidden_BTD,
            attention_mask=None,
            position_ids=positions_BT,
            position_embeddings=rotary,
            use_cache=False,
            **options,
        )
    return hidden_BTD


def own_layers(model: Any, world: World) -> range:
    """The numbers of this stage's layers."""
    count, stages, place = len(model.get_decoder().layers), world.parallelism.pipeline, world.place("pipeline")
    return range(count * place // stages, count * (place + 1) // stages)


def keep_own_layers(model: Any, world: World) -> None:
    """Drop what other stages have, in place; layers keep their names. Raises BadInput where it cannot be cut."""
    decoder, stages, place = model.get_decoder(), world.parallelism.pipeline, world.place("pipeline")
    count, head = len(getattr(decoder, "layers", ())), _own_head(model)
    if count < stages or not takes_packed(model):
        raise BadInput(
            f"hardware.parallelism.pipeline: {stages} stages of {count} packed layers cannot be; set it to 1"
        )
    _check_layers(model)
    own = own_layers(model, world)
    for number in range(count):
        if number not in own:
            decoder.layers[number] = Absent()
    if place > 0:
        decoder.embed_tokens = Absent()
    if place < stages - 1:
        decoder.norm = Absent()
        setattr(model, head, Absent(getattr(model, head).in_features))


def _own_head(model: Any) -> str:
    """The name of the layer behind the decoder: a scorer's, or the output layer. Raises BadInput where that is the
    embedding too, which another stage has."""
    if model.get_output_embeddings() is None:
        return HEAD
    if model.config.tie_word_embeddings:
        raise BadInput("hardware.parallelism.pipeline: needs an output layer of its own; set it to 1 for this model")
    return "lm_head"


def _check_layers(model: Any) -> None:
    """Raises BadInput where a decoder does more than its layers, one after the other: stages would leave that out."""
    decoder, layout = model.get_decoder(), pack(few_documents(model))
    why = "does more than its layers one after another"
    try:
        with tried(model):
            hidden = decoder.embed_tokens(layout.tokens_BT)
            every = range(len(decoder.layers))
            hidden = through(decoder, every, hidden, layout.positions_BT, document_lengths=layout.lengths)
            apart = differ(decoder.norm(hidden)[0], hidden_states(decoder, layout, None))
    except Exception as error:  # whatever its layers miss
        if lacks_memory(error):
            raise
        apart, why = True, f"has layers that cannot be called alone ({type(error).__name__}: {error})"
    if apart:
        raise BadInput(f"hardware.parallelism.pipeline: {type(model).__name__} {why}; set it to 1")


def asked(loss: Callable[[Any, Any], Any], model: Any, examples: Any) -> dict[str, Any]:
    """What a loss of the examples asks the decoder for. Raises BadInput where that is no packed row of tokens."""
    try:
        loss(_Facade(model), examples)
    except _Asked as found:
        if "document_lengths" in found.options:
            return found.options
    raise BadInput("hyperparameters.packing: pipeline parallelism needs packed rows; set it to true")


def micro_of(part: Pass[Any], options: dict[str, Any], tokens: int) -> Micro:
    """A pass filled up to `tokens` with a document that nothing learns from."""
    missing = tokens - options["input_ids"].shape[1]
    return Micro(
        part,
        F.pad(options["input_ids"], (0, missing)),
        F.pad(options["position_ids"], (0, missing)),
        tuple(options["document_lengths"]) + ((missing,) if missing else ()),
        options.get("branches"),
    )


def rows_of_a_pass(rows: int, stages: int) -> int:
    """Of a process's rows, so that no stage waits for long."""
    return max(1, math.ceil(rows / (stages * PASSES_A_STAGE)))


def run_through(stage: Stage, micros: Sequence[Micro], world: World, *, learning: bool) -> None:
    """All passes, of one length, through all stages; with gradients where they are learned from."""
    stages, place = world.parallelism.pipeline, world.place("pipeline")
    width, tokens = stage.model.config.hidden_size, micros[0].tokens_BT.shape[1]
    # float32 also where products are bfloat16: what a layer adds to is never rounded
    between = torch.empty(1, tokens, width, device="meta", requires_grad=learning)
    first, last = place == 0, place == stages - 1
    piece = PipelineStage(
        stage,
        place,
        stages,
        world.device,
        input_args=(torch.empty(1, tokens, dtype=torch.long, device="meta") if first else between,),
        output_args=(torch.empty(1, device="meta", requires_grad=learning) if last else between,),
        output_grads=(None if last else between.detach(),) if learning else None,
        input_grads=(None if first else between.detach(),) if learning else None,
        group=world.group("pipeline"),
    )
    kind = Schedule1F1B if learning else ScheduleGPipe
    schedule = kind(piece, len(micros), loss_fn=_as_it_is, scale_grads=False)
    run = schedule.step if learning else schedule.eval
    stage.queue = list(micros)
    inputs = (torch.cat([micro.tokens_BT for micro in micros]),) if first else ()
    run(*inputs, target=torch.zeros(len(micros), device=world.device) if last else None)


def _as_it_is(loss: Tensor, _: Tensor) -> Tensor:
    return loss[0]
