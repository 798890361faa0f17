"""Sections on what strategies are worth: the ladder with capture at each cap, the waterfall, capture by month.

What belongs here: their words, of `risk/ladder`, `risk/waterfall` and `risk/capture` rows. What does not: the numbers
(`risk/ladder.py`, `risk/waterfall.py`), the pictures (`risk_figures.py`) and what is not included (`not_included.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import date
from typing import Any

import pandas as pd

from bess_pipeline.figures.caps import cap_label, is_capture, share_label, traded_cap_mw
from bess_pipeline.report.risk_rows import AFTER_WEAR, CASH, RiskRows
from bess_pipeline.report.sections import (
    ReportFigure,
    Section,
    TextTable,
    plain,
    share,
    with_interval,
    without_interval,
)
from bess_pipeline.report.tables import NONE

Label = Callable[[str], str]
NO_WATERFALL = "no_waterfall"  # kind of the warning
WATERFALL_COLUMNS = ("step", "from", "to", "change, £", "level, £", "of it stored energy, £")
STORED = (
    "the change of stored energy counts, the same price for all: the mean day-ahead price of the window of the bound "
    "of the most markets"
)
LADDER_NOTE = (
    "Intervals: stationary block bootstrap of the days, the same days for all, so that capture and lead know how two "
    f"strategies move together. After wear, {STORED}; in cash it does not. Capture is the value after wear over that "
    "of the strategy's upper bound, and empty where the bound is not positive. A bound is made with the outcome "
    "prices: nobody could have traded it. With an imbalance cap, a bound bets on cash-out with hindsight; at cap 0 it "
    "does not."
)
SHARE_NOTE = (
    " Beside a bound at another cap than strategies traded under there is a share of that bound and no capture: they "
    "had an imbalance that the bound may not have. Strategies of the day-ahead market alone are under every cap, and "
    "their capture is the same at each."
)


def at_cap(rows: pd.DataFrame, cap_mw: float) -> pd.DataFrame:
    """Rows of one imbalance cap (NaN: those without one)."""
    cap = rows["imbalance_cap_mw"]
    return rows[cap.isna() if math.isnan(cap_mw) else cap == cap_mw]


def ladder_section(rows: RiskRows, label: Label, figures: Sequence[ReportFigure]) -> list[Section]:
    """The ladder, a table for each imbalance cap; nothing where none is stored."""
    if rows.ladder.empty:
        return []
    tables = [_ladder_table(at_cap(rows.ladder, cap), cap, label) for cap in rows.caps_mw]
    return [
        Section(
            title="What each strategy is worth a year",
            lead=f"As of {rows.as_of}. All strategies of a table over the same days; a day that one of them lacks is "
            "left out for all.",
            items=[*_left_out(rows, label), *without_interval(rows.ladder)],
            tables=tables,
            figures=figures,
            note=LADDER_NOTE + _share_note(rows.ladder),
        )
    ]


def waterfall_section(rows: RiskRows, label: Label, figures: Sequence[ReportFigure]) -> list[Section]:
    """Steps to the leading strategy at each cap, or why there are none; the other waterfalls are in the table."""
    leading = rows.leading(rows.waterfall["strategy"])
    own = rows.waterfall[rows.waterfall["strategy"] == leading]
    if leading is None:
        lacking = rows.warning.loc[rows.warning["kind"] == NO_WATERFALL, "words"]
        return [Section(title="From perfect foresight", items=sorted(lacking))] if len(lacking) else []
    caps = own["imbalance_cap_mw"].drop_duplicates().sort_values(ascending=False, na_position="last")
    tables = [_steps_table(at_cap(own, float(cap)), float(cap), label) for cap in caps]
    return [
        Section(
            title=f"From perfect foresight to {label(leading)}",
            lead="Every step is the difference of two stored replays over the same days, in a fixed order; nothing is "
            "left over. In every level the change of stored energy counts at one price, as it does in captures: who "
            "ends with an empty battery has no lead for it.",
            tables=tables,
            figures=figures,
            note="The order decides how effects that act together are shared. Those of the other strategies: "
            "risk.latest_waterfall.",
        )
    ]


def capture_section(rows: RiskRows, label: Label, figures: Sequence[ReportFigure]) -> list[Section]:
    """Capture by month, strategies across; nothing where none is stored."""
    if rows.capture.empty:
        return []
    caps = rows.capture["imbalance_cap_mw"].drop_duplicates().sort_values(ascending=False, na_position="last")
    return [
        Section(
            title="Capture by month",
            tables=[_months_table(at_cap(rows.capture, float(cap)), float(cap), label) for cap in caps],
            figures=figures,
            note="Share of the bound after wear, stored energy counted on both sides at the mean day-ahead price of "
            "the bound's window, and in brackets the days of the month that both have." + _share_note(rows.capture),
        )
    ]


def _share_note(rows: pd.DataFrame) -> str:
    traded = traded_cap_mw(rows)
    return "" if all(is_capture(float(cap), traded) for cap in rows["imbalance_cap_mw"].unique()) else SHARE_NOTE


def _left_out(rows: RiskRows, label: Label) -> list[str]:
    """Strategies with days of their own and no place in the ladder."""
    lacking = sorted(set(rows.measure["strategy"]) - set(rows.ladder["strategy"]))
    if not lacking:
        return []
    names = ", ".join(label(name) for name in lacking)
    return [f"Not compared, for sharing fewer than five days with the others: {names}."]


def _ladder_table(ladder: pd.DataFrame, cap_mw: float, label: Label) -> TextTable:
    cash = ladder[ladder["basis"] == CASH].set_index("strategy")["value"]
    own = ladder[ladder["basis"] == AFTER_WEAR].sort_values("worth", ascending=False, kind="stable")
    days, left_out = (int(own[name].max()) if len(own) else 0 for name in ("days", "left_out"))
    words = f", {left_out} left out that one of them lacks" if left_out else ""
    traded = traded_cap_mw(ladder)
    share_of = "capture of its bound" if is_capture(cap_mw, traded) else share_label(cap_mw, traded)
    columns = (
        *("strategy", "after wear with stored energy, £k/MW/year", "cash, £k/MW/year"),
        *(share_of, "bound", "lead over the yardstick, £k/MW/year"),
    )
    return TextTable(
        columns,
        [_rung(row, cash.get(str(row["strategy"]), math.nan), label) for row in own.to_dict("records")],
        title=f"{_titled(cap_mw, traded)}; {days} days{words}",
    )


def _rung(row: Mapping[Hashable, Any], cash: float, label: Label) -> list[str]:
    worth, lead = (
        [row[name] / 1000.0 for name in names]
        for names in (("worth", "worth_low", "worth_high"), ("lead", "lead_low", "lead_high"))
    )
    over = with_interval(lead[0], lead[1], lead[2], 1)
    return [
        label(str(row["strategy"])),
        with_interval(worth[0], worth[1], worth[2], 1),
        plain(cash / 1000.0, 1),
        share(row["capture"], row["capture_low"], row["capture_high"]),
        NONE if pd.isna(row["bound"]) else label(str(row["bound"])),
        over if over == NONE else f"{over}\nover {label(str(row['yardstick']))}",
    ]


def _steps_table(own: pd.DataFrame, cap_mw: float, label: Label) -> TextTable:
    ordered = own.sort_values("place")
    rows = [
        [
            str(row["step"]),
            NONE if pd.isna(row["from_replay"]) else _replay(row["from_replay"], row["from_basis"], label),
            _replay(row["to_replay"], row["to_basis"], label),
            plain(row["change_gbp"]),
            plain(row["level_gbp"]),
            plain(row["stored_gbp"]),
        ]
        for row in ordered.to_dict("records")
    ]
    first: date = ordered["first_date"].iloc[0]
    title = f"{_titled(cap_mw)}; {int(ordered['days'].iloc[0])} days from {first}"
    return TextTable(WATERFALL_COLUMNS, rows, title=title)


def _titled(cap_mw: float, traded_mw: float = math.nan) -> str:
    words = cap_label(cap_mw, traded_mw)
    return words[:1].upper() + words[1:]


def _replay(replay: str, basis: str, label: Label) -> str:
    return f"{label(replay)}, {basis.replace('_', ' ')}"


def _months_table(capture: pd.DataFrame, cap_mw: float, label: Label) -> TextTable:
    strategies = sorted(set(capture["strategy"]))
    cell = {
        (row["month"], row["strategy"]): f"{share(row['capture'])} ({int(row['days'])})"
        for row in capture.to_dict("records")
    }
    rows = [
        [f"{month:%B %Y}", *(cell.get((month, strategy), NONE) for strategy in strategies)]
        for month in sorted(set(capture["month"]))
    ]
    traded = traded_cap_mw(capture)
    words = "" if is_capture(cap_mw, traded) else f": {share_label(cap_mw, traded)}"
    title = f"{_titled(cap_mw, traded)}{words}"
    return TextTable(["month", *(label(strategy) for strategy in strategies)], rows, title=title)
