"""CPU of the bound of all markets over 28 days and over a year of synthetic prices.

    python benchmarks/window_bound.py [days ...]

A 50 MW/100 MWh battery with hourly day-ahead products, trade within the day, an imbalance cap of 2.5 MW and six
response products whose activation is known. Prints half-hours, rows, CPU seconds, and value and certified gap in GBP.
"""

from __future__ import annotations

import resource
import sys
import time

import numpy as np

from bess_pipeline.ancillary.products import PRODUCT_TABLE
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.optimisation.market_window import WindowProblem, WindowService
from bess_pipeline.optimisation.market_window_rows import window_arrays
from bess_pipeline.optimisation.market_window_solve import optimise_window

CODES = ("DCL", "DCH", "DML", "DMH", "DRL", "DRH")
HALF_HOURS = 48
DEFAULT_DAYS = (28, 365)


def synthetic(days: int, seed: int = 1) -> WindowProblem:
    """Prices with a daily shape and errors that last; response that pays a few pounds in each EFA block."""
    rng = np.random.default_rng(seed)
    periods = days * HALF_HOURS
    hour = np.arange(periods) % HALF_HOURS / 2.0
    noise = rng.normal(0.0, 15.0, periods)
    for t in range(1, periods):
        noise[t] = 0.9 * noise[t - 1] + 0.44 * noise[t]
    shape = 70.0 + 25.0 * np.sin((hour - 12.0) * np.pi / 12.0) + noise
    product = np.arange(periods) // 2
    day_ahead = (np.bincount(product, shape) / 2.0)[product]
    battery = Battery(100.0, 50.0, 0.94, 0.94, 0.05, 0.95, 0.5, 0.5, 5.0, 1.5)
    rated, opening = np.full(periods, 50.0), np.full(periods, np.nan)
    opening[0] = 50.0
    return WindowProblem(
        battery=battery,
        day_index=np.arange(periods) // HALF_HOURS,
        opening_energy_mwh=opening,
        charge_limit_mw=rated,
        discharge_limit_mw=rated,
        contract_charge_mw=rated,
        contract_discharge_mw=rated,
        product_of_period=product,
        day_ahead_price_gbp_mwh=day_ahead,
        system_price_gbp_mwh=shape + rng.normal(0.0, 30.0, periods),
        imbalance_long_mwh=np.full(periods, 1.25),
        imbalance_short_mwh=np.full(periods, 1.25),
        intraday_price_gbp_mwh=shape + rng.normal(0.0, 8.0, periods),
        intraday_limit_mwh=np.full(periods, 5.0),
        discharge_limit_of_day_mwh=np.full(days, 1.5 * battery.usable_energy_mwh),
        half_spread_gbp_mwh=1.0,
        services=tuple(_service(code, periods, rng) for code in CODES),
        closing_value_gbp_mwh=float(day_ahead.mean()),
    )


def _service(code: str, periods: int, rng: np.random.Generator) -> WindowService:
    product, block = PRODUCT_TABLE[code], np.arange(periods) // 8
    return WindowService(
        code,
        product.direction,
        block,
        np.full(int(block[-1]) + 1, 15.0),
        rng.uniform(0.0, 8.0, int(block[-1]) + 1)[block],
        rng.exponential(0.02, periods),
        np.full(periods, product.duration_h),
        np.zeros(periods),
        np.full(periods, product.recovery_share),
    )


def main() -> None:
    """One line a length."""
    print("days half-hours rows CPU_s value_gbp gap_gbp overlaps peak_MB")
    for days in [int(text) for text in sys.argv[1:]] or DEFAULT_DAYS:
        problem = synthetic(days)
        rows = window_arrays(problem)[0].matrix.shape[0]
        begin = time.process_time()
        found = optimise_window(problem)
        spent, peak = time.process_time() - begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{days} {problem.periods} {rows} {spent:.1f} {found.value_gbp:.0f} {found.gap_gbp:.2f} {found.overlaps} "
            f"{peak:.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
