"""Seconds to make 1,000 scenarios of 48 hours, and to reduce them to 50.

What belongs here: the speed of `scenarios/`, on forecasts made by hand with a year of past ranks. What does not: how
good scenarios are (`scenarios/scores.py`) and correctness (tests/).

Usage, from the project's root:  python benchmarks/scenario_speed.py [--count 1000] [--kept 50] [--days 365] [--runs 5]

Targets on two quiet cores: generation across 8 streams (day-ahead, system price, six response products) under 0.5 s,
the model of dependence included, and reduction under 1 s. One thread each. The best of the runs is printed, and the
processor time of that run, which other work on the machine changes less.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "tests")]

from scenario_forecasts import ACTIVATION, EIGHT, Law, forecast_set

from bess_pipeline.scenarios.dependence import METHODS
from bess_pipeline.scenarios.generate import generate
from bess_pipeline.scenarios.reduce import reduce_scenarios


def best(run: Callable[[], object], runs: int) -> tuple[float, float]:
    """Wall-clock and processor seconds of the quickest run."""
    taken = []
    for _ in range(runs):
        clock, processor = perf_counter(), process_time()
        run()
        taken.append((perf_counter() - clock, process_time() - processor))
    return min(taken)


def main() -> None:
    """Print a line for each size and step."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("count", 1000), ("kept", 50), ("days", 365), ("runs", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    asked = parser.parse_args()
    print(f"{asked.count} scenarios of 48 h, {asked.days} days of ranks, best of {asked.runs}: seconds (processor)")
    for words, streams in (("8 streams", EIGHT), ("14 streams, with activation", [*EIGHT, *ACTIVATION])):
        forecast = forecast_set(streams, Law().history(streams, asked.days, 1))
        print(words)
        for method in METHODS:
            wall, processor = best(lambda f=forecast, m=method: generate(f, asked.count, m, 1), asked.runs)  # type: ignore[misc]
            print(f"  generate {method:<12} {wall:6.3f}  ({processor:.3f})")
        full = generate(forecast, asked.count, "copula", 1)
        for correct in (True, False):
            wall, processor = best(
                lambda s=full, c=correct: reduce_scenarios(s, asked.kept, correct_means=c), asked.runs
            )  # type: ignore[misc]
            note = "means corrected" if correct else "as nearest"
            print(f"  reduce to {asked.kept}, {note:<16} {wall:6.3f}  ({processor:.3f})")


if __name__ == "__main__":
    main()
