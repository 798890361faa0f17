"""The P&L table as the page and the terminal show it.

What belongs here: column choice, order and number format. What does not: the sums (`risk/pnl.py`).
"""

from __future__ import annotations

import pandas as pd

from bess_pipeline.figures.style import strategy_label
from bess_pipeline.risk.capture import Capture
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
DECIMALS = {"after_wear_gbp_per_mw_day": 2, "after_wear_kgbp_per_mw_year": 1}


def pnl_table(pnl: pd.DataFrame, capture: Capture) -> pd.DataFrame:
    """Text cells: a row per strategy (`risk/daily_pnl` rows summed), the cash streams, the summary, the capture."""
    if pnl.empty:
        return pd.DataFrame(columns=["strategy", *SUMMARY_LABELS.values(), "capture"], dtype="str")
    total = totals(pnl)
    if "wear" not in total:
        total["wear"] = 0.0
    streams = [c for c in total.columns if c not in SUMMARY_LABELS]
    cells = {"strategy": [strategy_label(str(s)) for s in total.index]}
    for column in [*streams, *SUMMARY_LABELS]:
        label = SUMMARY_LABELS.get(column, column.replace("_", "-"))
        cells[label] = [number(value, DECIMALS.get(column, 0)) for value in total[column]]
    shares = [capture.share.get(str(s)) for s in total.index]
    cells["capture"] = [NONE if share is None else f"{share:.1%}" for share in shares]
    return pd.DataFrame(cells)


def capture_words(capture: Capture) -> str:
    """What the column `capture` means; empty when no strategy has one."""
    if not capture.share:
        return ""
    return (
        "Capture is P&L after wear over that of the strategy's upper bound, the change of stored energy at "
        f"{number(capture.energy_price_gbp_mwh, 2)} £/MWh (mean day-ahead price) on both sides; imbalance cap 0 MW."
    )


def pnl_table_text(pnl: pd.DataFrame, capture: Capture) -> str:
    """The table for a terminal, GBP: strategies down, streams across, totals after wear; no trailing newline."""
    table = pnl_table(pnl, capture)
    if table.empty:
        return "no settled day: there is no P&L to show"
    rows = [[str(c) for c in table.columns], *table.to_numpy().tolist()]
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    lines = [_line(row, widths) for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    words = capture_words(capture)
    return "\n".join(["P&L by strategy and stream, £", *lines, *([words] if words else [])])


def _line(row: list[str], widths: list[int]) -> str:
    """The first cell to the left of its column, the others to the right of theirs."""
    first, *others = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
    return "  ".join([first.strip().ljust(widths[0]), *others])


def number(value: float, decimals: int = 0) -> str:
    """A number with thousands separators; what rounds to zero is 0, never -0."""
    return f"{round(float(value), decimals) + 0.0:,.{decimals}f}"
