"""Every call in the product's source that speaks to database, broker or store, found by reading the source.

Never runs anything: which of these a service passed is told by its register.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edges import CONSUMER, STATEMENTS, STORE
from places import PASS_ON, own_file
from places import STORE as INSIDE_STORE

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("chassis/assay_chassis", *(f"services/{name}/assay_{name}" for name in
            ("scheduler", "trainer", "evaluator", "reporter")))  # fmt: skip
SPOKEN = {
    **dict.fromkeys((*STATEMENTS, "add_listener", "set_type_codec"), r"connection$"),
    **dict.fromkeys((*STORE, "list"), r"(^|[._])store$"),
    **dict.fromkeys(CONSUMER, r"consumer$"),
    "connect": r"^asyncpg$",
    "start": r"(^|\.)(consumer|producer|broker)$",
    "publish": r"publisher$",
    "send": r"^self\._sender$",
    "transaction": r"(database|app)$",
}
"""Methods, and how what they are called on is called."""
PLACE = re.compile(r"(before|after) (\w+) ([\w/]+\.py):(\d+) (\S+)")


@dataclass(frozen=True)
class Site:
    """A call: its file from the package on, the function it stands in, its first and last line, and what is called."""

    file: str
    function: str
    first: int
    last: int
    called: str

    def __str__(self) -> str:
        return f"{self.file}:{self.first} {self.function}: {self.called}"

    def holds(self, file: str, line: int) -> bool:
        return file == self.file and self.first <= line <= self.last


def every_site(root: Path = ROOT) -> list[Site]:
    """In the order of the source."""
    found = [site for package in PACKAGES for path in sorted((root / package).rglob("*.py")) for site in sites_in(path)]
    return sorted(found, key=lambda site: (site.file, site.first))


def not_passed(sites: Iterable[Site], points: Iterable[str]) -> list[Site]:
    """Those that none of these points of registers lies in."""
    passed = {(found[3], int(found[4])) for point in points if (found := PLACE.fullmatch(point))}
    return [site for site in sites if not any(site.holds(*place) for place in passed)]


def points_of(site: Site) -> list[str]:
    """How a register's words for the points of a site begin."""
    name = site.called.rpartition(".")[2]
    acts = ("begin", "commit") if name == "transaction" else (name,)
    return [f"{side} {act} {site.file}:{site.first} " for act in acts for side in ("before", "after")]


def sites_in(path: Path) -> Iterator[Site]:
    file = own_file(path.as_posix())
    if file is not None and not file.startswith(INSIDE_STORE):
        yield from _calls(ast.parse(path.read_text(encoding="utf-8")), file, "")


def _calls(node: ast.AST, file: str, function: str) -> Iterator[Site]:
    for child in ast.iter_child_nodes(node):
        inside = function
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            inside = child.name
        elif isinstance(child, ast.Call) and (file, function) not in PASS_ON and _speaks(child):
            yield Site(file, function, child.lineno, child.end_lineno or child.lineno, ast.unparse(child.func))
        yield from _calls(child, file, inside)


def _speaks(call: ast.Call) -> bool:
    match call.func:
        case ast.Attribute(value, name):
            return name in SPOKEN and re.search(SPOKEN[name], ast.unparse(value)) is not None
        case ast.Name("transaction"):
            return True
    return False
