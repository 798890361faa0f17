"""Forecasts and scenarios against what came, on recorded prices or on the sample market.

What belongs here: a walk through past days (`scenarios/validation.py`) and its printed summary: skill over the
similar-day yardstick with confidence intervals and tests, coverage, dependence between markets, value earned. What
does not: the statistics themselves (`scenarios/validation_report.py`), speed, and tests.

Usage, from the project's root:
    python benchmarks/validation.py [--gate day_ahead response] [--first 2024-10-01] [--days 181] [--count 200]
                                    [--sample SEED] [--model NAME] [--chosen]

Needs ../shared/realdata unless `--sample` is given. There is no free GB day-ahead series in it: the Elexon market
index, a *within-day* index, stands in as the day-ahead leg, so that its history ends on the morning before delivery.
`--sample` takes the simulated market of a seed with its published wind, demand and margin forecasts. `--model`
forecasts with one model in place of the choice; `--chosen` prints how often which was chosen.

Every day is forecast by models of the last Monday, trained on what the same gate knew then: nothing later than the
gate is used (`observe`). Intervals: stationary bootstrap with blocks of a week on average; p: one-sided
Diebold-Mariano tests with Newey-West errors. Value: a plan each day for the forecast of 48 hours, 24 committed, state
carried on (house battery), settled at what came; as a share of the same with perfect foresight of 48 hours.
"""

from __future__ import annotations

import argparse
import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.battery_settings import BatterySettings
from bess_pipeline.forecast_settings import ForecastSettings
from bess_pipeline.forecasting import streams
from bess_pipeline.forecasting.choice import Trader
from bess_pipeline.forecasting.distribution import Marginals
from bess_pipeline.forecasting.market_panel import MarketPanel, panel_of_frames
from bess_pipeline.optimisation.problem import ClosingState, EnergyProblem
from bess_pipeline.optimisation.rolling import optimise_horizon
from bess_pipeline.scenarios.scoring import outcome
from bess_pipeline.scenarios.validation import ValidatedDay, Validation
from bess_pipeline.scenarios.validation_report import lines, summarise
from bess_pipeline.trading import timeline

ROOT = Path(__file__).resolve().parents[1]
REALDATA = ROOT.parent / "shared" / "realdata" / "tables"
RECORDED_FIRST, RECORDED_LAST = date(2023, 7, 2), date(2025, 3, 31)
SAMPLE_FIRST, SAMPLE_LAST = date(2023, 9, 1), date(2025, 9, 30)
BATTERY = Battery.from_settings(BatterySettings())
SEED = 1


def recorded_panel() -> MarketPanel:
    """The recorded GB tables, the market index as day-ahead leg."""
    tables = {name: pd.read_parquet(REALDATA / f"{name}.parquet") for name in ("system_price", "market_index")}
    day_ahead = tables["market_index"].rename(columns={"market_index_price_gbp_mwh": "day_ahead_price_gbp_mwh"})
    return panel_of_frames(
        RECORDED_FIRST,
        RECORDED_LAST,
        day_ahead_price=day_ahead.assign(source="elexon_mid", native_resolution_minutes=30),
        system_price=tables["system_price"],
        auction_clearing=pd.read_parquet(REALDATA / "response_auction.parquet"),
    )


def simulated_panel(seed: int) -> MarketPanel:
    """The market that the slow test of scenarios validates against."""
    sys.path.append(str(ROOT / "tests"))
    from sample_panel import sample_panel

    return sample_panel(seed, SAMPLE_FIRST, SAMPLE_LAST)


def main() -> None:
    """Walk each gate and print its summary."""
    asked = _arguments()
    panel = recorded_panel() if asked.sample is None else simulated_panel(asked.sample)
    days = gb_time.days_between(asked.first, asked.first + timedelta(days=asked.days - 1))
    settings = ForecastSettings() if asked.model is None else ForecastSettings(models=_with_yardstick(asked.model))
    print(f"{days[0]} to {days[-1]}, {asked.count} scenarios a day; models: {', '.join(settings.models)}")
    if asked.sample is None:
        print("day_ahead stands for the within-day market index (no GB day-ahead price and no fundamentals recorded)")
    for gate in asked.gate:
        walked = walk(panel, gate, days, settings, asked.count)
        summary = summarise(walked, SEED)
        print("\n" + "\n".join(lines(summary)), flush=True)
        for name in summary.uncertain:
            _print_more(panel, name, walked, asked.chosen)


def walk(
    panel: MarketPanel, gate: timeline.Gate, days: list[date], settings: ForecastSettings, count: int
) -> list[ValidatedDay]:
    """All days of a gate; the battery values past forecasts where models are chosen."""
    trader = Trader(BATTERY, optimise_horizon)
    validation = Validation(panel, panel, gate, settings, count=count, seed=SEED, trader=trader)
    return [validation.day(day) for day in days]


def _print_more(panel: MarketPanel, name: str, walked: list[ValidatedDay], chosen: bool) -> None:
    forecasts = [day.forecast.marginals[name] for day in walked if name in day.forecast.marginals]
    if len(forecasts) == len(walked) and forecasts[0].stream.unit == "GBP/MWh":
        perfect = earned_gbp([_perfect(panel, one) for one in forecasts], forecasts, panel)
        earned = earned_gbp([one.mean for one in forecasts], forecasts, panel)
        print(f"{name}: {100 * earned / perfect:.1f} % of what perfect foresight earns on it")
    if chosen:
        used = pd.Series([one.model for one in forecasts]).value_counts()
        print(f"{name} forecast by: {', '.join(f'{model} on {count} days' for model, count in used.items())}")


def _perfect(panel: MarketPanel, one: Marginals) -> np.ndarray:
    return pd.Series(outcome(panel, one.stream, one.start_utc)).interpolate(limit_direction="both").to_numpy()


def earned_gbp(prices: list[np.ndarray], forecasts: list[Marginals], panel: MarketPanel) -> float:
    """GBP after wear over the window when each day is planned for `prices` (periods of two days,)."""
    energy, cash = BATTERY.initial_energy_mwh, 0.0
    for price, one in zip(prices, forecasts, strict=True):
        hours = 24.0 / streams.SLOTS[one.stream.clock]
        today = one.lead == 0
        value = BATTERY.discharge_efficiency * (price.mean() - BATTERY.degradation_cost_gbp_per_mwh)
        problem = EnergyProblem(price, hours, one.lead, BATTERY, energy, ClosingState.free(value))
        schedule = optimise_horizon(problem)
        charge, discharge = schedule.charge_mw[today] * hours, schedule.discharge_mw[today] * hours
        came = _perfect(panel, one)
        cash += float((discharge - charge) @ came[today])
        cash -= BATTERY.degradation_cost_gbp_per_mwh * float((charge + discharge).sum())
        energy = float(schedule.energy_mwh[int(today.sum()) - 1])
    last = float(_perfect(panel, forecasts[-1]).mean())
    return cash + (energy - BATTERY.initial_energy_mwh) * BATTERY.discharge_efficiency * last


def _with_yardstick(model: str) -> tuple[str, ...]:
    return (model,) if model in ("similar_day", "persistence") else ("similar_day", model)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gate", nargs="+", choices=timeline.GATES, default=list(timeline.GATES))
    parser.add_argument("--first", type=date.fromisoformat, default=date(2024, 10, 1))
    parser.add_argument("--days", type=int, default=181)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--sample", type=int, metavar="SEED")
    parser.add_argument("--model")
    parser.add_argument("--chosen", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
