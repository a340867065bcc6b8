"""Benchmarks as configuration: names, harness versions, parameters. Their code is in the evaluator.

Own benchmarks read items from a JSONL or Parquet file; every other name is a task of the harness,
checked against the harness's own list of task names.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib import resources
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from assay_schemas.algorithms import Closed, ModelKind
from assay_schemas.answers import Pattern
from assay_schemas.endpoints import endpoint_model
from assay_schemas.task_files import HarnessTask

HARNESS_VERSIONS = ("lm-eval-0.4.13",)
NEWEST_HARNESS = HARNESS_VERSIONS[-1]
Engine = Literal["transformers", "vllm"]
AnyEngine = Literal["transformers", "vllm", "endpoint"]
"""A specification names one of the first two; `endpoint` is what asks a reference arm behind an API."""


MOST_FAILED = 0.05
"""The share of items that may fail without breaking a result, where a benchmark declares no other."""


class BenchmarkParameters(Closed):
    """What every benchmark takes; `dataset` is a file or URI of items, where the benchmark has none of its own."""

    dataset: str | None = None
    batch_size: int = Field(default=64, ge=1, description="items in one forward pass")
    min_k: float | None = Field(
        default=None, gt=0, le=1, description="share of least likely tokens: stores every item's membership scores"
    )
    chat_template: bool = Field(
        default=False, description="ask through the model's own chat template, as lm-eval's --apply_chat_template"
    )

    most_failed: float = Field(
        default=MOST_FAILED, ge=0, lt=1, description="share of items that may fail; above it the result is broken"
    )

    def declared(self) -> dict[str, Any]:
        """What a job's key says of the parameters: each with its default, but for an option that is not used."""
        used = {
            "min_k": self.min_k,
            "chat_template": self.chat_template,
            "most_failed": self.most_failed != MOST_FAILED,
        }
        return self.model_dump(mode="json", exclude={"dataset", *(name for name, value in used.items() if not value)})


class OwnParameters(BenchmarkParameters):
    """What every own benchmark takes; examples are drawn from the other items of the same file."""

    num_fewshot: int = Field(default=0, ge=0, le=64)
    examples_from: Literal["other_clusters", "other_items"] = Field(
        default="other_clusters",
        description="which items may be an item's examples: those of other clusters, or all others",
    )
    none_taken: ClassVar[str] = ""

    def declared(self) -> dict[str, Any]:
        """Where examples come from is part of a key only where there are any and clusters count: keys of before said
        nothing, and meant all other items."""
        declared = super().declared()
        if not self.num_fewshot or self.examples_from == "other_items":
            del declared["examples_from"]
        return declared

    def takes(self, row: Mapping[str, Any]) -> bool:  # noqa: ARG002  others look at the row
        """Whether a row is one of the items at all; what is not is neither asked nor failed."""
        return True


class GenerationParameters(OwnParameters):
    """Scored on generated answers; lengths in tokens, `samples` responses for each item."""

    temperature: float = Field(default=0.0, ge=0.0)
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    max_tokens: int = Field(default=128, ge=1)
    samples: int = Field(default=1, ge=1, le=1024)
    stop: list[str] = Field(default_factory=list, description="default: none, and a blank line after examples")


class ExactMatchParameters(GenerationParameters):
    extract: Pattern | None = Field(default=None, description="regex; the last group of its last match is the answer")
    ignore_case: bool = False
    ignore_punctuation: bool = False


class NumericParameters(GenerationParameters):
    extract: Pattern | None = Field(default=None, description="regex; default the last number")
    tolerance: float = Field(default=0.0, ge=0.0)


class CodeParameters(GenerationParameters):
    """The program must pass the item's tests; a window of release dates keeps to items newer than a model's data."""

    max_tokens: int = Field(default=512, ge=1)
    timeout_s: float = Field(default=5.0, gt=0, le=60, description="wall and processor time of one program")
    released_from: date | None = Field(default=None, description="only items whose `released` is this day or later")
    released_before: date | None = Field(default=None, description="only items whose `released` is before this day")
    none_taken: ClassVar[str] = "widen the window of releases"

    def takes(self, row: Mapping[str, Any]) -> bool:
        """Within the window; without one, every row. A row that does not say when it was released is in none."""
        if self.released_from is None and self.released_before is None:
            return True
        try:
            released = date.fromisoformat(str(row.get("released") or row.get("contest_date"))[:10])
        except ValueError:
            return False
        return (self.released_from or date.min) <= released < (self.released_before or date.max)


class JudgeParameters(GenerationParameters):
    """Another model, a declared endpoint, says how good responses are, by a rubric."""

    judge: str = Field(description="the model that judges: endpoint:NAME/MODEL")
    rubric: str = Field(default="What counts is whether it does what was asked, and whether it is correct.")
    judge_max_tokens: int = Field(default=512, ge=16)

    @field_validator("judge")
    @classmethod
    def _is_endpoint(cls, judge: str) -> str:
        return endpoint_model(judge).location


class VisualChoiceParameters(GenerationParameters):
    """Choices beside images, answered with a letter; asked through the model's chat template, where images belong."""

    chat_template: bool = True
    num_fewshot: int = Field(default=0, ge=0, le=0, description="none: an example's images would not be shown")
    max_tokens: int = Field(default=64, ge=1)
    batch_size: int = Field(default=8, ge=1, description="items in one forward pass")


class LikelihoodParameters(OwnParameters):
    """Scored on the likelihood of given text; nothing is generated."""


class PreferenceParameters(LikelihoodParameters):
    """Which answer is liked best, where one side is better: what has no better side is no item."""

    none_taken: ClassVar[str] = "give rows in which one side is better"

    def takes(self, row: Mapping[str, Any]) -> bool:
        """Not a pair that people judged a tie, and not responses that are all right or all wrong (PPE's columns)."""
        if "chosen" in row:
            return True
        if isinstance(row.get("winner"), str):
            return not row["winner"].startswith("tie")
        scores = row.get("scores")
        return not isinstance(scores, list) or len(set(scores)) != 1


class HarnessTaskParameters(BenchmarkParameters):
    """Parameters of a task named in the harness; what is not given is as the task itself says."""

    num_fewshot: Annotated[int, Field(ge=0, le=64)] | None = None
    temperature: Annotated[float, Field(ge=0.0)] | None = None
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    stop: list[str] | None = None


class NamedTaskParameters(HarnessTaskParameters):
    """A task that the harness knows by its name, and that fetches its own data unless `dataset` is given."""

    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None = Field(
        default=None, description="commit of its data set on the hub; default: the catalogue's, else the newest"
    )

    def declared(self) -> dict[str, Any]:
        declared = super().declared()
        return declared if self.revision else {name: value for name, value in declared.items() if name != "revision"}

    @field_validator("revision")
    @classmethod
    def _one_source(cls, revision: str | None, info: ValidationInfo) -> str | None:
        if revision and info.data.get("dataset"):
            raise ValueError("is of the hub's data, and dataset takes its place; leave one of them out")
        return revision


class TaskFileParameters(HarnessTaskParameters):
    """A task of the harness that is not among its own: its YAML, over the rows of `dataset`."""

    task: HarnessTask


class BenchmarkDefinition(BaseModel):
    """One benchmark known by name: how it is scored, on which models, which number leads, whether it runs yet."""

    model_config = ConfigDict(frozen=True)

    name: str
    parameters: type[BenchmarkParameters]
    item_columns: tuple[tuple[str, ...], ...] = ()
    scored_on: Literal["generation", "likelihood", "harness"]
    models: tuple[ModelKind, ...] = ("causal_lm",)
    primary_metric: str
    higher_is_better: bool = True
    smallest_effect: float = 0.02
    smallest_effect_is_relative: bool = False
    shows_images: bool = False
    available: bool = True


OWN_BENCHMARKS: dict[str, BenchmarkDefinition] = {
    definition.name: definition
    for definition in (
        BenchmarkDefinition(
            name="exact_match",
            parameters=ExactMatchParameters,
            item_columns=(("prompt", "answer"), ("question", "answer")),
            scored_on="generation",
            primary_metric="exact_match",
        ),
        BenchmarkDefinition(
            name="numeric",
            parameters=NumericParameters,
            item_columns=(("prompt", "answer"), ("question", "answer")),
            scored_on="generation",
            primary_metric="numeric",
        ),
        BenchmarkDefinition(
            name="multiple_choice",
            parameters=LikelihoodParameters,
            item_columns=(("prompt", "choices", "answer"), ("question", "choices", "answer")),
            scored_on="likelihood",
            primary_metric="accuracy",
        ),
        BenchmarkDefinition(
            name="visual_multiple_choice",
            parameters=VisualChoiceParameters,
            item_columns=tuple(
                (*text, "answer", image)
                for image in ("image", "images", "image_1")
                for text in (("question", "options"), ("question", "choices"), ("prompt", "choices"))
            ),
            scored_on="generation",
            primary_metric="accuracy",
            shows_images=True,
        ),
        BenchmarkDefinition(
            name="perplexity",
            parameters=LikelihoodParameters,
            item_columns=(("text",), ("prompt", "completion"), ("prompt", "answer"), ("question", "answer")),
            scored_on="likelihood",
            primary_metric="bits_per_byte",
            higher_is_better=False,
            smallest_effect=0.02,
            smallest_effect_is_relative=True,
        ),
        BenchmarkDefinition(
            name="preference",
            parameters=PreferenceParameters,
            item_columns=(
                ("prompt", "chosen", "rejected"),
                ("prompt", "response_1", "response_2", "scores"),
                ("prompt", "response_1", "response_2", "winner"),
            ),
            scored_on="likelihood",
            models=("causal_lm", "sequence_classification"),
            primary_metric="accuracy",
        ),
        BenchmarkDefinition(
            name="code",
            parameters=CodeParameters,
            item_columns=(
                ("question_content", "public_test_cases"),
                *(
                    (prompt, tests)
                    for prompt in ("prompt", "question", "text")
                    for tests in ("tests", "test_list", "test")
                ),
            ),
            scored_on="generation",
            primary_metric="passed",
        ),
        BenchmarkDefinition(
            name="judge",
            parameters=JudgeParameters,
            item_columns=(("prompt",), ("question",)),
            scored_on="generation",
            primary_metric="preferred",
        ),
        BenchmarkDefinition(
            name="harness_task",
            parameters=TaskFileParameters,
            item_columns=((),),
            scored_on="harness",
            primary_metric="",
        ),
    )
}


TASKS_WITH_IMAGES = ("chartqa", "mmmu_val", "pisa_")
"""How the harness's tasks that show images begin."""
TASKS_THAT_RUN_CODE = ("humaneval", "longproc_pseudo_to_code", "mbpp")
"""How the harness's tasks begin that execute what a model wrote, without a sandbox."""


@cache
def harness_tasks(harness_version: str) -> frozenset[str]:
    """Every task name the harness version knows; of a version without a listing here, those of the newest: what
    such a version lacks of them, it refuses itself."""
    listings = resources.files("assay_schemas") / "harness_tasks"
    own = listings / f"{harness_version}.txt"
    listing = own if own.is_file() else listings / f"{NEWEST_HARNESS}.txt"
    return frozenset(listing.read_text().split())


def known_benchmarks(harness_version: str) -> frozenset[str]:
    return harness_tasks(harness_version) | OWN_BENCHMARKS.keys()


def definition_of(name: str, harness_version: str) -> BenchmarkDefinition | None:
    """What is known of the benchmark `name`, or None when neither Assay nor the harness has it."""
    if name in OWN_BENCHMARKS:
        return OWN_BENCHMARKS[name]
    if name in harness_tasks(harness_version):
        shown = name.startswith(TASKS_WITH_IMAGES)
        return BenchmarkDefinition(
            name=name, parameters=NamedTaskParameters, scored_on="harness", primary_metric="", shows_images=shown
        )
    return None
