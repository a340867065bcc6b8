"""Problems as LiveCodeBench's files have them: what is asked, and their cases as tests in Python.

Pure; runs nothing, and unpickles nothing: the text that hidden cases are packed in is read from the bytes themselves.
"""

from __future__ import annotations

import base64
import json
import pickletools
import zlib
from collections.abc import Mapping
from typing import Any

from assay_evaluator.benchmarks.base import UnusableItem

PUBLIC, PRIVATE = "public_test_cases", "private_test_cases"
READS_INPUT = "# The program reads its input and prints its answer.\n"
FROM_INPUT = "Read the input from standard input and print the answer to standard output."
WITH_STARTER = "Use this starter code, and keep its names."
ASK = "Answer with the whole program in one block of Python."
MOST_BYTES = 256 * 2**20
TEXT = frozenset({"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"})
AROUND_A_TEXT = frozenset({"PROTO", "FRAME", "MEMOIZE", "BINPUT", "LONG_BINPUT", "STOP"})
HELPERS = """\
import contextlib, io, sys
def _printed(given):
    sys.stdin, written = io.TextIOWrapper(io.BytesIO(given.encode())), io.StringIO()
    with contextlib.redirect_stdout(written), contextlib.suppress(SystemExit):
        exec(compile(PROGRAM, "program", "exec"), {"__name__": "__main__"})
    return written.getvalue()
def _number(word):
    try:
        return float(word)
    except ValueError:
        return word
def _same(one, other):
    lines = [[line.strip() for line in text.strip().splitlines()] for text in (one, other)]
    words = [[list(map(_number, line.split())) for line in text] for text in lines]
    return lines[0] == lines[1] or words[0] == words[1]
def _plain(value):
    return [_plain(one) for one in value] if isinstance(value, (list, tuple)) else value
"""


def is_contest(row: Mapping[str, Any]) -> bool:
    return row.get(PUBLIC) is not None


def asked(row: Mapping[str, Any]) -> str:
    """The problem with what the answer is to be. Raises UnusableItem."""
    problem = row.get("question_content")
    if not isinstance(problem, str) or not problem.strip():
        raise UnusableItem("question_content: is no text; give the problem")
    starter = str(row.get("starter_code") or "").strip()
    form = f"{WITH_STARTER}\n```python\n{starter}\n```" if starter else FROM_INPUT
    return f"{problem.strip()}\n\n{form}\n{ASK}\n"


def tests_of_cases(row: Mapping[str, Any]) -> str:
    """The public and private cases as Python source. Raises UnusableItem."""
    cases = [*_cases(row, PUBLIC), *_cases(row, PRIVATE)]
    kinds = {case["testtype"] for case in cases}
    if kinds == {"stdin"}:
        checks = [f"assert _same(_printed({case['input']!r}), {case['output']!r})" for case in cases]
        return READS_INPUT + HELPERS + "\n".join(checks)
    if kinds != {"functional"}:
        raise UnusableItem(f"{PUBLIC}: testtype is {', '.join(sorted(kinds)) or 'missing'}; use stdin or functional")
    name = _function(row)
    return HELPERS + "\n".join(_call(name, case) for case in cases)


def runnable(program: str, tests: str) -> str:
    """The program as its tests take it: one that reads its input is run by them, once a case."""
    return f"PROGRAM = {program!r}" if tests.startswith(READS_INPUT) else program


def _cases(row: Mapping[str, Any], column: str) -> list[dict[str, str]]:
    given = row.get(column)
    if given in (None, ""):
        return []
    try:
        text = packed_text(given) if isinstance(given, str) and given.lstrip()[:1] != "[" else given
        cases = json.loads(text) if isinstance(text, str) else text
    except (ValueError, zlib.error) as error:
        raise UnusableItem(f"{column}: is neither JSON nor packed as LiveCodeBench packs it; give JSON") from error
    wanted = ("input", "output", "testtype")
    whole = isinstance(cases, list) and all(
        isinstance(case, dict) and all(isinstance(case.get(name), str) for name in wanted) for case in cases
    )
    if not whole:
        raise UnusableItem(f"{column}: is not a list of cases with input, output and testtype as text")
    return list(cases)


def packed_text(packed: str) -> str:
    """The text in base64 of zlib of a pickle of nothing but a text, which is how LiveCodeBench packs hidden cases.

    The pickle is read as a list of what it would have done, and nothing of that is done. Raises ValueError or
    zlib.error for anything else, and for more than 256 MiB.
    """
    unpacking = zlib.decompressobj()
    data = unpacking.decompress(base64.b64decode(packed, validate=True), MOST_BYTES)
    if not unpacking.eof:
        raise ValueError(f"more than {MOST_BYTES} bytes, or not all of them")
    steps = [(opcode.name, argument) for opcode, argument, _ in pickletools.genops(data)]
    texts = [str(argument) for name, argument in steps if name in TEXT]
    if len(texts) != 1 or {name for name, _ in steps} - TEXT - AROUND_A_TEXT:
        raise ValueError("not a text alone")
    return texts[0]


def _function(row: Mapping[str, Any]) -> str:
    metadata = row.get("metadata")
    try:
        found = json.loads(metadata) if isinstance(metadata, str) else metadata
    except ValueError:
        found = None
    name = found.get("func_name") if isinstance(found, Mapping) else None
    if not isinstance(name, str) or not name.isidentifier():
        raise UnusableItem("metadata: names no func_name; give the function that is called")
    return name


def _call(name: str, case: Mapping[str, str]) -> str:
    """One call with a JSON value a line, of the class `Solution` where there is one."""
    try:
        arguments, expected = [json.loads(line) for line in case["input"].splitlines()], json.loads(case["output"])
    except ValueError as error:
        raise UnusableItem(f"{PUBLIC}: a functional case is no JSON, a value a line: {error}") from error
    target = f"getattr(globals().get('Solution', lambda: None)(), {name!r}, None) or {name}"
    return f"assert _plain(({target})(*{arguments!r})) == {expected!r}"
