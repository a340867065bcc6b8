"""Runs benchmarks, all or those named, one after the other; each writes benchmarks/results/NAME.json.

Each runs as a process of its own, so that one that breaks does not stop the others; measures nothing itself.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence

NAMES = (
    "startup",
    "control_plane",
    "load",
    "demo",
    "peer",
    "training_throughput",
    "training_startup",
    "training_gpu",
    "rollout_throughput",
    "verdict_calibration",
    "broken_assumptions",
    "sequential_looks",
    "reward_on_real_pairs",
    "online_learning",
    "overlap_index",
    "evaluation_throughput",
    "shard_tail",
    "rescoring",
    "responses_page",
    "report_speed",
    "many_runs",
    "kueue_scale",
    "company_year",
)
EXAMPLE = """\
example: python -m benchmarks startup control_plane
Options of one benchmark: python -m benchmarks.control_plane --help
Nothing else should run meanwhile: most figures are times."""


def run(name: str) -> bool:
    """Whether the benchmark ended well."""
    print(f"== {name}", flush=True)
    began = time.monotonic()
    code = subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode
    print(f"== {name}: {'done' if code == 0 else f'failed with code {code}'}, {time.monotonic() - began:.0f} s")
    return code == 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0 when every benchmark asked for ended well."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=(__doc__ or "").splitlines()[0],
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", metavar="NAME", nargs="*", help=f"of {', '.join(NAMES)}; without any, all")
    names = parser.parse_args(arguments).names or NAMES
    if unknown := sorted(set(names) - set(NAMES)):
        parser.error(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(NAMES)}")
    done = [run(name) for name in names]
    return 0 if all(done) else 1


if __name__ == "__main__":
    sys.exit(main())
