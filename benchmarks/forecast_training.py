"""Processor seconds to train all models of one gate and day, and to forecast another day of the same week.

What belongs here: the speed of `forecasting/`, on a year of history. What does not: skill (`validation.py`), the
speed of scenarios (`scenario_speed.py`), reading tables and correctness (tests/).

Usage, from the project's root:  python benchmarks/forecast_training.py [--runs N] [--sample-only] [--profile]

Targets on one core: training under 2 s (it happens once a week by default), a further day of the week under 0.15 s,
the choice by value with the battery of the settings included. Information sets are observed beforehand. The sample
market has its published forecasts; the recorded prices (../shared/realdata) have none, and the within-day index stands
in for the day-ahead price.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
from datetime import date, timedelta
from time import perf_counter, process_time

from validation import BATTERY, REALDATA, recorded_panel, simulated_panel

from bess_pipeline.forecast_settings import ForecastSettings
from bess_pipeline.forecasting.choice import Trader
from bess_pipeline.forecasting.forecast import forget_trained, make_forecast
from bess_pipeline.forecasting.information import Information
from bess_pipeline.forecasting.market_panel import MarketPanel
from bess_pipeline.forecasting.observation import observe
from bess_pipeline.optimisation.solver import Solver
from bess_pipeline.settings import SolverSettings
from bess_pipeline.trading.timeline import GATES, Gate

SETTINGS, SEED = ForecastSettings(), 1
MONDAYS = {"sample market": date(2025, 2, 3), "recorded data": date(2025, 2, 3)}  # days of retraining


def main() -> None:
    """Print a line for each market and gate."""
    asked = _arguments()
    panels = {"sample market": lambda: simulated_panel(SEED)}
    if REALDATA.is_dir() and not asked.sample_only:
        panels["recorded data"] = recorded_panel
    print(f"{SETTINGS.calibration_days} days of history, best of {asked.runs}: processor seconds (wall clock)")
    for words, make in panels.items():
        panel = make()
        for gate in GATES:
            train, ask, streams = timed(panel, MONDAYS[words], gate, asked.runs, asked.profile)
            print(
                f"{words}, {gate} gate, {streams} streams: training {train[0]:.2f} ({train[1]:.2f}), "
                f"a further day {ask[0]:.3f} ({ask[1]:.3f})",
                flush=True,
            )


def timed(
    panel: MarketPanel, monday: date, gate: Gate, runs: int, profile: bool
) -> tuple[tuple[float, float], tuple[float, float], int]:
    """Processor and wall-clock seconds of training and of a further day, and how many streams are forecast."""
    days = [monday + timedelta(days=k) for k in range(2)]
    known = {day: observe(panel, day, gate, SETTINGS.calibration_days) for day in days}
    trader = Trader(BATTERY, Solver(SolverSettings()).roll)

    def information_of(day: date, _: str) -> Information:
        return known[day]

    def forecast(day: date) -> tuple[float, float]:
        clock, processor = perf_counter(), process_time()
        make_forecast(information_of, day, gate, SETTINGS, trader)
        return process_time() - processor, perf_counter() - clock

    make_forecast(information_of, days[0], gate, SETTINGS, trader)  # libraries loaded
    trained, asked = [], []
    with cProfile.Profile() if profile else _Nothing() as watched:
        for _ in range(runs):
            forget_trained()
            trained.append(forecast(days[0]))
            asked.append(forecast(days[1]))
    if isinstance(watched, cProfile.Profile):
        pstats.Stats(watched).sort_stats("tottime").print_stats(30)
    return min(trained), min(asked), len(make_forecast(information_of, days[1], gate, SETTINGS, trader).marginals)


class _Nothing:
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--sample-only", action="store_true")
    parser.add_argument("--profile", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
