"""Whether the strategies of a window stay below their bound.

What belongs here: what of a window can be compared, and the comparison, in sentences. What does not: the bound
(`bounds.py`).

Both sides are P&L after wear. Fees are left out: the bound pays none, and a guaranteed floor is no market. Over a whole
window each side has the change of its stored energy added, at the price that the bound states. Over a part of it (each
month; with a day that cannot be compared, the longest part before that day) a strategy may be ahead by no more than the
usable energy at the part's largest price: what the bound may have bought or kept for another part of the window.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby, takewhile

import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.lake import Lake
from bess_pipeline.trading.bounds import StoredBounds, Window, compared, same_chain
from bess_pipeline.trading.settlement_costs import FEE
from bess_pipeline.trading.stamps import DAILY_PNL, RUN_STATUS, efa_rows

TOLERANCE_GBP = 0.01  # a day: rounding of volumes at 1e-6 MWh
SETTLED = ("complete", "refused")
PRICES = {
    "market/day_ahead_price": "day_ahead_price_gbp_mwh",
    "market/system_price": "system_price_gbp_mwh",
}


@dataclass(frozen=True)
class Comparison:
    """A strategy beside its bound over a window or a part of it.

    reason: why they were not compared, empty where they were; failure: by how much the strategy is ahead, in a
    sentence, empty where it is not.
    """

    strategy: str
    bound: str
    window: str
    part: str
    reason: str = ""
    failure: str = ""

    @property
    def words(self) -> str:
        """Why they were not compared, in a sentence."""
        return f"{self.strategy} with {self.bound} over {self.part}: {self.reason}"


@dataclass(frozen=True, eq=False)
class _Pair:
    """A strategy and a bound over a window.

    earned: by day, missing where there is no P&L; status: `trading/run_status` rows, bound: `risk/bound` rows, both by
    day; largest_gbp: of a full battery at the largest price of each day. starts_apart: days on which the chain of only
    one starts, or each with a state of its own.
    """

    strategy: str
    name: str
    window: Window
    earned: pd.Series
    status: pd.DataFrame
    bound: pd.DataFrame
    largest_gbp: pd.Series
    starts_apart: frozenset[date]

    def told(self, part: str, *, reason: str = "", failure: str = "") -> Comparison:
        """What came of one part."""
        return Comparison(self.strategy, self.name, self.window.label, part, reason, failure)


def comparisons(bounds: StoredBounds, window: Window) -> list[Comparison]:
    """Each strategy that was dispatched in a window beside its bounds: over the window, and over its parts."""
    found: list[Comparison] = []
    for pair in _pairs(bounds, window):
        reasons = _reasons(pair)
        found.append(_whole(pair, reasons))
        found += [_part(pair, reasons, label, days) for label, days in _parts(pair, reasons, found[-1])]
    return found


def failures(found: Iterable[Comparison]) -> list[str]:
    """A sentence for each strategy that earned more than its bound and gap over a window, or over a part of it."""
    return [one.failure for one in found if one.failure]


def compared_nowhere(found: Iterable[Comparison]) -> list[str]:
    """A sentence for each strategy that was compared with a bound over no part of a window."""
    by_pair: dict[tuple[str, str, str], list[Comparison]] = {}
    for one in found:
        by_pair.setdefault((one.strategy, one.bound, one.window), []).append(one)
    return [some[0].words for some in by_pair.values() if all(one.reason for one in some)]


# --- what is compared


def _pairs(bounds: StoredBounds, window: Window) -> list[_Pair]:
    lake, (first, last) = bounds.lake, (window.days[0], window.days[-1])
    rows = lake.read("risk/bound", first, last)
    rows = rows[rows["window"] == window.label]
    pnl = lake.read(DAILY_PNL, first, last)
    daily = pnl[pnl["stream"] != FEE].groupby(["strategy", "efa_date"])["pnl_gbp"].sum()
    status = lake.read(RUN_STATUS, first, last)
    seen = {*lake.read(window.table, first, last)["strategy"], *pnl["strategy"]}
    largest_gbp = bounds.condition.new_battery.usable_energy_mwh * _largest_prices(lake, window)
    chain = dict(bounds.opening_chain(window))
    found = []
    for name in window.bounds:
        own = rows[rows["bound"] == name]
        own = own[own["imbalance_cap_mw"] == own["imbalance_cap_mw"].max()].sort_values("efa_date")
        for strategy in (one for one in compared(name) if one in seen):
            earned = daily[daily.index.get_level_values("strategy") == strategy].droplevel("strategy")
            days = status[status["strategy"] == strategy].set_index("efa_date").sort_index()
            apart = _starts_apart(chain, dict(bounds.starts(window, strategy)))
            by_day = own.set_index("efa_date")
            found.append(_Pair(strategy, name, window, earned, days, by_day, largest_gbp, apart))
    return found


def _starts_apart(one: dict[date, float], other: dict[date, float]) -> frozenset[date]:
    alike = {day for day in one if day in other and same_chain([(day, one[day])], [(day, other[day])])}
    return frozenset({*one, *other} - alike)


def _reasons(pair: _Pair) -> dict[date, str]:
    """Why each day of the window cannot be compared, empty where it can."""
    status, bound = pair.status["status"].to_dict(), pair.bound["status"].to_dict()
    paid = set(pair.earned.index)

    def reason(day: date) -> str:
        own = status.get(day, "without a status")
        if own not in SETTLED:
            return f"it is {own}"
        if day not in bound:
            return "the bound has no row"
        if own != "refused" and bound[day] == "idle":
            return "it traded while the bound was idle"
        return "" if own == "refused" or day in paid else "it has no P&L"

    return {day: reason(day) for day in pair.window.days}


def _parts(pair: _Pair, reasons: dict[date, str], whole: Comparison) -> list[tuple[str, list[date]]]:
    """The months of a window and, where it cannot be compared as a whole, the longest part at its start that can."""
    first = pair.window.days[0]
    months = [list(days) for _, days in groupby(pair.window.days, key=lambda day: (day.year, day.month))]
    found = [(f"{days[0]:%Y-%m}", days) for days in months]
    if not whole.reason:
        return found
    clear = takewhile(lambda day: not reasons[day] and (day == first or day not in pair.starts_apart), reasons)
    leading = list(clear)
    if not leading or leading in months:
        return found
    return [*found, (f"{leading[0]}..{leading[-1]}", leading)]


def _why_not(pair: _Pair, reasons: dict[date, str], days: Sequence[date], carried: Sequence[date]) -> str:
    """Why a strategy cannot be compared over days, empty where it can; on `carried` chains must start alike."""
    known = {day: reasons[day] for day in days if reasons[day]}
    apart = {day: "its chain starts otherwise than the bound's" for day in carried if day in pair.starts_apart}
    words = [f"on {day} {reason}" for day, reason in (known or apart).items()]
    more = f", and so with {len(words) - 1} more days" if len(words) > 1 else ""
    return f"{words[0]}{more}" if words else ""


# --- the comparison


def _whole(pair: _Pair, reasons: dict[date, str]) -> Comparison:
    window, days = pair.window, list(pair.window.days)
    reason = _why_not(pair, reasons, days, days)
    if reason:
        return pair.told(window.label, reason=reason)
    if pd.isna(_change(pair.status)):
        return pair.told(window.label, reason="how much energy it held at an end of it is not known")
    price = float(pair.bound["energy_price_gbp_mwh"].iloc[0])
    worth = float(pair.earned.reindex(days).sum()) + price * _change(pair.status)
    most = float(pair.bound["pnl_gbp"].sum()) + price * _change(pair.bound) + _gap_gbp(pair)
    if worth <= most + TOLERANCE_GBP * len(days):
        return pair.told(window.label)
    words = (
        f"{pair.strategy} earned {worth:,.2f} GBP over {window.label}, stored energy at {price:.2f} GBP/MWh included, "
        f"and its bound {pair.name} with its gap {most:,.2f} GBP: that is {worth - most:,.2f} GBP less"
    )
    return pair.told(window.label, failure=words)


def _part(pair: _Pair, reasons: dict[date, str], label: str, days: list[date]) -> Comparison:
    reason = _why_not(pair, reasons, days, days[1:])
    if reason:
        return pair.told(label, reason=reason)
    own = float(pair.earned.reindex(days).sum())
    most = float(pair.bound["pnl_gbp"].reindex(days).sum()) + _gap_gbp(pair)
    slack = float(pair.largest_gbp.reindex(days).max()) + TOLERANCE_GBP * len(days)
    if own <= most + slack:
        return pair.told(label)
    words = (
        f"{pair.strategy} earned {own:,.2f} GBP over {label} and its bound {pair.name} with its gap {most:,.2f} GBP: "
        f"that is {own - most:,.2f} GBP less, more than the {slack:,.2f} GBP that stored energy may explain"
    )
    return pair.told(label, failure=words)


def _gap_gbp(pair: _Pair) -> float:
    return float(pair.bound["gap_gbp"].iloc[0])


def _change(rows: pd.DataFrame) -> float:
    """Change of stored energy from the first day to the last, MWh."""
    return float(rows["closing_energy_mwh"].iloc[-1]) - float(rows["opening_energy_mwh"].iloc[0])


def _largest_prices(lake: Lake, window: Window) -> pd.Series:
    """The largest price of energy of each day of a window, either sign, GBP/MWh; 0 without any."""
    found = pd.Series(0.0, index=list(window.days))
    for table, column in PRICES.items():
        rows = efa_rows(lake, table, window.days[0], window.days[-1])
        day = gb_time.efa_columns(rows["start_utc"])["efa_date"]
        most = rows[column].abs().groupby(day).max()
        found = found.combine(most.reindex(found.index).fillna(0.0), max)
    return found
