"""Rows of `risk/warning`: the reject-if list over stored histories, broken limits, what could not be measured.

What belongs here: which strategy, days and tolerance each check gets. What does not: the checks (`reject_if.py`,
`limits.py`), those of half-hours (`day_parts.py`) and writing (`stored.py`).

A bound plus its gap is at least every strategy it is compared with. Stored energy may cross over from what lies outside
the compared days, or outside the window of the bound's one problem: each unbroken run of days within one window allows
usable energy times the largest price.

What is too good to be true is looked for in the rows as they are stored: the ladder, captures by month, measures of
each window, months of cash. One bad month must not hide in a good year; a part of the history has to hold `PART_DAYS`,
for a few lucky days prove nothing.
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
from bess_pipeline.risk.summary import WHOLE
from bess_pipeline.trading.market_strategies import FORESIGHT_48H
from bess_pipeline.trading.stamps import efa_rows

Warned = tuple[str, str, str]  # kind, strategy, words
SAME_GBP = 0.01
PART_DAYS = 14  # fewest days of a month or window that is looked at by itself
ANNUALISED = "annualised_gbp_per_mw_year"


def warning_rows(as_of: date, found: Iterable[Warned]) -> pd.DataFrame:
    """`risk/warning` rows, numbered within kind and strategy; the same warning once."""
    rows = pd.DataFrame(list(dict.fromkeys(found)), columns=["kind", "strategy", "words"])
    place = rows.groupby(["kind", "strategy"]).cumcount() + 1
    return rows.assign(as_of=as_of, place=place.astype("int64"))


def history_warnings(history: History, battery: Battery, cap_mw: float, lake: Lake) -> list[Warned]:
    """Of every strategy: provisional days, and whether it is above its bound."""
    found: list[Warned] = []
    for name in history.strategies:
        status = history.status[history.status["strategy"] == name]
        waiting = int((status["status"] == COUNTED[1]).sum())
        if waiting:
            days = "day is" if waiting == 1 else "days are"
            found.append(("provisional", name, f"{waiting} {days} counted whose cash still lacks a price"))
    loose = [cap for cap in history.caps_mw if cap >= cap_mw]
    for cap in loose or (None,):
        found += _above_bounds(history, cap, battery, lake)
    return found


def capture_warnings(ladder: pd.DataFrame, capture: pd.DataFrame) -> list[Warned]:
    """Captures of `risk/ladder` (after wear) and `risk/capture` rows that no forecast allows.

    Of bounds at the cap that a strategy traded under or a looser one: at a tighter one it may have more than its bound.
    """
    found: list[Warned] = []
    whole = ladder[ladder["basis"] == "after_wear"] if len(ladder) else ladder
    for rows, least in ((whole, 0), (capture, PART_DAYS)):
        for row in rows.to_dict("records"):
            name, cap = str(row["strategy"]), row["imbalance_cap_mw"]
            tighter = pd.notna(cap) and cap < row["traded_cap_mw"]
            if tighter or row["days"] < least or name == FORESIGHT_48H:
                continue
            when = f"in {row['month']:%Y-%m}" if "month" in row else f"over {row['days']} days shared with others"
            much = reject_if.captures_too_much({name: row["capture"]})
            found += [("captures_too_much", name, f"{when}: {words}") for words in much]
    return list(dict.fromkeys(found))  # a bound without a cap stands at each


def rich_warnings(history: History, measure: pd.DataFrame, battery: Battery) -> list[Warned]:
    """Cash of a window (`risk/measure` rows) or a month, as of a year, that no battery has earned."""
    yearly = measure[(measure["measure"] == ANNUALISED) & (measure["basis"] == "cash")] if len(measure) else measure
    found: list[Warned] = []
    for row in yearly.to_dict("records"):
        name, days = str(row["strategy"]), list(history.days_of(str(row["strategy"]))["efa_date"])
        if row["window"] == WHOLE or row["days"] >= PART_DAYS:
            found += _rich(name, row["value"], days[-row["days"] :], f"window {row['window']}", battery)
    for name in history.strategies:
        cash = history.days_of(name).set_index("efa_date")["cash_gbp"]
        for month, part in cash.groupby([day.replace(day=1) for day in cash.index]):
            if len(part) >= PART_DAYS:
                value = float(part.mean()) * DAYS_PER_YEAR / battery.power_mw
                found += _rich(name, value, list(part.index), f"in {month:%Y-%m}", battery)
    return found


def _rich(name: str, gbp_per_mw_year: float, days: list[date], when: str, battery: Battery) -> list[Warned]:
    duration_h = battery.energy_mwh / battery.power_mw
    rich = reject_if.too_rich(name, gbp_per_mw_year / 1000.0, days[0], days[-1], duration_h)
    return [("too_rich", name, f"{when}: {words}") for words in rich]


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


def _above_bounds(history: History, cap_mw: float | None, battery: Battery, lake: Lake) -> list[Warned]:
    """Strategies above their bound, over the whole window and by month."""
    table = history.wide("after_wear", cap_mw)
    solved = history.bounds_at(cap_mw)
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
