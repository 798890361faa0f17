"""Our path to an optimum against the field's modelling libraries, side by side on the same inputs.

What belongs here: wall-clock comparison of one battery and one price path, for a day, a year as one
linear problem, and a rolling year (48 h seen, 24 h committed). What does not: correctness (tests/; yet
every line prints its objective, and the run fails when two of them differ) and the models themselves
(`modelling_peers.py`).

Usage, from the project's root:
    python benchmarks/modelling_libraries.py [--days 365] [--peers scipy,cvxpy] [--slow-days 20]

The peers live in an environment of their own, `benchmarks/.venv`, made on the first run from the package
index (nothing of it enters the project's lock). Libraries that need more than a tenth of a second a day
are timed over `--slow-days` rolling days only and say so; their first days must agree with ours.
Times differ between machines; the ratios should not. Every solver runs on one thread.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = ROOT / "benchmarks" / ".venv"
PEERS = ("scipy", "cvxpy", "linopy", "pypsa", "pyomo")
EXTRA = ("scipy", "cvxpy", "linopy", "pypsa")
MARK = "BESS_BENCHMARK_INSIDE"


def main() -> None:
    """Make the environment where it is missing, then compare inside it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=365, help="rolling days")
    parser.add_argument("--slow-days", type=int, default=20, help="rolling days for what is slow")
    parser.add_argument("--repeats", type=int, default=3, help="runs of a day and of a year; the shortest counts")
    parser.add_argument("--peers", default=",".join(PEERS), help=f"of {', '.join(PEERS)}")
    arguments = parser.parse_args()
    if os.environ.get(MARK) != "1":
        sys.exit(_run_inside(sys.argv[1:]))
    sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]
    import modelling_run

    modelling_run.compare(arguments.days, arguments.slow_days, arguments.repeats, arguments.peers.split(","))


def _run_inside(arguments: list[str]) -> int:
    """This script again, with the environment's Python; the environment holds the project and the peers."""
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        print("making benchmarks/.venv with the peers (once) …", file=sys.stderr)
        uv = [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "venv", "-q", "--python", sys.executable, str(ENVIRONMENT)], check=True)
        wanted = ["--editable", str(ROOT), *EXTRA]
        subprocess.run([*uv, "pip", "install", "-q", "--python", str(python), *wanted], check=True)
    environment = os.environ | {MARK: "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run([str(python), __file__, *arguments], env=environment, check=False).returncode


if __name__ == "__main__":
    main()
