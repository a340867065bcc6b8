"""Programs that models write: what counts as one, which pass, and that malicious ones score 0 and harm nothing."""

from __future__ import annotations

import base64
import json
import os
import socket
import tempfile
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from assay_chassis.sandbox import confinement
from assay_evaluator.benchmarks.base import UnusableItem
from assay_evaluator.benchmarks.code import Code, whole_program
from assay_evaluator.benchmarks.code import tests_of as source_of_tests
from assay_evaluator.items import Item
from assay_schemas.benchmarks import CodeParameters

PROMPT = 'from math import floor\n\n\ndef half(x):\n    """Half of x, rounded down."""\n'
ROW = {
    "prompt": PROMPT,
    "entry_point": "half",
    "test": "def check(candidate):\n    assert candidate(5) == 2\n    assert candidate(4) == 2\n",
    "canonical_solution": "    return floor(x / 2)\n",
}
MBPP = {"text": "Add one.", "test_list": ["assert f(1) == 2", "assert f(0) == 1"], "test_imports": ["import math"]}
RIGHT = "    return x // 2\n"


def code(**parameters: Any) -> Code:
    return Code(CodeParameters.model_validate({"timeout_s": 1.0, **parameters}))


def score(response: str, row: dict[str, Any] | None = None) -> float:
    benchmark = code()
    return benchmark.judge(response, benchmark.document(Item("id", 0, row or ROW))).score


def test_a_continuation_follows_its_prompt_and_a_whole_function_replaces_it() -> None:
    assert whole_program(RIGHT, PROMPT, "half") == PROMPT + RIGHT
    whole = "Here it is:\n```python\ndef half(x):\n    return floor(x / 2)\n```\nDone."
    assert whole_program(whole, PROMPT, "half").startswith("from math import floor\n\n\ndef half(x):\n    return floor")
    assert whole_program("```\nx = 1\n```", "", "") == "x = 1\n"


def test_tests_come_with_their_set_up_and_a_row_without_any_cannot_be_asked() -> None:
    assert source_of_tests(MBPP) == "import math\nassert f(1) == 2\nassert f(0) == 1"
    with pytest.raises(UnusableItem, match="tests or test_list or test: is no Python source"):
        source_of_tests({"prompt": "x", "tests": [1]})


CASES = [{"input": "2 3\n", "output": "5\n", "testtype": "stdin"}, {"input": "1 1", "output": "2", "testtype": "stdin"}]
PRINTS = {"question_content": "Add two numbers.", "starter_code": "", "public_test_cases": json.dumps(CASES)}
CALLED = {
    "question_content": "Both in a list.",
    "starter_code": "class Solution:\n    def pair(self, a: int, b: int) -> list:\n        ",
    "public_test_cases": json.dumps([{"input": "1\n[2]", "output": "[1, [2]]", "testtype": "functional"}]),
    "private_test_cases": json.dumps([{"input": "3\n4", "output": "[3, 4]", "testtype": "functional"}]),
    "metadata": json.dumps({"func_name": "pair"}),
}


def pickled(text: str) -> bytes:
    """What Python's pickling (protocol 4) makes of a text."""
    data = text.encode()
    body = b"X" + len(data).to_bytes(4, "little") + data + b"\x94."
    return b"\x80\x04\x95" + len(body).to_bytes(8, "little") + body


def packed(pickle: bytes) -> str:
    return base64.b64encode(zlib.compress(pickle)).decode()


HIDDEN = {**CALLED, "private_test_cases": packed(pickled(CALLED["private_test_cases"]))}


@pytest.mark.parametrize(
    ("row", "program", "expected"),
    [
        (HIDDEN, "def pair(a, b):\n    return [a, b]", 1.0),
        (HIDDEN, "def pair(a, b):\n    return [1, [2]]", 0.0),
        (PRINTS, "print(sum(map(int, input().split())))", 1.0),
        (
            PRINTS,
            "import sys\nif __name__ == '__main__':\n    print(float(sum(map(int, sys.stdin.buffer.read().split()))))",
            1,
        ),
        (PRINTS, "print(5)", 0.0),
        (PRINTS, "print(5)\nraise SystemExit", 0.0),
        (CALLED, "class Solution:\n    def pair(self, a, b):\n        return (a, b)", 1.0),
        (CALLED, "def pair(a, b):\n    return [a, b]", 1.0),
        (CALLED, "class Solution:\n    def pair(self, a, b):\n        return [1, [2]]", 0.0),
    ],
)
def test_contest_problems_are_run_on_every_case(row: dict[str, Any], program: str, expected: float) -> None:
    assert score(f"```python\n{program}\n```", row) == expected


def test_contest_problems_say_what_form_the_answer_has() -> None:
    benchmark = code()
    prompts = [benchmark.document(Item("id", 0, row))["prompt"] for row in (PRINTS, CALLED)]
    assert "from standard input" in prompts[0]
    assert "def pair(self" in prompts[1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"private_test_cases": "eJxrYJmayA"}, "neither JSON nor packed"),
        ({"private_test_cases": packed(b"cos\nsystem\n(S'true'\ntR.")}, "neither JSON nor packed"),
        ({"private_test_cases": packed(pickled("[1]"))[:-8]}, "neither JSON nor packed"),
        ({"public_test_cases": "[1]"}, "not a list of cases"),
        ({"metadata": "{}"}, "names no func_name"),
        ({"question_content": ""}, "question_content: is no text"),
    ],
)
def test_a_contest_problem_that_cannot_be_run_says_why(change: dict[str, Any], words: str) -> None:
    with pytest.raises(UnusableItem, match=words):
        code().document(Item("id", 0, {**CALLED, **change}))


def test_completions_of_functions_end_at_the_next_thing_that_is_not_indented() -> None:
    benchmark = code()
    continued = benchmark.task([benchmark.document(Item("id", 0, ROW))])
    assert "\ndef" in continued["generation_kwargs"]["until"]
    asked = benchmark.task([benchmark.document(Item("id", 0, MBPP))])
    assert asked["generation_kwargs"]["until"] == []


def test_a_window_takes_items_by_their_day_of_release() -> None:
    window = CodeParameters.model_validate({"released_from": "2024-08-01", "released_before": "2025-01-01"})
    days = ["2024-07-31", "2024-08-01T00:00:00", "2024-12-31", "2025-01-01", None]
    assert [window.takes({"released": day}) for day in days] == [False, True, True, False, False]
    assert CodeParameters().takes({})


@pytest.mark.real
def test_right_programs_pass_and_wrong_ones_do_not() -> None:
    assert score(RIGHT) == 1.0
    assert score("    return x / 2\n") == 0.0
    assert score("```python\ndef f(x):\n    return x + 1\n```", MBPP) == 1.0
    assert score("", MBPP) == 0.0


@pytest.mark.real
def test_a_stored_response_is_judged_as_it_was() -> None:
    benchmark = code()
    document = benchmark.document(Item("id", 0, ROW))
    kept = json.loads(json.dumps(benchmark.kept(document)))
    assert benchmark.judge(RIGHT, benchmark.stored(kept["answer"], kept)).score == 1.0


def needs(*rights: str) -> None:
    if missing := [right for right in rights if not confinement()[right]]:
        pytest.skip(f"this machine cannot deny a program {', '.join(missing)}")


@pytest.mark.real
def test_a_solution_that_reads_files_scores_0_and_learns_nothing(tmp_path: Path) -> None:
    needs("files")
    secret = tmp_path / "secret"
    secret.write_text("half = lambda x: x // 2")
    assert score(f"    pass\nexec(open({str(secret)!r}).read())\n") == 0.0


@pytest.mark.real
def test_a_solution_that_opens_sockets_scores_0_and_reaches_nobody() -> None:
    needs("network")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        port = server.getsockname()[1]
        assert score(f"{RIGHT}\nimport socket\nsocket.create_connection(('127.0.0.1', {port}), 1)\n") == 0.0
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.real
def test_a_solution_that_forks_without_end_scores_0_and_leaves_no_process() -> None:
    needs("processes")
    forks = "\nimport os, time\nfor _ in range(200):\n    if os.fork() == 0:\n        time.sleep(60)\n"
    assert score(RIGHT + forks) == 0.0
    running = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if os.access(path, os.R_OK)]
    assert not any(b"assay-code-" in command for command in running)


@pytest.mark.real
def test_a_solution_that_fills_memory_scores_0() -> None:
    assert score(f"{RIGHT}\nx = bytearray(8 << 30)\n") == 0.0


@pytest.mark.real
def test_a_solution_that_fills_the_disk_scores_0_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("disk")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    fills = "\nfor name in range(10**6):\n    open(f'f{name}', 'wb').write(b'0' * (1 << 23))\n"
    assert score(RIGHT + fills) == 0.0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.real
def test_a_solution_that_never_ends_scores_0_in_time() -> None:
    began = time.monotonic()
    assert score(f"{RIGHT}\nwhile True: pass\n") == 0.0
    assert time.monotonic() - began < 30


@pytest.mark.real
def test_a_solution_that_prints_gigabytes_scores_0_and_its_output_is_not_kept() -> None:
    assert score(f"{RIGHT}\nwhile True: print('x' * 10**6, flush=True)\n") == 0.0


@pytest.mark.real
def test_a_solution_that_leaves_before_the_tests_or_takes_them_away_scores_0() -> None:
    assert score("    return 0\nimport os\nos._exit(0)\n") == 0.0
    assert score("    return 0\nimport builtins\nbuiltins.AssertionError = ValueError\n") == 0.0


@pytest.mark.real
def test_a_model_is_asked_and_every_program_it_writes_is_judged(evaluated) -> None:
    rows = [{"id": "a", **ROW}, {"id": "b", "prompt": "def g():\n", "entry_point": "g", "test": "def check(f): pass\n"}]
    result, samples = evaluated("code", rows, {"max_tokens": 2, "samples": 2, "temperature": 1.0, "timeout_s": 1})
    assert list(result.metrics) == ["passed", "pass@1", "pass@2"]
    assert [sample.score for sample in samples] == [0.0] * 4
    assert samples[0].extracted.startswith(PROMPT)
    assert samples[0].scorer == 'passed/1 {"timeout_s":1}'
