"""Rows of `risk/warning`: the reject-if list over stored histories, broken limits, what could not be measured.

What belongs here: which strategy, days and tolerance each check gets. What does not: the checks (`reject_if.py`,
`limits.py`), those of half-hours (`day_parts.py`) and writing (`stored.py`).

A bound plus its gap is at least every strategy it is compared with. Stored energy may cross over from what lies outside
the compared days, or outside the window of the bound's one problem: each unbroken run of days within one window allows
usable energy times the largest price.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.lake import Lake
from bess_pipeline.risk import reject_if
from bess_pipeline.risk.day_parts import DAY_AHEAD, DAY_AHEAD_COLUMN, SYSTEM, SYSTEM_COLUMN
from bess_pipeline.risk.history import COUNTED, History, bounds_of
from bess_pipeline.risk.limits import BREACHED, LOWEST, NOT_MEASURED, WITHIN, name_of
from bess_pipeline.risk.pnl import DAYS_PER_YEAR
from bess_pipeline.trading.market_strategies import FORESIGHT_48H
from bess_pipeline.trading.stamps import efa_rows

Warned = tuple[str, str, str]  # kind, strategy, words
SAME_GBP = 0.01


def warning_rows(as_of: date, found: Iterable[Warned]) -> pd.DataFrame:
    """`risk/warning` rows, numbered within kind and strategy; the same warning once."""
    rows = pd.DataFrame(list(dict.fromkeys(found)), columns=["kind", "strategy", "words"])
    place = rows.groupby(["kind", "strategy"]).cumcount() + 1
    return rows.assign(as_of=as_of, place=place.astype("int64"))


def history_warnings(history: History, battery: Battery, cap_mw: float, lake: Lake) -> list[Warned]:
    """Of every strategy: provisional days, too rich, above its bound, capturing too much."""
    found: list[Warned] = []
    for name in history.strategies:
        status = history.status[history.status["strategy"] == name]
        waiting = int((status["status"] == COUNTED[1]).sum())
        if waiting:
            days = "day is" if waiting == 1 else "days are"
            found.append(("provisional", name, f"{waiting} {days} counted whose cash still lacks a price"))
        days_of = history.days_of(name)
        dates, mean = days_of["efa_date"], float(days_of["cash_gbp"].mean())
        yearly = mean * DAYS_PER_YEAR / battery.power_mw / 1000.0
        duration = battery.energy_mwh / battery.power_mw
        rich = reject_if.too_rich(name, yearly, dates.iloc[0], dates.iloc[-1], duration)
        found += [("too_rich", name, words) for words in rich]
    loose = [cap for cap in history.caps_mw if cap >= cap_mw]
    for cap in loose or (None,):
        found += _against_bounds(history, cap, battery, lake)
    return found


def limit_warnings(status: pd.DataFrame) -> list[Warned]:
    """A sentence for every strategy, limit and source with a breach (`risk/limit_status` rows): how often, the last day
    and the worst one. Replays with foresight, which nobody trades, have none."""
    if status.empty:
        return []
    traded = set(bounds_of(sorted(set(status["strategy"])))) - {FORESIGHT_48H}
    held = status[status["strategy"].isin(traded) & status["status"].isin([WITHIN, BREACHED, NOT_MEASURED])]
    found: list[Warned] = []
    for _, days in held.groupby(["strategy", "limit_name", "source"], dropna=False):
        broken = days[days["status"] == BREACHED].sort_values("efa_date")
        if len(broken):
            found.append(("limit_breached", str(broken["strategy"].iloc[0]), _breach_words(broken, days)))
    return found


def _breach_words(broken: pd.DataFrame, days: pd.DataFrame) -> str:
    worst = broken.sort_values("excess", kind="stable").iloc[-1]
    limit, unit = str(worst["limit_name"]), f" {worst['unit']}" if worst["unit"] else ""
    source = None if pd.isna(worst["source"]) else str(worst["source"])
    side = "below its least" if limit in LOWEST else "above its limit"
    measured = int(days["status"].isin([WITHIN, BREACHED]).sum())
    last = "" if len(broken) == 1 else f"; the last was {broken['efa_date'].iloc[-1]}"
    return (
        f"{name_of(limit, source)} was {side} of {worst['allowed']:,.4g}{unit} on {len(broken)} of {measured} "
        f"{'day' if measured == 1 else 'days'}, at worst {worst['measured']:,.4g}{unit} on {worst['efa_date']}{last}"
    )


def _against_bounds(history: History, cap_mw: float | None, battery: Battery, lake: Lake) -> list[Warned]:
    """Strategies above their bound, over the whole window and by month, and strategies that capture too much."""
    table = history.wide("after_wear", cap_mw)
    solved = history.bound[history.bound["imbalance_cap_mw"] == cap_mw]
    highest = _highest_prices(lake, history)
    found: list[Warned] = []
    for name, bound in bounds_of(list(table.columns)).items():
        if bound not in table:
            continue
        pair = table[[name, bound]].dropna()
        window = solved[solved["bound"] == bound].set_index("efa_date")["window"]
        months = pd.Series([day.replace(day=1) for day in pair.index], index=pair.index, dtype="object")
        for part in [pair, *(days for _, days in pair.groupby(months))]:
            if part.empty:
                continue
            windows = window.reindex(part.index).fillna("")
            runs = sum(len(gb_time.consecutive_runs(days.index)) for _, days in windows.groupby(windows))
            largest = max(0.0, float(highest.reindex(part.index).fillna(0.0).max()))
            tolerance = runs * battery.usable_energy_mwh * largest + SAME_GBP
            held = solved[(solved["bound"] == bound) & solved["window"].isin(windows)]
            gap = {bound: float(held.drop_duplicates("window")["gap_gbp"].sum())}
            sums = {str(key): float(value) for key, value in part.sum().items()}
            above = reject_if.above_bound(sums, {name: bound}, gap, tolerance)
            found += [("above_bound", name, f"{part.index[0]} to {part.index[-1]}: {words}") for words in above]
        total = pair.sum()
        if name != FORESIGHT_48H and total[bound] > 0.0:
            much = reject_if.captures_too_much({name: float(total[name] / total[bound])})
            found += [("captures_too_much", name, words) for words in much]
    return found


def _highest_prices(lake: Lake, history: History) -> pd.Series:
    """Largest day-ahead or system price of each day, GBP/MWh."""
    if not history.days:
        return pd.Series(dtype="float64")
    parts = []
    for table, column in ((DAY_AHEAD, DAY_AHEAD_COLUMN), (SYSTEM, SYSTEM_COLUMN)):
        rows = efa_rows(lake, table, history.days[0], history.days[-1])
        parts.append(rows.groupby(gb_time.efa_columns(rows["start_utc"])["efa_date"].to_numpy())[column].max())
    return pd.concat(parts, axis=1).max(axis=1)
