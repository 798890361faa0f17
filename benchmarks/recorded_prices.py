"""The yardstick on recorded GB prices alone: what forecasts of the day-ahead leg earn of perfect foresight.

What belongs here: the comparison and its printed tables. What does not: forecasts (`recorded_forecasts.py`), the walk
(`recorded_walk.py`), tables (`recorded_tables.py`), markets other than day-ahead, and tests.

Usage, from the project's root:
    python benchmarks/recorded_prices.py [--tables FOLDER] [--first 2023-09-01] [--last 2025-03-28]
                                         [--models chosen combination similar_day lear boosted ridge] [--no-hindsight]

Prints: the holes of the data and what is done about them; for the whole window, for its days up to 2024-03-31 (where
what was tried was looked at first) and for those after it, of every forecaster GBP/MW/year, its share of perfect
foresight of 48 hours and its lead over the mean of 28 days, with 95 % intervals (stationary bootstrap of days, all
series on the same ones); which models were chosen; shares by month; and what hindsight of parts would be worth, which
says where the rest lies. Some minutes of CPU, nearly all of it the fitting of models; `--models` with nothing after it
leaves them out and takes a quarter of a minute.

The battery is the house default: 50 MW, 100 MWh, 88 % there and back, 5-95 %, 1.5 cycles a day, wear 5 GBP/MWh each
way. Gate 09:50 on the day before. P&L is after wear, stored energy at one price.
"""

from __future__ import annotations

import argparse
from datetime import date, timedelta
from functools import partial
from typing import get_args

import numpy as np
import pandas as pd
from recorded_forecasts import Forecasts, blend, by_models, by_rule
from recorded_tables import NO_DAY_AHEAD, Array, RecordedTables, add_folder, list_holes
from recorded_walk import NEXT_DAY, Walk

from bess_pipeline.battery.parameters import Battery
from bess_pipeline.battery_settings import BatterySettings
from bess_pipeline.forecast_settings import ForecastSettings, ModelName
from bess_pipeline.forecasting import streams
from bess_pipeline.risk.ladder import capture_by_month, ladder, lead
from bess_pipeline.risk_settings import RiskSettings

FIRST, LAST, LOOKED_AT = date(2023, 9, 1), date(2025, 3, 28), date(2024, 3, 31)
YARDSTICK, FORESIGHT, BOUND = "mean of 28 days", "foresight of 48 hours", "foresight of the window"
BLEND_OF_RULES = ("mean of 7 days", "mean of 28 days", "ridge on these four")
CHOSEN = "chosen"
HINDSIGHT_DAYS, MEAN_HALF_HOURS = 14, (2, 4, 6, 8)
DAYS_LOOKED_BACK = 14  # a retraining day lies up to six days back, and rows look back seven more
SEED = 1


def main() -> None:
    """Print all tables."""
    asked = _arguments()
    tables = RecordedTables.read(asked.tables)
    walk = Walk.over(tables, Battery.from_settings(BatterySettings()), asked.first, asked.last)
    print(NO_DAY_AHEAD)
    print(f"{asked.first} to {asked.last}: {len(walk.usable)} of {len(walk.days)} EFA days usable; "
          f"stored energy at {walk.stored_value_gbp_mwh:.2f} GBP/MWh")  # fmt: skip
    print(list_holes(tables, asked.first, asked.last))
    forecasts, used = _forecasts(walk, asked.models)
    daily = {name: walk.of_slots(one) for name, one in forecasts.items()}
    pnl = pd.DataFrame({**daily, FORESIGHT: walk.foresight(), BOUND: walk.bound()})
    late = np.array([day > LOOKED_AT for day in pnl.index])
    for part in (pnl, pnl[~late], pnl[late]):
        if len(part) > 1:
            _print_ladder(part, walk.battery.power_mw)
    for name, counts in used.items():
        print(f"{name}: {', '.join(f'{model} on {count} days' for model, count in counts.items())}")
    _print_months(pnl, CHOSEN if CHOSEN in pnl else YARDSTICK)
    if asked.hindsight:
        _print_hindsight(walk, float(pnl[FORESIGHT].sum()))


def _forecasts(walk: Walk, models: list[str]) -> tuple[dict[str, Forecasts], dict[str, dict[str, int]]]:
    """All forecasters' forecasts by name, and how often which model served where models are chosen."""
    before = timedelta(days=ForecastSettings().calibration_days + DAYS_LOOKED_BACK)
    panel = walk.tables.panel(walk.days[0] - before)
    found, used = by_rule(panel, walk.days), {}
    found["blend of 7, 28 days and the ridge on them"] = blend([found[name] for name in BLEND_OF_RULES])
    for name in models:
        only = None if name == CHOSEN else name
        found[name], used[name] = by_models(panel, walk.days, ForecastSettings(), walk.battery, only)
    return found, {name: counts for name, counts in used.items() if len(counts) > 1}


def _print_ladder(pnl: pd.DataFrame, power_mw: float) -> None:
    settings = RiskSettings()
    bounds = {name: FORESIGHT for name in pnl.columns if name != BOUND}
    rows = ladder(pnl, bounds, power_mw, settings, SEED)
    print(f"\n{pnl.index[0]} to {pnl.index[-1]}, {len(pnl)} days")
    print(f"{'':42s}{'GBP/MW/year [95 %]':>26s}{'share of 48 h [95 %]':>24s}   lead over 28 days [95 %]")
    for row in rows.itertuples():
        worth = f"{row.value:,.0f} [{row.ci_low:,.0f}, {row.ci_high:,.0f}]"
        share = "" if row.strategy == BOUND else (
            f"{100 * row.capture:.1f} % [{100 * row.capture_low:.1f}, {100 * row.capture_high:.1f}]"
        )  # fmt: skip
        ahead = ""
        if row.strategy not in (YARDSTICK, FORESIGHT, BOUND):
            by = lead(pnl, row.strategy, YARDSTICK, power_mw, settings, SEED)
            ahead = f"{by.value:+,.0f} [{by.low:+,.0f}, {by.high:+,.0f}]"
        print(f"{row.strategy:42s}{worth:>26s}{share:>24s}   {ahead}", flush=True)


def _print_months(pnl: pd.DataFrame, name: str) -> None:
    months = capture_by_month(pnl, {name: FORESIGHT})
    print(f"\n{name}, share by month: " + ", ".join(
        f"{row.month:%Y-%m} {100 * row.capture:.0f} %" for row in months.itertuples()
    ))  # fmt: skip


def _print_hindsight(walk: Walk, most_gbp: float) -> None:
    """Shares of foresight earned with knowledge that no gate has."""
    shape = walk.of_slots({day: _around(walk, day) for day in walk.days})
    print(f"\nwith hindsight, of foresight of 48 hours: mean of the {HINDSIGHT_DAYS} days before and after each day, "
          f"itself left out, {100 * shape.sum() / most_gbp:.1f} %")  # fmt: skip
    for count in MEAN_HALF_HOURS:
        share = walk.of_prices(partial(_true_means, walk, count)).sum() / most_gbp
        print(f"the true means of every {count / 2:g} hours, half-hours within them unknown: {100 * share:.1f} %")


def _around(walk: Walk, day: date) -> Array:
    """The mean day (2, 48) of the days on both sides of `day` that the window holds."""
    near = [day + timedelta(days=k) for k in range(-HINDSIGHT_DAYS, HINDSIGHT_DAYS + 1) if k]
    near = [one for one in near if one in walk.came]
    price = np.concatenate([walk.came[one] for one in near])
    slot = np.concatenate([streams.period_slots("half_hour", one) for one in near])
    known = ~np.isnan(price)
    count = np.bincount(slot[known], minlength=48)
    return np.tile(np.bincount(slot[known], weights=price[known], minlength=48) / count, (2, 1))


def _true_means(walk: Walk, count: int, day: date) -> Array:
    """The outcome of 48 hours with each half-hour at the mean of the `count` that it stands among."""
    price = walk.outcome(day)
    group = np.arange(price.size) // count
    return np.asarray((np.bincount(group, weights=price) / np.bincount(group))[group])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_folder(parser)
    choices = (CHOSEN, *(name for name in get_args(ModelName) if name != "niv_regimes"))
    parser.add_argument("--first", type=date.fromisoformat, default=FIRST)
    parser.add_argument("--last", type=date.fromisoformat, default=LAST)
    default = [CHOSEN, "combination", "similar_day", "lear", "boosted", "ridge"]
    parser.add_argument("--models", nargs="*", choices=choices, default=default)
    parser.add_argument("--no-hindsight", dest="hindsight", action="store_false")
    asked = parser.parse_args()
    if not FIRST <= asked.first <= asked.last <= LAST + NEXT_DAY:
        parser.error(f"days must lie between {FIRST} and {LAST + NEXT_DAY}, the first before the last")
    return asked


if __name__ == "__main__":
    main()
