"""Seconds to make 1,000 scenarios of 48 hours, and to reduce them to 50.

What belongs here: the speed of `scenarios/`, on forecasts made by hand with a year of past ranks. What does not: how
good scenarios are (`scenarios/scores.py`) and correctness (tests/).

Usage, from the project's root:  PYTHONPATH=tests python benchmarks/scenario_speed.py [--count N] [--kept K] [--days D]

Targets on two quiet cores: generation across 8 streams (day-ahead, system price, six response products) under 0.5 s,
the model of dependence included, and reduction under 1 s. One thread each. The best of the runs is printed, and the
processor time of that run, which other work on the machine changes less.

Beside them stands what is quickly written with the usual libraries, for the eight streams:

* draws: `numpy.random.Generator.multivariate_normal` with the sample's correlation, `pandas.DataFrame.rank`, and
  `numpy.interp` period by period. No shrinkage, no clocks, no streams without a past;
* reduction: greedy forward selection that tries every scenario as the next one, without updates of what changed and
  without exchanges. Its distance is printed beside ours, as a share of that of the best single scenario.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from time import perf_counter, process_time

import numpy as np
import pandas as pd
from scenario_forecasts import ACTIVATION, EIGHT, Law, forecast_set
from scipy.special import ndtri

from bess_pipeline.forecasting.distribution import LEVELS, ForecastSet
from bess_pipeline.scenarios.dependence import METHODS
from bess_pipeline.scenarios.generate import generate
from bess_pipeline.scenarios.metric import coordinates, distances
from bess_pipeline.scenarios.paths import ScenarioSet
from bess_pipeline.scenarios.reduce import reduce_scenarios
from bess_pipeline.threads import one_thread


def best(run: Callable[[], object], runs: int) -> tuple[float, float]:
    """Wall-clock and processor seconds of the quickest run."""
    taken = []
    for _ in range(runs):
        clock, processor = perf_counter(), process_time()
        run()
        taken.append((perf_counter() - clock, process_time() - processor))
    return min(taken)


def plain_draws(forecast: ForecastSet, count: int) -> dict[str, np.ndarray]:
    """Values (count, periods) by stream, tied by the sample's correlation of normal scores."""
    keys = [(name, lead) for name in sorted(forecast.marginals) for lead in (0, 1)]
    past = pd.DataFrame(np.hstack([forecast.history.rank[key] for key in keys]))
    scores = ndtri((past.rank() - 0.5) / len(past))
    correlation = np.corrcoef(scores, rowvar=False)
    drawn = np.random.default_rng(1).multivariate_normal(np.zeros(len(correlation)), correlation, count, method="svd")
    level = ((pd.DataFrame(drawn).rank() - 0.5) / count).to_numpy()
    found, start = {}, 0
    for name, one in sorted(forecast.marginals.items()):
        periods = len(one.quantile)
        columns = [np.interp(level[:, start + k], LEVELS, one.quantile[k]) for k in range(periods)]
        found[name] = np.column_stack(columns)
        start += periods
    return found


def plain_reduction(full: ScenarioSet, kept: int) -> float:
    """Distance of greedy forward selection, relative to that of the best single scenario."""
    gap = distances(coordinates(full))
    nearest, single = np.full(len(gap), np.inf), (full.probability @ gap).min()
    for _ in range(kept):
        costs = [full.probability @ np.minimum(nearest, gap[other]) for other in range(len(gap))]
        nearest = np.minimum(nearest, gap[int(np.argmin(costs))])
    return float(full.probability @ nearest / single)


def compare(forecast: ForecastSet, count: int, kept: int, runs: int) -> None:
    """Ours beside the plain way."""
    full = generate(forecast, count, "copula", 1)
    with one_thread():
        steps = (
            ("draws", lambda: generate(forecast, count, "copula", 1), lambda: plain_draws(forecast, count)),
            (
                "reduction",
                lambda: reduce_scenarios(full, kept, correct_means=False),
                lambda: plain_reduction(full, kept),
            ),
        )
        print(f"{'side by side, 8 streams':<32} ours (processor)   plain (processor)")
        for words, ours, plain in steps:
            (wall, processor), (other, its) = best(ours, runs), best(plain, min(runs, 2))
            print(f"  {words:<28}  {wall:6.3f}  ({processor:.3f})    {other:6.3f}  ({its:.3f})")
        share = reduce_scenarios(full, kept, correct_means=False).relative_distance
        print(f"  {'distance of the reduction':<28}  {share:6.4f}             {plain_reduction(full, kept):6.4f}")


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
            wall, processor = best(lambda f=forecast, m=method: generate(f, asked.count, m, 1), asked.runs)
            print(f"  generate {method:<12} {wall:6.3f}  ({processor:.3f})")
        full = generate(forecast, asked.count, "copula", 1)
        for correct in (True, False):
            wall, processor = best(
                lambda s=full, c=correct: reduce_scenarios(s, asked.kept, correct_means=c), asked.runs
            )
            note = "means corrected" if correct else "as nearest"
            print(f"  reduce to {asked.kept}, {note:<16} {wall:6.3f}  ({processor:.3f})")
    eight = forecast_set(EIGHT, Law().history(EIGHT, asked.days, 1))
    compare(eight, asked.count, asked.kept, asked.runs)


if __name__ == "__main__":
    main()
