"""Skill of forecasts over the similar-day yardstick, on recorded prices or on the sample market.

What belongs here: CRPS skill with a confidence interval, coverage, rank correlation and the value earned, by stream
and model. What does not: speed (`forecast_training.py`), scores of scenarios (`scenarios/scores.py`) and tests.

Usage, from the project's root:
    python benchmarks/forecast_skill.py [--gate day_ahead] [--first 2024-10-01] [--days 180] [--sample] [--models]

Needs ../shared/realdata unless `--sample` is given. There is no free GB day-ahead series in it: the Elexon market
index, a *within-day* index, stands in, so that history ends on the morning before delivery. `--sample` takes two years
of the simulated market with its published wind, demand and margin forecasts. `--models` adds a line for each model.

Skill: 1 - CRPS / CRPS of similar_day, over the trading day (lead 0); its 95 % interval by a moving-block bootstrap of
weeks. Value: a plan each day for the forecast of 48 hours, 24 committed, state carried on (house battery), settled at
what came; as a share of the same with perfect foresight of 48 hours.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.forecast_settings import ForecastSettings
from bess_pipeline.forecasting import streams
from bess_pipeline.forecasting.choice import Trader, crps_of_quantiles
from bess_pipeline.forecasting.distribution import LEVELS, Marginals
from bess_pipeline.forecasting.forecast import make_forecast
from bess_pipeline.forecasting.information import Information
from bess_pipeline.forecasting.market_panel import MarketPanel, panel_of_frames
from bess_pipeline.forecasting.observation import observe, window
from bess_pipeline.optimisation.problem import ClosingState, EnergyProblem
from bess_pipeline.optimisation.rolling import optimise_horizon
from bess_pipeline.sample_market.simulate import simulate
from bess_pipeline.settings import BatterySettings

REALDATA = Path(__file__).resolve().parents[2] / "shared" / "realdata" / "tables"
BATTERY = Battery.from_settings(BatterySettings())
BASELINE = "similar_day"
BLOCK_DAYS, REPLICATIONS = 7, 2000
SAMPLE_SEED, SAMPLE_FIRST, SAMPLE_LAST = 7, date(2024, 1, 1), date(2026, 3, 31)
SERIES = {"WINDFOR": "wind", "NDF": "demand", "MELNGC": "margin"}


def recorded_panel() -> MarketPanel:
    """The recorded GB tables, the market index as day-ahead leg."""
    tables = {name: pd.read_parquet(REALDATA / f"{name}.parquet") for name in ("system_price", "market_index")}
    day_ahead = tables["market_index"].rename(columns={"market_index_price_gbp_mwh": "day_ahead_price_gbp_mwh"})
    return panel_of_frames(
        date(2023, 7, 2),
        date(2025, 3, 31),
        day_ahead_price=day_ahead.assign(source="elexon_mid", native_resolution_minutes=30),
        system_price=tables["system_price"],
        auction_clearing=pd.read_parquet(REALDATA / "response_auction.parquet"),
    )


def sample_panel() -> MarketPanel:
    """Two years of the simulated market, with its published forecasts."""
    market = simulate(SAMPLE_SEED, None, SAMPLE_FIRST, SAMPLE_LAST)
    assert market.day_ahead is not None
    assert market.forecasts is not None
    hourly = market.day_ahead.assign(source="neso_n2ex", native_resolution_minutes=60)
    later = hourly.assign(start_utc=hourly["start_utc"] + gb_time.HALF_HOUR)
    known = market.forecasts[market.forecasts["dataset"].isin(SERIES)]
    return panel_of_frames(
        SAMPLE_FIRST + timedelta(days=1),
        SAMPLE_LAST - timedelta(days=1),
        day_ahead_price=pd.concat([hourly, later]).sort_values("start_utc"),
        system_price=market.system_price,
        market_index_price=market.market_index,
        auction_clearing=market.response_auction,
        fundamental_forecast=known.assign(series=known["dataset"].map(SERIES)),
    )


def main() -> None:
    """Print the tables."""
    arguments = _arguments()
    panel = sample_panel() if arguments.sample else recorded_panel()
    days = gb_time.days_between(arguments.first, arguments.first + timedelta(days=arguments.days - 1))
    if not arguments.sample:
        print("the within-day market index stands in for the day-ahead price; no fundamentals are recorded")
    print(f"{arguments.gate} gate, {days[0]} to {days[-1]}; 90 % interval in brackets: what was asked for is 0.90")
    settings = ForecastSettings()
    wanted = [BASELINE, "choice"]
    if arguments.models:
        wanted[1:1] = [name for name in settings.models if name != BASELINE]
    forecasts = {name: _forecasts(panel, days, arguments.gate, settings, name) for name in wanted}
    for stream in forecasts["choice"]:
        _print_stream(panel, stream, days, {name: found.get(stream, []) for name, found in forecasts.items()})


def _forecasts(
    panel: MarketPanel, days: list[date], gate: str, settings: ForecastSettings, model: str
) -> dict[str, list[Marginals]]:
    information_of = _observing(panel, settings.calibration_days)
    trader = Trader(BATTERY, optimise_horizon)
    only = None if model == "choice" else model
    found: dict[str, list[Marginals]] = {}
    for day in days:
        forecast = make_forecast(information_of, day, gate, settings, trader, only)  # type: ignore[arg-type]
        for name, marginals in forecast.marginals.items():
            if not name.startswith("activation"):
                found.setdefault(name, []).append(marginals)
    return found


def _observing(panel: MarketPanel, calibration_days: int) -> Callable[[date, str], Information]:
    @lru_cache(maxsize=4)
    def information_of(day: date, gate: str) -> Information:
        longest = (day - panel.first_day).days - (day - window(day, 0)[0]).days
        return observe(panel, day, gate, min(calibration_days, longest))  # type: ignore[arg-type]

    return information_of


def _print_stream(panel: MarketPanel, name: str, days: list[date], by_model: dict[str, list[Marginals]]) -> None:
    outcomes = _outcomes(panel, by_model["choice"][0].stream, days)
    baseline = _daily_crps(by_model[BASELINE], outcomes)
    stream = by_model["choice"][0].stream
    perfect = _earned(panel, stream, days, None) if stream.unit == "GBP/MWh" else None
    print(f"\n{name} ({stream.unit})")
    for model, marginals in by_model.items():
        if len(marginals) != len(days):
            continue
        score = _daily_crps(marginals, outcomes)
        low, high = _interval(score, baseline)
        line = (
            f"  {model:12s} CRPS {np.nanmean(score):7.3f}  skill {1 - np.nanmean(score) / np.nanmean(baseline):6.3f} "
            f"[{low:6.3f}, {high:6.3f}]  coverage [{_coverage(marginals, outcomes):.3f}]  "
            f"rank correlation {_rank_correlation(marginals, outcomes):.3f}"
        )
        if perfect is not None:
            line += f"  value {_earned(panel, stream, days, marginals) / perfect:.3f}"
        print(line, flush=True)
    used = pd.Series([one.model for one in by_model["choice"]]).value_counts()
    print("  chosen:", ", ".join(f"{model} {count}" for model, count in used.items()))


def _outcomes(panel: MarketPanel, stream: streams.Stream, days: list[date]) -> list[np.ndarray]:
    """What came in each period of each day."""
    values = panel.values[stream.name]
    grid = panel.grid(stream)
    found = []
    for day in days:
        k = (day - panel.first_day).days
        here = values.value[grid.first[k] : grid.first[k + 1]]
        found.append(here.reshape(-1, 2).mean(axis=1) if stream.clock == "hour" else here)
    return found


def _day(marginals: Marginals) -> slice:
    return slice(0, int((marginals.lead == 0).sum()))


def _daily_crps(marginals: list[Marginals], outcomes: list[np.ndarray]) -> np.ndarray:
    return np.array([
        np.nanmean(crps_of_quantiles(one.quantile[_day(one)], came)) if np.isfinite(came).any() else np.nan
        for one, came in zip(marginals, outcomes, strict=True)
    ])  # fmt: skip


def _interval(score: np.ndarray, baseline: np.ndarray) -> tuple[float, float]:
    both = np.column_stack([score, baseline])
    both = both[~np.isnan(both).any(axis=1)]
    rng = np.random.default_rng(1)
    blocks = -(-len(both) // BLOCK_DAYS)
    start = rng.integers(len(both) - BLOCK_DAYS + 1, size=(REPLICATIONS, blocks))
    rows = (start[:, :, None] + np.arange(BLOCK_DAYS)).reshape(REPLICATIONS, -1)
    means = both[rows].mean(axis=1)
    low, high = np.quantile(1.0 - means[:, 0] / means[:, 1], [0.025, 0.975])
    return float(low), float(high)


def _coverage(marginals: list[Marginals], outcomes: list[np.ndarray]) -> float:
    low, high = (int(np.argmin(np.abs(LEVELS - level))) for level in (0.05, 0.95))
    inside = []
    for one, came in zip(marginals, outcomes, strict=True):
        known = np.isfinite(came)
        quantile = one.quantile[_day(one)][known]
        inside.append((came[known] >= quantile[:, low] - 1e-9) & (came[known] <= quantile[:, high] + 1e-9))
    return float(np.concatenate(inside).mean())


def _rank_correlation(marginals: list[Marginals], outcomes: list[np.ndarray]) -> float:
    found = []
    for one, came in zip(marginals, outcomes, strict=True):
        pair = pd.DataFrame({"forecast": one.mean[_day(one)], "came": came})
        found.append(pair.rank().corr().iloc[0, 1])
    return float(np.nanmean(found))


def _earned(panel: MarketPanel, stream: streams.Stream, days: list[date], marginals: list[Marginals] | None) -> float:
    """GBP after wear over the window; with `marginals` None by perfect foresight of 48 hours."""
    came = [pd.Series(one).interpolate(limit_direction="both").to_numpy() for one in _outcomes(panel, stream, days)]
    hours = 1.0 if stream.clock == "hour" else 0.5
    energy, cash = BATTERY.initial_energy_mwh, 0.0
    for k in range(len(days) - 1):
        price = np.concatenate(came[k : k + 2]) if marginals is None else marginals[k].mean
        groups = np.repeat([0, 1], [came[k].size, price.size - came[k].size])
        value = BATTERY.discharge_efficiency * (price.mean() - BATTERY.degradation_cost_gbp_per_mwh)
        schedule = optimise_horizon(EnergyProblem(price, hours, groups, BATTERY, energy, ClosingState.free(value)))
        day = slice(0, came[k].size)
        charge, discharge = schedule.charge_mw[day] * hours, schedule.discharge_mw[day] * hours
        cash += float((discharge - charge) @ came[k])
        cash -= BATTERY.degradation_cost_gbp_per_mwh * float((charge + discharge).sum())
        energy = float(schedule.energy_mwh[came[k].size - 1])
    return cash + (energy - BATTERY.initial_energy_mwh) * BATTERY.discharge_efficiency * float(
        np.concatenate(came).mean()
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gate", choices=("day_ahead", "response"), default="day_ahead")
    parser.add_argument("--first", type=date.fromisoformat, default=date(2024, 10, 1))
    parser.add_argument("--days", type=int, default=180)
    parser.add_argument("--sample", action="store_true")
    parser.add_argument("--models", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
