"""`python -m assay_evaluator.rescoring`: sample files judged again, one JSON document out; `assay rescore` calls it.

Writes only where it is told to, and never over a file that is there.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from assay_evaluator.rescoring.rescore import NotSamples, rescore
from assay_evaluator.rescoring.scorers import SCORERS, Scorer, ScorerRefused, scorer_of

REFUSED = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """0, or 2 where files, scorer or options cannot be used: the reason is on standard error."""
    parser = argparse.ArgumentParser(prog="python -m assay_evaluator.rescoring", description=(__doc__ or "")[:120])
    parser.add_argument("files", nargs="+", type=Path, metavar="SAMPLES")
    parser.add_argument("--scorer", required=True, help=", ".join(SCORERS))
    parser.add_argument("--set", action="append", default=[], metavar="OPTION=VALUE", dest="options")
    parser.add_argument("--output", type=Path, help="folder for the new files")
    given = parser.parse_args(arguments)
    try:
        scorer = scorer_of(given.scorer, dict(map(option, given.options)))
        done = [rescored(path, scorer, given.output) for path in given.files]
    except (ScorerRefused, NotSamples, OSError) as error:
        print(error, file=sys.stderr)
        return REFUSED
    print(json.dumps(done, ensure_ascii=False))
    return 0


def option(text: str) -> tuple[str, str]:
    """`name=value`. Raises ScorerRefused for anything else."""
    name, equals, value = text.partition("=")
    if not equals:
        raise ScorerRefused(f"--set {text!r}: give OPTION=VALUE")
    return name.strip(), value


def rescored(path: Path, scorer: Scorer, folder: Path | None) -> dict[str, Any]:
    """What judging one file again changes; with a folder, the new file is written there under the same name.

    Raises NotSamples, FileExistsError, and OSError for files that cannot be read or written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        samples = pq.ParquetFile(path).read()
    except pa.ArrowInvalid as error:
        raise NotSamples(f"{path.name}: is no Parquet file: {error}") from error
    table, change = rescore(samples, scorer)
    target = None if folder is None else folder / path.name
    if target is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            try:
                pq.write_table(table, file, compression="zstd")
            except OSError as error:
                target.unlink()
                raise OSError(error.errno, f"{target} was not written: {error.strerror}") from error
    return {"file": str(path), "output": None if target is None else str(target), **asdict(change)}


if __name__ == "__main__":
    sys.exit(main())
