"""Rewrites what is generated from code: schemas/json, schemas/asyncapi.json and docs/settings.md.

Example: python -m scripts.generate --check
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from assay_schemas.generate import generated_files

ROOT = Path(__file__).resolve().parent.parent


def texts() -> dict[Path, str]:
    """Every generated file's text by its place in the repository."""
    return {ROOT / "schemas" / path: text for path, text in generated_files().items()}


def stale() -> list[Path]:
    """The files that differ from what the code generates, and generated ones nothing generates any more."""
    wanted = texts()
    differing = [path for path, text in wanted.items() if not path.is_file() or path.read_text() != text]
    orphans = [path for path in (ROOT / "schemas/json").rglob("*.json") if path not in wanted]
    return sorted(differing + orphans)


def write() -> None:
    for path in stale():
        path.unlink(missing_ok=True)
    for path, text in texts().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; fail when a file is stale")
    if not parser.parse_args().check:
        write()
        return 0
    for path in stale():
        print(f"stale: {path.relative_to(ROOT)} (run `make generate`)")
    return 1 if stale() else 0


if __name__ == "__main__":
    sys.exit(main())
