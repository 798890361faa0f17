"""Speed of the replay of `co_optimised_cvar`: two gates from stored scenarios and 48 decisions a day.

What belongs here: processor seconds a day of that strategy on recorded days, the share of it inside HiGHS, what a year
would take, and the peak of memory. What does not: what it earns (`recorded_ladder.py`).

Usage, from the project's root:  python benchmarks/market_replay.py [--days 4] [--workspace FOLDER]

Target: 365 days with 50 reduced scenarios under 20 minutes on 2 processes, 70 % of it inside HiGHS. Forecasts and
scenarios are made before and not counted; plans and dispatch of the other strategies are made beside and not counted.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
from datetime import date, timedelta
from pathlib import Path

from recorded_run import RecordedRun, settings_of, write_market
from recorded_tables import add_folder
from stopwatch import Stopwatch

from bess_pipeline.threads import one_thread
from bess_pipeline.trading.co_optimised_names import RISK_AVERSE

FIRST = date(2024, 9, 16)
YEAR_DAYS, PROCESSES, TARGET_MINUTES = 365, 2, 20


def main() -> None:
    """Print seconds a day, and a year's minutes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_folder(parser)
    parser.add_argument("--workspace", type=Path, help="folder of the run, kept (default: a new temporary one)")
    parser.add_argument("--days", type=int, default=4)
    parser.add_argument("--reduced", type=int, default=50)
    parser.add_argument("--drawn", type=int, default=1000)
    asked = parser.parse_args()
    folder = asked.workspace or Path(tempfile.mkdtemp(prefix="market_replay_"))
    days = [FIRST + timedelta(days=k) for k in range(asked.days)]
    settings = settings_of([FIRST], reduced=asked.reduced, drawn=asked.drawn, cap_mw=None)
    before = os.getloadavg()[0]
    with one_thread():
        run = RecordedRun(folder, settings, write_market(folder, asked.tables), "speed", Stopwatch())
        run.week(days)
    table = run.timings().groupby("step")[["cpu_s", "highs_s", "calls"]].sum() / asked.days
    own = table.loc[[f"plan {RISK_AVERSE}", f"dispatch {RISK_AVERSE}"]]
    print(f"{asked.days} recorded days from {FIRST}, {asked.reduced} scenarios of {asked.drawn}; "
          f"load {before:.1f} before, {os.getloadavg()[0]:.1f} after")  # fmt: skip
    print(own.round(3).to_string())
    seconds, inside = own["cpu_s"].sum(), own["highs_s"].sum() / own["cpu_s"].sum()
    minutes = seconds * YEAR_DAYS / PROCESSES / 60
    print(f"{RISK_AVERSE}: {seconds:.2f} s CPU a day, {100 * inside:.0f} % inside HiGHS; {YEAR_DAYS} days on "
          f"{PROCESSES} processes: {minutes:.0f} minutes (target {TARGET_MINUTES})")  # fmt: skip
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory, forecasts included: {peak_mb:.0f} MB")
    print(table.round(3).to_string())


if __name__ == "__main__":
    main()
