"""Rows of the tables that compare whole histories: measures, drawdown, ladder, capture by month, waterfall.

What belongs here: from a `History` to rows. What does not: the formulas (`summary.py`, `drawdown.py`, `ladder.py`,
`waterfall.py`), single days and tails (`stored_tail.py`) and writing (`stored.py`).
"""

from __future__ import annotations

from collections.abc import Hashable
from datetime import date
from typing import Any

import pandas as pd

from bess_pipeline.errors import UserInputError
from bess_pipeline.risk import ladder as ladder_module
from bess_pipeline.risk.drawdown import drawdown
from bess_pipeline.risk.history import BOUND_NAMES, History, bounds_of, is_bound, traded_caps_mw, widest_bound
from bess_pipeline.risk.summary import BASES, measure_rows
from bess_pipeline.risk.waterfall import AFTER_WEAR, BOUND, levels_to, waterfall
from bess_pipeline.risk_settings import RiskSettings

YEARLY = "GBP/MW/year"
LEAST_DAYS = 5
NOT_FROM_FORESIGHT = BOUND_NAMES[0]  # the bound of one market is no step from the one of all


def measures(history: History, power_mw: float, settings: RiskSettings, seed: int) -> pd.DataFrame:
    """`risk/measure` rows of every strategy."""
    rows = [
        measure_rows(history.days_of(name), name, power_mw, settings, seed, history.as_of)
        for name in history.strategies
    ]
    return _joined(rows)


def drawdowns(history: History, power_mw: float) -> pd.DataFrame:
    """`risk/drawdown` rows of every strategy and basis."""
    rows = []
    for name in history.strategies:
        days = history.days_of(name).set_index("efa_date")
        for basis, column in BASES.items():
            found = drawdown(days[column])
            rows.append(
                {
                    "as_of": history.as_of,
                    "strategy": name,
                    "basis": basis,
                    "depth_gbp": found.depth_gbp,
                    "depth_gbp_per_mw": found.depth_gbp / power_mw,
                    "current_gbp": found.current_gbp,
                    "peak_date": found.peak_date,
                    "trough_date": found.trough_date,
                    "recovery_date": found.recovery_date,
                    "length_days": found.length_days,
                    "longest_days": found.longest_days,
                }
            )
    return pd.DataFrame(rows)


def ladder(
    history: History, power_mw: float, settings: RiskSettings, seed: int, *, traded_cap_mw: float
) -> pd.DataFrame:
    """`risk/ladder` rows: every strategy and bound at each cap, with capture and the lead over the yardstick.

    The lead after wear counts the change of stored energy on both sides: strategies whose chains begin on other days
    open with other states, and who opens full is no better for emptying the store. In cash it does not: there, a full
    store at the start is what it earned. traded_cap_mw: what strategies of the imbalance market trade under.
    """
    rows = []
    for cap in history.caps_mw or (None,):
        for basis in BASES:
            table = comparable(history.wide(basis, cap))
            bounds = bounds_of(list(table.columns))
            bounds = {name: bound for name, bound in bounds.items() if bound in table}
            stored = history.stored_gbp(cap, widest_bound(table.columns))
            found = ladder_module.ladder(table, bounds, power_mw, settings, seed, stored)
            compared = ladder_module.valued(table, stored) if basis == AFTER_WEAR else table
            leads = _leads(compared, found, power_mw, settings, seed)
            kind = ["bound" if is_bound(name) else "strategy" for name in found["strategy"]]
            found = found.assign(kind=kind, bound=found["strategy"].map(bounds).astype("str"), basis=basis)
            found["bound"] = found["bound"].where(found["strategy"].isin(bounds), None)
            traded = found["strategy"].map(traded_caps_mw(found["strategy"], traded_cap_mw)).astype("float64")
            found = found.assign(traded_cap_mw=traded)
            rows.append(found.merge(leads, on="strategy", how="left").assign(imbalance_cap_mw=cap))
    return _joined(rows).assign(as_of=history.as_of, unit=YEARLY)


def comparable(table: pd.DataFrame) -> pd.DataFrame:
    """The columns that share at least five days (all the days, if there are fewer), as many as can be.

    As long as they do not, the one with the fewest days is left out: it would leave too few days to compare.
    """
    least = min(LEAST_DAYS, int(table.notna().sum().max()))
    while len(table.columns) > 1 and len(table.dropna()) < least:
        table = table.drop(columns=table.notna().sum().idxmin())
    return table


def capture_months(history: History, *, traded_cap_mw: float) -> pd.DataFrame:
    """`risk/capture` rows: months of every strategy that has a bound, after wear; stored energy at that bound's price.

    traded_cap_mw: see `ladder`.
    """
    rows = []
    for cap in history.caps_mw or (None,):
        table = history.wide("after_wear", cap)
        bounds = {name: bound for name, bound in bounds_of(list(table.columns)).items() if bound in table}
        stored = {bound: history.stored_gbp(cap, bound) for bound in set(bounds.values())}
        traded = traded_caps_mw(bounds, traded_cap_mw)
        for name, bound in bounds.items():
            pair = table[[name, bound]].dropna()
            caps = {"imbalance_cap_mw": cap, "traded_cap_mw": traded[name]}
            for row in _months_of(pair, stored[bound]):
                rows.append(row | caps | {"as_of": history.as_of})
    return pd.DataFrame(rows)


def waterfalls(history: History, cap_mw: float) -> tuple[pd.DataFrame, list[tuple[str, str, str]]]:
    """`risk/waterfall` rows to every strategy, and warnings (kind, strategy, words) of those that lack a replay.

    Levels count the change of stored energy, all at the price of the bound of all markets. cap_mw: the imbalance cap
    that strategies trade under; the bound is the one computed at it.
    """
    rows, warnings = [], []
    tables = {basis: history.wide(basis, cap_mw) for basis in BASES}
    stored = history.stored_gbp(cap_mw, BOUND)
    for name in history.strategies:
        if name == NOT_FROM_FORESIGHT:
            continue
        found, why_not = _waterfall_to(name, tables, stored)
        if why_not:
            warnings.append(("no_waterfall", name, why_not))
        else:
            rows.append(found.assign(as_of=history.as_of, strategy=name, imbalance_cap_mw=cap_mw))
    return _joined(rows), warnings


def _months_of(pair: pd.DataFrame, stored_gbp: pd.DataFrame) -> list[dict[Hashable, Any]]:
    """Captures of a strategy and its bound (the two columns of `pair`) by month, with the pounds of both."""
    name, bound = pair.columns
    worth = ladder_module.valued(pair, stored_gbp)
    rows = []
    for row in ladder_module.capture_by_month(worth, {name: bound}).to_dict("records"):
        held = _in_month(pair, row["month"])
        earned, stored = pair[held].sum(), (worth - pair)[held].sum()
        pounds = {"pnl_gbp": earned[name], "bound_gbp": earned[bound]}
        pounds |= {"stored_gbp": stored[name], "bound_stored_gbp": stored[bound]}
        rows.append(row | {"bound": bound} | {key: float(value) for key, value in pounds.items()})
    return rows


def _waterfall_to(name: str, tables: dict[str, pd.DataFrame], stored_gbp: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Steps to a strategy over the days that all its levels have, or why there are none."""
    levels = levels_to(name)
    held = sorted({level.replay for level in levels if level.replay in tables["cash"]})
    days = tables["cash"][held].dropna().index
    if len(days) == 0 and BOUND in held:
        return pd.DataFrame(), f"a waterfall to {name} needs a day that {', '.join(held)} all have"
    stored = stored_gbp.reindex(index=days, columns=held).fillna(0.0).sum()
    worth = {
        (replay, basis): float(table.loc[days, replay].sum() + stored[replay])
        for basis, table in tables.items()
        for replay in held
    }
    try:
        steps = waterfall(worth, levels)
    except UserInputError as error:
        return pd.DataFrame(), str(error)
    start = {"step": "start", "to_replay": levels[0].replay, "to_basis": levels[0].basis}
    first = pd.DataFrame([start | {"level_gbp": worth[levels[0].replay, levels[0].basis]}])
    found = pd.concat([first.astype({"level_gbp": "float64"}), steps], ignore_index=True)
    found = found.assign(stored_gbp=found["to_replay"].map(stored).astype("float64"))
    return found.assign(place=range(len(found)), first_date=days[0], days=len(days)), ""


def _leads(
    table: pd.DataFrame, found: pd.DataFrame, power_mw: float, settings: RiskSettings, seed: int
) -> pd.DataFrame:
    """Lead over the yardstick of each strategy of a ladder, on the days of the ladder."""
    over = settings.yardstick
    names = ["strategy", "yardstick", "lead", "lead_low", "lead_high"]
    if over not in table or found.empty:
        return pd.DataFrame(columns=names)
    common = table.dropna()
    rows = []
    for name in found["strategy"]:
        if name != over:
            ahead = ladder_module.lead(common, name, over, power_mw, settings, seed)
            rows.append((name, over, ahead.value, ahead.low, ahead.high))
    return pd.DataFrame(rows, columns=names)


def _in_month(table: pd.DataFrame, month: date) -> list[bool]:
    return [(day.year, day.month) == (month.year, month.month) for day in table.index]


def _joined(frames: list[pd.DataFrame]) -> pd.DataFrame:
    held = [frame for frame in frames if len(frame)]
    return pd.concat(held, ignore_index=True) if held else pd.DataFrame()
