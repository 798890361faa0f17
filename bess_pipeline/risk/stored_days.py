"""Rows of the tables about single days: what was expected of their P&L, the limits of the desk, and the back-tests.

What belongs here: from a `History`, plan values and positions to rows. What does not: the formulas
(`forecast_pnl.py`, `limits.py`, `backtests.py`) and writing (`stored.py`).

Two sources of what was expected of a day:

* ex_ante: VaR and CVaR of the plan on fresh scenarios (`risk/plan_value`), of the last gate that has them. They are of
  P&L after wear with the worth of the energy that the day ends with; here the worth of the energy that it was planned
  to open with is taken off, so that they are of P&L plus the change of stored energy. What came is counted alike. The
  worth of a MWh is the plan's own. No mean is kept of the day alone.
* historical: the last `historical_days` counted days up to two before, whose P&L is known at the gate.
"""

from __future__ import annotations

from collections.abc import Callable
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
from bess_pipeline.risk.measures import conditional_value_at_risk, value_at_risk
from bess_pipeline.risk_settings import RiskSettings
from bess_pipeline.settings import Settings
from bess_pipeline.trading.co_optimised_names import gates_of
from bess_pipeline.trading.gate_problem import terminal_value_gbp_mwh
from bess_pipeline.trading.plan_status import opening_energy_mwh
from bess_pipeline.trading_tables import PLAN_VALUE

KNOWN_AFTER = timedelta(days=2)  # at 09:50 on D-1 the last day whose P&L is complete is D-2
FORECAST_COLUMNS = [
    *("efa_date", "strategy", "source", "confidence", "gate", "mean_gbp", "var_gbp", "cvar_gbp", "realised_gbp"),
]
Worth = Callable[[date, str], float]


def historical_forecasts(history: History, settings: RiskSettings) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """`risk/forecast_pnl` rows of the days before, and by strategy the outcomes that each of its days stands on.

    Outcomes (days, historical_days), in the order of the rows of one confidence.
    """
    frames, outcomes = [], {}
    for name in history.strategies:
        days = history.days_of(name)
        pnl, dates = days["after_wear_gbp"].to_numpy(dtype="float64"), list(days["efa_date"])
        known = np.searchsorted(np.array(dates, dtype="datetime64[D]"), [day - KNOWN_AFTER for day in dates], "right")
        usable = np.flatnonzero(known >= settings.historical_days)
        if not usable.size:
            continue
        windows = np.array([pnl[known[n] - settings.historical_days : known[n]] for n in usable])
        outcomes[name] = windows
        given = pd.DataFrame({"efa_date": [dates[n] for n in usable], "realised_gbp": pnl[usable]})
        given = given.assign(strategy=name, source=HISTORICAL, gate=None, mean_gbp=windows.mean(axis=1))
        for confidence in settings.confidences:
            var, cvar = value_at_risk(windows, confidence), conditional_value_at_risk(windows, confidence)
            frames.append(given.assign(confidence=confidence, var_gbp=var, cvar_gbp=cvar)[FORECAST_COLUMNS])
    return (pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=FORECAST_COLUMNS)), outcomes


def ex_ante_forecasts(history: History, lake: Lake, worth: Worth) -> pd.DataFrame:
    """`risk/forecast_pnl` rows of plans that were judged on fresh scenarios; see the module for what they are of.

    worth: GBP per stored MWh that the plan of a day and gate was made with.
    """
    values = lake.read(PLAN_VALUE, date.min, history.as_of).dropna(subset=["oos_var_gbp", "oos_cvar_gbp"])
    settled = history.totals.set_index(KEYS)["after_wear_gbp"].to_dict()
    closings = history.status.set_index(KEYS)["closing_energy_mwh"].to_dict()
    rows = []
    for key, found in values.groupby(KEYS):
        day, name = cast("tuple[date, str]", key)
        order = {str(gate): place for place, gate in enumerate(gates_of(name))}
        last = max(found.to_dict("records"), key=lambda row: order.get(row["gate"], -1))
        opening = opening_energy_mwh(lake, day, name, last["gate"])
        if opening is None or last["gate"] not in order:
            continue
        price = worth(day, last["gate"])
        realised = np.nan
        if (day, name) in settled:
            realised = settled[day, name] + price * (closings[day, name] - opening)
        var, cvar = (float(last[column]) + price * opening for column in ("oos_var_gbp", "oos_cvar_gbp"))
        rows.append((day, name, EX_ANTE, last["confidence"], last["gate"], np.nan, var, cvar, realised))
    return pd.DataFrame(rows, columns=FORECAST_COLUMNS)


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
    forecasts: pd.DataFrame, outcomes: dict[str, np.ndarray], as_of: date, settings: RiskSettings, seed: int
) -> pd.DataFrame:
    """`risk/var_backtest` rows of every strategy, source and confidence that has a forecast of a settled day."""
    settled = forecasts.dropna(subset=["realised_gbp"]).sort_values("efa_date", kind="stable")
    rows = []
    for key, part in settled.groupby(["strategy", "source", "confidence"]):
        name, source, confidence = cast("tuple[str, str, float]", key)
        known, note = _known_distribution(part, outcomes.get(name), source, confidence)
        if known is None:
            continue
        found = backtests.backtest(
            known[0],
            known[1],
            seed=seed,
            simulations=settings.backtest_simulations,
            level=settings.backtest_level,
            min_days=settings.backtest_min_days,
        )
        for one in found:
            row: dict[str, Any] = asdict(one) | {"strategy": name, "source": source, "as_of": as_of}
            rows.append(row | {"note": "; ".join(text for text in (one.note, note) if text)})
    return pd.DataFrame(rows)


def _known_distribution(
    part: pd.DataFrame, outcomes: np.ndarray | None, source: str, confidence: float
) -> tuple[tuple[np.ndarray, ForecastPnl] | None, str]:
    """P&L that came and the distribution it was forecast with, and what a reader must know of it."""
    if source == HISTORICAL:
        assert outcomes is not None
        mean, var, cvar, came = (
            part[f"{column}_gbp"].to_numpy(dtype="float64") for column in ("mean", "var", "cvar", "realised")
        )
        equally = np.full(outcomes.shape, 1.0 / outcomes.shape[1])
        return (came, ForecastPnl(confidence, outcomes, equally, mean, var, cvar)), ""
    usable = part[part["cvar_gbp"] > part["var_gbp"]]
    note = "p-values and power of simulation take P&L as normal with the VaR and CVaR of its day"
    if len(usable) < len(part):
        note += f"; {len(part) - len(usable)} days whose CVaR is not above VaR are left out"
    if usable.empty:
        return None, note
    var, cvar = (usable[column].to_numpy(dtype="float64") for column in ("var_gbp", "cvar_gbp"))
    return (usable["realised_gbp"].to_numpy(dtype="float64"), ForecastPnl.normal(var, cvar, confidence)), note
