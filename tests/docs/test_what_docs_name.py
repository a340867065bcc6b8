"""What the documentation names is there: commands and their options, make targets, files, settings, links."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES = [page for page in PAGES if page.name != "log.md"]
FOLDERS = "|".join(sorted(path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")))
CODE = re.compile(r"^```[\s\S]*?^```|`[^`\n]+`|^    \S.*$", re.MULTILINE)
COMMAND = r"(?<![\w./=-])(?<!from )(?<!-n )assay (?!create|import)(?=[a-z])(?:'[^']*'|[^|;&()])*"
MODULE = r"python -m (?:benchmarks|simulation|fuzzing|scripts)[\w.]*[^|;&]*"
MADE = re.compile(r"NAME|^services/\w+/tracking$")
"""Names that stand for others, and folders that a running system makes."""
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(#[^)\s]*)?\)")


def code(page: Path) -> Iterator[str]:
    """Every line of code of a page, whether a block or within a sentence."""
    for match in CODE.finditer(page.read_text()):
        for line in match[0].strip("`").splitlines():
            yield line.split(" # ")[0].strip()


def each(pattern: str) -> list[tuple[str, str]]:
    """Page and what matched, once each."""
    found = {(page.name, match[0]) for page in PAGES for line in code(page) for match in re.finditer(pattern, line)}
    return sorted(found)


def words_of(line: str) -> list[str]:
    return shlex.split(line.replace("…", "X"), comments=True)


def options(words: list[str]) -> set[str]:
    return {word.split("=")[0] for word in words if re.fullmatch(r"--[a-z][a-z-]*(=.*)?", word)}


def test_commands_of_assay_have_the_options_they_are_shown_with() -> None:
    from assay.cli import app
    from typer.main import get_command

    root: Any = get_command(app)
    wrong = []
    for page, line in each(COMMAND):
        command, words = root, words_of(line)[1:]
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        if command is root or options(words) - known - {"--help"}:
            wrong.append((page, line))
    assert wrong == []


def test_modules_have_the_options_they_are_shown_with() -> None:
    assert [(page, line) for page, line in each(MODULE) if not module_takes(*words_of(line)[2:])] == []


def module_takes(module: str, *words: str) -> bool:
    """Options stand in the sources as they are, or by their names, as `results_file.begin` takes them."""
    path = ROOT / module.replace(".", "/")
    sources = [path.with_suffix(".py")] if path.with_suffix(".py").exists() else sorted(path.glob("*.py"))
    shared = [ROOT / "benchmarks" / "results_file.py"] if module.startswith("benchmarks") else []
    text = "".join(source.read_text() for source in [*sources, *shared])
    return bool(sources) and all(f'"{one}"' in text or f'"{one[2:]}":' in text for one in options(list(words)))


def test_make_has_the_targets_that_are_named() -> None:
    targets = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {line.split()[1] for _, line in each(r"(?<![\w-])(?<!/)make [a-z][\w-]*$")} <= targets


def test_files_that_are_named_are_there() -> None:
    named = each(rf"(?<![\w./:-])(?:{FOLDERS})/[\w./-]+")
    there = {path for _, path in named if (ROOT / path).exists() or (ROOT / f"{path}.py").exists()}
    assert [(page, path) for page, path in named if path not in there and not MADE.search(path)] == []


def test_settings_that_are_named_are_read_somewhere() -> None:
    described = set(re.findall(r"`(ASSAY_\w+)`", (ROOT / "docs/settings.md").read_text()))
    others = {name for _, name in each(r"ASSAY_[A-Z0-9_]*[A-Z0-9]")} - described
    folders = ("chassis", "services", "client", "deploy", "tests", "benchmarks")
    sources = [path for folder in folders for path in (ROOT / folder).rglob("*.py") if "build" not in path.parts]
    text = "".join(path.read_text() for path in [*sources, ROOT / "Makefile"])
    assert sorted(name for name in others if name not in text) == []


def test_links_lead_to_pages_and_to_their_headings() -> None:
    broken = []
    for page in PAGES:
        for path, anchor in LINK.findall(page.read_text()):
            target = (page.parent / path) if path else page
            if not target.exists() or (anchor and anchor[1:] not in anchors(target)):
                broken.append((page.name, path + anchor))
    assert broken == []


def anchors(page: Path) -> set[str]:
    """The headings of a page as their links are written."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_is_reached_from_the_first_one() -> None:
    first = (ROOT / "README.md").read_text()
    assert [page.name for page in (ROOT / "docs").glob("*.md") if f"docs/{page.name}" not in first] == []
