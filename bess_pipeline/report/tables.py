"""The P&L table as the page and the terminal show it.

What belongs here: column choice, order and number format. What does not: the sums (`risk/pnl.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from bess_pipeline.figures.style import strategy_label
from bess_pipeline.risk.pnl import DAYS_PER_YEAR, totals

CONVENTION = (
    "Signs: received is positive. Cash is every stream but wear; wear is a cost and not cash. "
    "£/MW/day is P&L after wear over the battery's rated MW and the EFA days of the window, idle and refused days "
    f"included; £k/MW/year is that times {DAYS_PER_YEAR}, over 1,000."
)
SUMMARY_LABELS = {
    "cash_gbp": "cash",
    "wear": "wear",
    "after_wear_gbp": "after wear",
    "days": "days",
    "after_wear_gbp_per_mw_day": "£/MW/day",
    "after_wear_kgbp_per_mw_year": "£k/MW/year",
}
NONE = "-"
ALWAYS_SHOWN = ("day_ahead", "imbalance")
DECIMALS = {"after_wear_gbp_per_mw_day": 2, "after_wear_kgbp_per_mw_year": 1}


@dataclass(frozen=True)
class Comparison:
    """P&L of strategies over days that make them comparable, or each over its own.

    title: what the table shows; pnl: `risk/daily_pnl` rows; capture: strategy to share of its bound, of those days;
    cap_mw: imbalance cap of strategies and bounds that have one, None where the table has no capture of any.
    """

    title: str
    pnl: pd.DataFrame
    capture: Mapping[str, float]
    cap_mw: float | None = None


def pnl_table(pnl: pd.DataFrame, capture: Mapping[str, float]) -> pd.DataFrame:
    """Text cells: a row per strategy (`risk/daily_pnl` rows summed), cash streams, the summary, the capture.

    A stream that never moved is left out, but for day-ahead and imbalance.
    """
    if pnl.empty:
        return pd.DataFrame(columns=["strategy", *SUMMARY_LABELS.values(), "capture"], dtype="str")
    total = totals(pnl)
    if "wear" not in total:
        total["wear"] = 0.0
    streams = [c for c in total.columns if c not in SUMMARY_LABELS and (c in ALWAYS_SHOWN or (total[c] != 0.0).any())]
    cells = {"strategy": [strategy_label(str(s)) for s in total.index]}
    for column in [*streams, *SUMMARY_LABELS]:
        label = SUMMARY_LABELS.get(column, column.replace("_", "-"))
        cells[label] = [number(value, DECIMALS.get(column, 0)) for value in total[column]]
    shares = [capture.get(str(s)) for s in total.index]
    cells["capture"] = [NONE if share is None else f"{share:.1%}" for share in shares]
    return pd.DataFrame(cells)


def capture_words(capture: Mapping[str, float], cap_mw: float | None = None) -> str:
    """What the column `capture` means; empty when no strategy has one. cap_mw: see `Comparison`."""
    if not capture:
        return ""
    cap = "" if cap_mw is None else f"; imbalance cap {cap_mw:g} MW where one applies"
    return (
        "Capture is P&L after wear with the change of stored energy, at the mean day-ahead price of the bound's "
        "window, over the same of the strategy's upper bound, as stored of the very days of the row: "
        f"risk.capture_by_month, or risk.latest_ladder for the days that all share{cap}. The bound is one problem over "
        "its window (risk.bound); day-ahead perfect foresight as a row of this table is its replay day by day."
    )


def pnl_tables_text(comparisons: Sequence[Comparison]) -> str:
    """The tables for a terminal, GBP: strategies down, streams across, totals after wear; no trailing newline."""
    return "\n\n".join(_table_text(one) for one in comparisons if not one.pnl.empty) or (
        "no settled day: there is no P&L to show"
    )


def _table_text(comparison: Comparison) -> str:
    table = pnl_table(comparison.pnl, comparison.capture)
    rows = [[str(c) for c in table.columns], *table.to_numpy().tolist()]
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    lines = [_line(row, widths) for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    words = capture_words(comparison.capture, comparison.cap_mw)
    return "\n".join([comparison.title, *lines, *([words] if words else [])])


def _line(row: list[str], widths: list[int]) -> str:
    """The first cell to the left of its column, the others to the right of theirs."""
    first, *others = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
    return "  ".join([first.strip().ljust(widths[0]), *others])


def number(value: float, decimals: int = 0) -> str:
    """A number with thousands separators; what rounds to zero is 0, never -0."""
    return f"{round(float(value), decimals) + 0.0:,.{decimals}f}"
