"""Which part of the P&L the bad days come from: the Euler split of CVaR, and the tail days with what happened in them.

What belongs here: splitting expected P&L and CVaR by any components that add up, and the list of tail days. What does
not: the measures (`measures.py`), which cash belongs to which driver (`drivers.py`), changes from day to day
(`explain.py`) and steps between strategies (`waterfall.py`).

CVaR is homogeneous of degree one, so that it is the sum of `CVaR_i = E[-X_i | tail]` over the components of
X = sum X_i (Euler; Tasche 2000), all with the *same* fractional weights of the tail. A component with a negative
contribution earns in the tail: it hedges. VaR has no such stable split and gets none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from bess_pipeline import gb_time
from bess_pipeline.risk.measures import FloatArray, tail

ATTRIBUTION_COLUMNS = ("component", "expected_gbp", "cvar_contribution_gbp")
SAME_GBP = 1e-6
LISTED_WEIGHT = 1e-9  # tail weight from which on a day is a tail day: rounding is none


def euler_split(components: pd.DataFrame, confidence: float, probability: ArrayLike | None = None) -> pd.DataFrame:
    """Expected P&L and CVaR of each component of outcomes that add up.

    Parameters
    ----------
    components : a row per outcome (day or scenario) and a column per component, P&L in GBP. A component that an
        outcome does not have is 0, not NaN (ValueError).
    confidence, probability : as in `measures.tail`, of the sum over components.

    Returns
    -------
    DataFrame
        component, expected_gbp (positive = earns), cvar_contribution_gbp (positive = loses in the tail), in the order
        of the columns. The contributions sum to the CVaR of the row sums, the expectations to their mean.
    """
    values = components.to_numpy(dtype="float64")
    whole = tail(row_sums(values), confidence, probability)
    chance = np.full(len(values), 1.0 / len(values)) if probability is None else np.asarray(probability, dtype=float)
    return pd.DataFrame(
        {
            "component": [str(name) for name in components.columns],
            "expected_gbp": _weighted(chance / math.fsum(chance), values),
            "cvar_contribution_gbp": -_weighted(whole.weights, values) + 0.0,
        }
    )


def attribution_rows(
    kinds: Mapping[str, pd.DataFrame],
    as_of: date,
    strategy: str,
    confidence: float,
    probability: ArrayLike | None = None,
) -> pd.DataFrame:
    """Columns of `risk/attribution`: the Euler split of one strategy's outcomes by each kind of component.

    kinds: stream, block, driver … to the components of that kind, all of the same outcomes in the same order. Raises
    ValueError where two kinds do not add up to the same P&L in every outcome (to 1e-6 GBP).
    """
    sums = {kind: row_sums(parts.to_numpy(dtype="float64")) for kind, parts in kinds.items()}
    first = next(iter(sums))
    for kind, total in sums.items():
        if total.shape != sums[first].shape or not np.allclose(total, sums[first], rtol=0.0, atol=SAME_GBP):
            raise ValueError(f"the components by {kind} and by {first} are not of the same P&L")
    parts = [euler_split(frame, confidence, probability).assign(component_kind=kind) for kind, frame in kinds.items()]
    rows = pd.concat(parts, ignore_index=True).assign(efa_date=as_of, strategy=strategy, confidence=confidence)
    return rows[["efa_date", "strategy", "confidence", "component_kind", *ATTRIBUTION_COLUMNS]]


def by_stream(daily_pnl: pd.DataFrame) -> pd.DataFrame:
    """Components by stream: a row per day, a column per stream, of `risk/daily_pnl` rows of one strategy."""
    return _wide(daily_pnl, daily_pnl["stream"], "pnl_gbp")


def by_block(cashflow: pd.DataFrame) -> pd.DataFrame:
    """Components by EFA block: a row per day, columns "EFA block 1" to 6, of `trading/cashflow` rows of one strategy.

    The day is the stored EFA date; on clock changes block 1 has 3 h or 5 h of it.
    """
    block = gb_time.efa_columns(cashflow["start_utc"])["efa_block"]
    return _wide(cashflow, "EFA block " + block.astype(str), "amount_gbp")


def by_driver(driver_cash: pd.DataFrame) -> pd.DataFrame:
    """Components by driver: a row per day, a column per driver, of the rows that `drivers.driver_cash` gives."""
    return _wide(driver_cash, driver_cash["driver"], "amount_gbp")


def tail_days(
    streams: pd.DataFrame, confidence: float, half_hours: pd.DataFrame, price_columns: tuple[str, ...]
) -> pd.DataFrame:
    """The days in the tail, the worst first, with what happened in them.

    Parameters
    ----------
    streams : components by stream (`by_stream`), indexed by EFA day.
    confidence : of the tail of the daily sums.
    half_hours, price_columns : see `worst_days`.

    Returns
    -------
    DataFrame
        The columns of `worst_days`, and tail_weight (sums to 1) and share_of_cvar (NaN where CVaR is no loss).
    """
    total = row_sums(streams.to_numpy(dtype="float64"))
    whole = tail(total, confidence)
    weight = pd.Series(whole.weights, index=streams.index)
    days = worst_days(streams, int((weight > LISTED_WEIGHT).sum()), half_hours, price_columns)
    listed = weight.loc[days["efa_date"]].to_numpy()
    share = -days["pnl_gbp"] * listed / whole.cvar_gbp if whole.cvar_gbp > 0.0 else math.nan
    return days.assign(tail_weight=listed, share_of_cvar=share)


def worst_days(
    streams: pd.DataFrame, count: int, half_hours: pd.DataFrame, price_columns: tuple[str, ...]
) -> pd.DataFrame:
    """The `count` days that earned least (all, if there are fewer), the worst first, with what happened in them.

    Parameters
    ----------
    streams : components by stream (`by_stream`), indexed by EFA day.
    half_hours : prices with start_utc and `price_columns`; half-hours of other days are ignored.
    price_columns : columns to list the lowest and highest value of. A price that is missing all day gives NaN.

    Returns
    -------
    DataFrame
        efa_date, pnl_gbp, lost (streams that lost, the largest loss first, with their GBP; empty if none did), and
        lowest_ and highest_ of each price column.
    """
    total = row_sums(streams.to_numpy(dtype="float64"))
    dates = gb_time.efa_columns(half_hours["start_utc"])["efa_date"].to_numpy()
    prices = {column: half_hours[column].groupby(dates) for column in price_columns}
    extremes = {f"lowest_{column}": price.min() for column, price in prices.items()}
    extremes |= {f"highest_{column}": price.max() for column, price in prices.items()}
    rows = []
    for place in np.argsort(total, kind="stable")[:count]:
        day = streams.index[place]
        row = {"efa_date": day, "pnl_gbp": total[place], "lost": _lost(streams.iloc[place])}
        rows.append(row | {name: extreme.get(day, math.nan) for name, extreme in extremes.items()})
    return pd.DataFrame(rows)


def row_sums(values: FloatArray) -> FloatArray:
    """Correctly rounded sums of rows: large parts that cancel leave no error behind."""
    return np.array([math.fsum(row) for row in values])


def _weighted(weights: FloatArray, values: FloatArray) -> FloatArray:
    return np.array([math.fsum(weights * column) for column in values.T])


def _wide(rows: pd.DataFrame, component: pd.Series, amount: str) -> pd.DataFrame:
    if "strategy" in rows and rows["strategy"].nunique() > 1:
        raise ValueError("components are of one strategy; these rows have several")
    table = rows.assign(component=component.to_numpy()).pivot_table(
        index="efa_date", columns="component", values=amount, aggfunc="sum", fill_value=0.0
    )
    return table.rename_axis(index="efa_date", columns=None)


def _lost(day: pd.Series) -> str:
    losses = day[day < 0.0].sort_values()
    return ", ".join(f"£{-amount:,.0f} in {_words(str(stream))}" for stream, amount in losses.items())


def _words(stream: str) -> str:
    return stream.replace("day_ahead", "day-ahead").replace("_", " ")
