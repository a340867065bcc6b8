"""`python -m assay_chassis.compute.keep_run FOLDER GRACE_S`: a keeper in a process of its own, for one run.

Never imported: the package itself uses the keeper's code, which therefore cannot be the program.
"""

from __future__ import annotations

import sys
from pathlib import Path

from assay_chassis.compute.folder import RunFolder
from assay_chassis.compute.keeper import keep


def main(arguments: list[str]) -> None:
    """Keep the run of the backend's folder; the grace period is in seconds."""
    folder, grace_s = arguments
    keep(RunFolder(Path(folder)), float(grace_s))


if __name__ == "__main__":
    main(sys.argv[1:])
