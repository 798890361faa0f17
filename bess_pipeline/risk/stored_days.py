"""Rows of the tables about single days: what was expected of their P&L, the limits of the desk, and the back-tests.

What belongs here: from a `History`, outcomes of plans and positions to rows. What does not: the formulas
(`forecast_pnl.py`, `limits.py`, `backtests.py`) and writing (`stored.py`).

Two sources of what was expected of a day:

* ex_ante: outcomes of the plan on fresh scenarios (`risk/plan_outcome`), of the last gate that has them. They are of
  P&L after wear with the worth of the energy that the day ends with; here the worth of the energy that it was planned
  to open with is taken off, so that they are of P&L plus the change of stored energy. What came is counted alike. The
  worth of a MWh is the plan's own.
* historical: the last `historical_days` counted days up to two before, whose P&L is known at the gate.

Both are outcomes with probabilities, so there is VaR and CVaR at each of `confidences`. Where they are few for one of
them (50 equal scenarios at 99 %), they are stated of the part of the worst outcomes that lies in the tail.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import date, timedelta
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.parquet

from bess_pipeline.battery.parameters import Battery
from bess_pipeline.forecast_tables import FORECAST, PATHS
from bess_pipeline.lake import Lake
from bess_pipeline.risk import backtests
from bess_pipeline.risk.day_parts import DayParts
from bess_pipeline.risk.forecast_pnl import ForecastPnl
from bess_pipeline.risk.history import KEYS, History
from bess_pipeline.risk.limits import EX_ANTE, HISTORICAL, check_limits
from bess_pipeline.risk.measures import conditional_value_at_risk, tail, value_at_risk
from bess_pipeline.risk_settings import RiskSettings
from bess_pipeline.settings import Settings
from bess_pipeline.trading.co_optimised_names import gates_of
from bess_pipeline.trading.gate_problem import terminal_value_gbp_mwh
from bess_pipeline.trading.plan_status import opening_energy_mwh
from bess_pipeline.trading_tables import PLAN_OUTCOME

KNOWN_AFTER = timedelta(days=2)  # at 09:50 on D-1 the last day whose P&L is complete is D-2
LEAST_SPREAD_GBP = 1e-6  # outcomes that differ by less have no tail: what they differ by is rounding
FORECAST_COLUMNS = [
    *("efa_date", "strategy", "source", "confidence", "gate", "mean_gbp", "var_gbp", "cvar_gbp", "realised_gbp"),
]
Worth = Callable[[date, str], float]
Floats = npt.NDArray[np.float64]
OutcomesOfDays = Mapping[date, tuple[Floats, Floats | None]]  # P&L and probabilities; None: equal ones
Outcomes = dict[tuple[str, str], OutcomesOfDays]  # by strategy and source


def historical_forecasts(history: History, settings: RiskSettings) -> tuple[pd.DataFrame, Outcomes]:
    """`risk/forecast_pnl` rows of the days before, and the outcomes that each day stands on."""
    frames: list[pd.DataFrame] = []
    outcomes: Outcomes = {}
    for name in history.strategies:
        days = history.days_of(name)
        pnl, dates = days["after_wear_gbp"].to_numpy(dtype="float64"), list(days["efa_date"])
        known = np.searchsorted(np.array(dates, dtype="datetime64[D]"), [day - KNOWN_AFTER for day in dates], "right")
        usable = np.flatnonzero(known >= settings.historical_days)
        if not usable.size:
            continue
        windows = np.array([pnl[known[n] - settings.historical_days : known[n]] for n in usable])
        outcomes[name, HISTORICAL] = {dates[n]: (window, None) for n, window in zip(usable, windows, strict=True)}
        given = pd.DataFrame({"efa_date": [dates[n] for n in usable], "realised_gbp": pnl[usable]})
        given = given.assign(strategy=name, source=HISTORICAL, gate=None, mean_gbp=windows.mean(axis=1))
        for confidence in settings.confidences:
            var, cvar = value_at_risk(windows, confidence), conditional_value_at_risk(windows, confidence)
            frames.append(given.assign(confidence=confidence, var_gbp=var, cvar_gbp=cvar)[FORECAST_COLUMNS])
    return (pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=FORECAST_COLUMNS)), outcomes


def ex_ante_forecasts(
    history: History, lake: Lake, worth: Worth, confidences: Sequence[float]
) -> tuple[pd.DataFrame, Outcomes]:
    """`risk/forecast_pnl` rows of plans that were judged on fresh scenarios, and the outcomes that each day stands on;
    see the module for what they are of.

    worth: GBP per stored MWh that the plan of a day and gate was made with.
    """
    settled = history.totals.set_index(KEYS)["after_wear_gbp"].to_dict()
    closings = history.status.set_index(KEYS)["closing_energy_mwh"].to_dict()
    rows: list[tuple[Any, ...]] = []
    outcomes: dict[tuple[str, str], dict[date, tuple[Floats, Floats | None]]] = {}
    for key, found in lake.read(PLAN_OUTCOME, date.min, history.as_of).groupby(KEYS):
        day, name = cast("tuple[date, str]", key)
        there = set(found["gate"])
        gate = next((gate for gate in reversed(gates_of(name)) if gate in there), None)
        opening = None if gate is None else opening_energy_mwh(lake, day, name, gate)
        if gate is None or opening is None:
            continue
        price = worth(day, gate)
        realised = np.nan
        if (day, name) in settled:
            realised = settled[day, name] + price * (closings[day, name] - opening)
        own = found[found["gate"] == gate].sort_values("scenario")
        pnl, chance = own["pnl_gbp"].to_numpy() - price * opening, own["probability"].to_numpy()
        outcomes.setdefault((name, EX_ANTE), {})[day] = (pnl, chance)
        for worst in (tail(pnl, confidence, chance) for confidence in confidences):
            expected = (float(chance @ pnl), worst.var_gbp, worst.cvar_gbp)
            rows.append((day, name, EX_ANTE, worst.confidence, gate, *expected, realised))
    return pd.DataFrame(rows, columns=FORECAST_COLUMNS), dict(outcomes)


def plan_worth(lake: Lake, settings: Settings, battery: Battery) -> Worth:
    """Worth of a stored MWh in the plan of a day and gate: the setting, or from the mean day-ahead price that it stands
    on as `gate_problem.terminal_value_gbp_mwh` has it."""

    def worth(day: date, gate: str) -> float:
        if settings.rolling.terminal_value_gbp_mwh != "auto" or not lake.has(PATHS, day):
            return terminal_value_gbp_mwh(np.zeros(1), battery, settings.rolling)
        return terminal_value_gbp_mwh(_expected_price(lake, day, gate), battery, settings.rolling)

    return worth


def _expected_price(lake: Lake, day: date, gate: str) -> npt.NDArray[np.float64]:
    """Day-ahead prices as a plan expects them, GBP/MWh: of the forecast, or without one of the scenarios themselves."""
    filters = [("stream", "=", "day_ahead"), ("gate", "=", gate)]
    if lake.has(FORECAST, day):
        mean = pyarrow.parquet.read_table(lake.path(FORECAST, day), columns=["mean"], filters=filters).to_pandas()
        if len(mean):
            return mean["mean"].to_numpy(dtype="float64")
    columns = ["probability", "start_utc", "value"]
    rows = pyarrow.parquet.read_table(lake.path(PATHS, day), columns=columns, filters=filters).to_pandas()
    expected = (rows["probability"] * rows["value"]).groupby(rows["start_utc"]).sum()
    return np.asarray(expected.to_numpy(dtype="float64"))


def limit_statuses(history: History, parts: DayParts, forecasts: pd.DataFrame, settings: RiskSettings) -> pd.DataFrame:
    """`risk/limit_status` rows of every counted day; VaR and CVaR ex ante, else historical, as `source` says."""
    headline = forecasts[forecasts["confidence"] == settings.headline_confidence]
    headline = headline.sort_values("source").drop_duplicates(KEYS)  # ex_ante before historical
    days = (
        history.totals[KEYS]
        .merge(parts.days, on=KEYS, how="left")
        .merge(headline[[*KEYS, "source", "var_gbp", "cvar_gbp"]], on=KEYS, how="left")
    )
    rows = []
    names = type(settings.limits).model_fields
    named = {name: f"{name.removeprefix('min_')}" for name in names}
    for day in days.to_dict("records"):
        measured = {name: float(day[column]) for name, column in named.items()}
        source = None if pd.isna(day["source"]) else str(day["source"])
        for one in check_limits(settings.limits, source, **measured):
            rows.append(
                {
                    "efa_date": day["efa_date"],
                    "strategy": day["strategy"],
                    "limit_name": one.limit,
                    "source": one.source,
                    "unit": one.unit,
                    "measured": one.measured,
                    "allowed": one.allowed,
                    "status": one.status,
                    "excess": one.excess,
                    "words": one.sentence,
                }
            )
    return pd.DataFrame(rows)


def var_backtests(
    forecasts: pd.DataFrame, outcomes: Outcomes, as_of: date, settings: RiskSettings, seed: int
) -> pd.DataFrame:
    """`risk/var_backtest` rows of every strategy, source and confidence that has a forecast of a settled day.

    outcomes: what the forecasts stand on.
    """
    settled = forecasts.dropna(subset=["realised_gbp"]).sort_values("efa_date", kind="stable")
    rows = []
    for key, part in settled.groupby(["strategy", "source", "confidence"]):
        name, source, confidence = cast("tuple[str, str, float]", key)
        came, known, note = _known_distributions(part, outcomes[name, source], confidence)
        if not known.days:
            continue
        found = backtests.backtest(
            came,
            known,
            seed=seed,
            simulations=settings.backtest_simulations,
            level=settings.backtest_level,
            min_days=settings.backtest_min_days,
        )
        for one in found:
            row: dict[str, Any] = asdict(one) | {"strategy": name, "source": source, "as_of": as_of}
            rows.append(row | {"note": "; ".join(text for text in (one.note, note) if text)})
    return pd.DataFrame(rows)


def _known_distributions(
    part: pd.DataFrame, outcomes: OutcomesOfDays, confidence: float
) -> tuple[Floats, ForecastPnl, str]:
    """P&L that came, the distributions it was forecast with, and what a reader must know of them."""
    known = [outcomes[day] for day in part["efa_date"]]
    spread = [bool(np.ptp(pnl) > LEAST_SPREAD_GBP) for pnl, _ in known]
    alike = len(known) - sum(spread)
    note = f"{alike} days whose outcomes are all alike are left out" if alike else ""
    held = [one for one, wide in zip(known, spread, strict=True) if wide]
    came = part["realised_gbp"].to_numpy(dtype="float64")[spread]
    return came, ForecastPnl.of_scenarios(held, confidence), note
