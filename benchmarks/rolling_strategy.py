"""What forecasts earn on recorded prices: `day_ahead_rolling` and `rule_based` against perfect foresight.

What belongs here: capture over the recorded days, by look-ahead and by terminal value. What does not: speed
(`rolling_speed.py`) and correctness (tests/).

Usage, from the project's root:  python benchmarks/rolling_strategy.py [--days 600] [--quick] [--only TEXT]

Needs ../shared/realdata. There is no free GB day-ahead series in it: the Elexon market index, a *within-day* index,
stands in, so that history ends two days before delivery and the figures are indicative. The battery is the house
default (50 MW, 100 MWh, 88 % there and back, 5-95 %, wear 5 GBP/MWh each way, 1.5 cycles a day).

Capture: after wear, with the closing energy at the mean price of the window, over that of the bound, which is one
problem over all days.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from time import perf_counter

import pandas as pd

from bess_pipeline import gb_time, schemas
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.battery_settings import BatterySettings
from bess_pipeline.errors import UserInputError
from bess_pipeline.optimisation.solver import Solver
from bess_pipeline.settings import RollingSettings, SolverSettings
from bess_pipeline.trading import foresight, rolling, rule_based
from bess_pipeline.trading.known_prices import history_window
from bess_pipeline.trading.plans import PlanOutcome

REALDATA = Path(__file__).resolve().parents[2] / "shared" / "realdata" / "tables" / "market_index.parquet"
FIRST_DAY = date(2023, 7, 31)  # the first with 28 days of history
HISTORY_DAYS, RULE_HOURS = 28, 2
LOOK_AHEAD_HOURS = (24, 36, 48, 72)
TERMINAL_VALUES_GBP_MWH = (0.0, 30.0, 60.0, 90.0)
SIMILAR_DAYS = (1, 3, 5, 7, 10, 20)
SOLVER = Solver(SolverSettings(guarded=False))
PlanDay = Callable[[date, pd.DataFrame, float], PlanOutcome]


@dataclass(frozen=True)
class Earned:
    """GBP after wear, closing energy valued; days without a plan; wall-clock seconds."""

    value_gbp: float
    days_refused: int
    seconds: float


class Recorded:
    """Recorded prices as a day-ahead leg, and the value of plans settled at them."""

    def __init__(self, days: int) -> None:
        table = pd.read_parquet(REALDATA).rename(columns={"market_index_price_gbp_mwh": "day_ahead_price_gbp_mwh"})
        frame = table.drop(columns="market_index_volume_mwh")
        self.prices = schemas.validate(
            "market/day_ahead_price", frame.assign(source="elexon_mid", native_resolution_minutes=30)
        )
        self.days = gb_time.days_between(FIRST_DAY, FIRST_DAY + timedelta(days=days - 1))
        self.battery = Battery.from_settings(BatterySettings())
        efa_date = gb_time.efa_columns(self.prices["start_utc"])["efa_date"]
        self.by_day = dict(iter(self.prices.groupby(efa_date)))
        window = self.prices[efa_date.between(self.days[0], self.days[-1])]
        self.mean_gbp_mwh = float(window["day_ahead_price_gbp_mwh"].mean())

    def strategy(self, plan_day: PlanDay) -> Earned:
        """Plans of all days in order, the planned state carried over midnight."""
        started, energy_mwh, value, refused = perf_counter(), self.battery.initial_energy_mwh, 0.0, 0
        for day in self.days:
            if len(self.by_day[day]) < gb_time.periods_in_day(day):
                refused += 1  # a hole: the bound leaves the day out too
                continue
            known = pd.concat(self._history(day), ignore_index=True)
            frame = plan_day(day, known, energy_mwh).frame
            if frame is None:
                refused += 1
                continue
            value += self._after_wear(day, frame)
            energy_mwh = float(frame["energy_mwh"].iloc[-1])
        return Earned(value + self._carried(energy_mwh), refused, perf_counter() - started)

    def bound(self) -> Earned:
        """Perfect foresight over all days as one problem."""
        started, battery = perf_counter(), self.battery
        plans = foresight.plan_days(
            self.days, self.prices, battery, battery.initial_energy_mwh, margin_days=1, solver=SOLVER
        )
        value = sum(self._after_wear(day, frame) for day, frame in plans.items())
        closing = float(plans[max(plans)]["energy_mwh"].iloc[-1])
        return Earned(value + self._carried(closing), len(self.days) - len(plans), perf_counter() - started)

    def _history(self, day: date) -> Iterator[pd.DataFrame]:
        yield from (self.by_day[one] for one in gb_time.days_between(*history_window(day, HISTORY_DAYS)))

    def _after_wear(self, day: date, frame: pd.DataFrame) -> float:
        price = self.by_day[day].set_index("start_utc")["day_ahead_price_gbp_mwh"].reindex(frame["start_utc"])
        sold = float((frame["day_ahead_mw"].to_numpy() * price.to_numpy()).sum())
        worn = float((frame["charge_mw"] + frame["discharge_mw"]).sum()) * self.battery.degradation_cost_gbp_per_mwh
        return (sold - worn) * gb_time.HALF_HOUR_H

    def _carried(self, energy_mwh: float) -> float:
        return (energy_mwh - self.battery.initial_energy_mwh) * self.mean_gbp_mwh


def rolling_with(recorded: Recorded, settings: RollingSettings) -> PlanDay:
    """The rolling strategy under other settings."""

    def plan(day: date, prices: pd.DataFrame, energy_mwh: float) -> PlanOutcome:
        return rolling.plan_day(
            day,
            prices,
            recorded.battery,
            energy_mwh,
            history_days=HISTORY_DAYS,
            rolling=settings,
            solver=SOLVER,
        )

    return plan


def variants(quick: bool) -> Iterator[tuple[str, RollingSettings]]:
    """What is compared: the default first, then one setting changed at a time."""
    yield "day_ahead_rolling, default settings", RollingSettings()
    if quick:
        return
    for hours in LOOK_AHEAD_HOURS:
        yield f"  look-ahead {hours} h", RollingSettings(look_ahead_hours=hours)
    for value in TERMINAL_VALUES_GBP_MWH:
        yield f"  terminal value {value:g} GBP/MWh", RollingSettings(terminal_value_gbp_mwh=value)
    yield "  look-ahead 24 h, terminal value 0", RollingSettings(look_ahead_hours=24, terminal_value_gbp_mwh=0.0)
    for days in SIMILAR_DAYS:
        yield f"  mean of {days} similar days", RollingSettings(similar_days=days)


def main() -> None:
    """Print one line per strategy and setting."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=600)
    parser.add_argument("--only", default="", help="only the settings whose line holds this text")
    parser.add_argument("--quick", action="store_true", help="the default settings only")
    arguments = parser.parse_args()
    if not REALDATA.is_file():
        raise SystemExit(f"recorded prices are not there: {REALDATA}")
    recorded = Recorded(arguments.days)
    print(
        f"{len(recorded.days)} EFA days from {recorded.days[0]}; the within-day market index stands in for day-ahead; "
        f"closing energy at {recorded.mean_gbp_mwh:.2f} GBP/MWh"
    )
    bound = recorded.bound()
    _line("day_ahead_perfect_foresight", bound, bound, recorded)

    def rule(day: date, prices: pd.DataFrame, energy_mwh: float) -> PlanOutcome:
        return rule_based.plan_day(
            day, prices, recorded.battery, energy_mwh, history_days=HISTORY_DAYS, rule_hours=RULE_HOURS
        )

    _line("rule_based", recorded.strategy(rule), bound, recorded)
    for name, settings in (one for one in variants(arguments.quick) if arguments.only in one[0]):
        _line(name, recorded.strategy(rolling_with(recorded, settings)), bound, recorded)


def _line(name: str, earned: Earned, bound: Earned, recorded: Recorded) -> None:
    share = earned.value_gbp / bound.value_gbp
    a_year = earned.value_gbp / len(recorded.days) * 365 / recorded.battery.power_mw / 1000
    print(
        f"{name:38s} {earned.value_gbp:14,.0f} GBP {a_year:6.1f} kGBP/MW/year  capture {share:6.1%}"
        f"  {earned.days_refused} days refused  {earned.seconds:6.1f} s",
        flush=True,
    )


if __name__ == "__main__":
    try:
        main()
    except UserInputError as error:
        raise SystemExit(str(error)) from None
