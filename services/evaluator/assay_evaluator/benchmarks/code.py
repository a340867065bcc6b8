"""code: the program in the response must pass the item's tests, run in the sandbox.

Never runs a line of it in this process. Items as HumanEval, MBPP or LiveCodeBench have them, or plain ones.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

from assay_chassis.sandbox import run_program
from assay_schemas.answers import program_in
from assay_schemas.benchmarks import CodeParameters

from assay_evaluator.benchmarks import contest
from assay_evaluator.benchmarks.base import Document, TaskConfig, UnusableItem, not_empty, text_of
from assay_evaluator.benchmarks.generation import GenerationBenchmark, Judgement
from assay_evaluator.items import Item

TEST_COLUMNS = ("tests", "test_list", "test")
FENCE = "```"
NEXT_BLOCK = ["\nclass", "\ndef", "\n#", "\nif", "\nprint"]
"""Where HumanEval's completions end: at the next thing that is not indented."""


class Code(GenerationBenchmark[CodeParameters]):
    """`passed` is the share of responses that pass; with several, `pass@k` is reported too.

    A row with `entry_point` continues a function: the program is the prompt and the response, or, where the
    response has a fenced block with the whole function, what stands before the function and that block. Other
    rows ask for a program: the last fenced block, or the whole response.
    """

    primary: ClassVar[str] = "passed"
    voting: ClassVar[bool] = False

    def __init__(self, parameters: CodeParameters) -> None:
        super().__init__(parameters)
        self._passed: dict[tuple[str, str], bool] = {}

    def document(self, item: Item) -> Document:
        if contest.is_contest(item.row):
            tests = contest.tests_of_cases(item.row)
            asked = {"id": item.id, "prompt": contest.asked(item.row), "answer": tests, "target": tests}
            return {**asked, "entry_point": "", "solution": ""}
        entry = str(item.row.get("entry_point") or "")
        tests = tests_of(item.row)
        return {
            "id": item.id,
            "prompt": not_empty(text_of(item, "prompt", "question", "text"), "prompt"),
            "answer": f"{tests}\ncheck({entry})" if entry and "def check(" in tests else tests,
            "target": tests,
            "entry_point": entry,
            "solution": str(item.row.get("canonical_solution") or item.row.get("code") or ""),
        }

    def task(self, documents: Sequence[Document]) -> TaskConfig:
        config = super().task(documents)
        if not self.parameters.stop and all(document["entry_point"] for document in documents):
            config["generation_kwargs"]["until"] = NEXT_BLOCK
        return {**config, "doc_to_target": lambda document: document["solution"]}

    def kept(self, document: Document) -> Mapping[str, Any]:
        return {name: document[name] for name in ("answer", "entry_point", "prompt")}

    def stored(self, answer: str, details: Mapping[str, Any]) -> Document:
        return {"prompt": details.get("prompt", ""), "entry_point": details.get("entry_point", ""), "answer": answer}

    def extract(self, response: str) -> str:
        return program_in(response)

    def target(self, answer: str) -> str:
        return answer

    def score(self, extracted: str | None, target: str) -> float:
        """1 where the program passes the tests; each pair of program and tests runs once."""
        pair = (extracted or "", target)
        if pair not in self._passed:
            self._passed[pair] = run_program(contest.runnable(*pair), target, self.parameters.timeout_s)
        return float(self._passed[pair])

    def judge(self, response: str, document: Document) -> Judgement:
        program = whole_program(response, document["prompt"], document["entry_point"])
        return Judgement(program, self.score(program, document["answer"]))

    def judge_all(self, responses: Sequence[str], document: Document) -> list[Judgement]:
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            return list(pool.map(lambda response: self.judge(response, document), responses))


def tests_of(row: Mapping[str, Any]) -> str:
    """The row's tests as Python source, after its set-up. Raises UnusableItem."""
    tests = next((row[column] for column in TEST_COLUMNS if row.get(column)), None)
    parts = [tests] if isinstance(tests, str) else tests
    if not isinstance(parts, list) or not parts or not all(isinstance(part, str) for part in parts):
        raise UnusableItem(f"{' or '.join(TEST_COLUMNS)}: is no Python source, nor a list of it; give assertions")
    setup = row.get("test_setup_code") or row.get("test_imports") or []
    return "\n".join([*([setup] if isinstance(setup, str) else map(str, setup)), *parts])


def whole_program(response: str, prompt: str, entry_point: str) -> str:
    """The program that a response stands for."""
    if not entry_point:
        return program_in(response)
    if FENCE not in response:
        return prompt + response
    block = program_in(response)
    if f"def {entry_point}" in block:
        return prompt.partition(f"def {entry_point}")[0] + block
    return prompt + block
