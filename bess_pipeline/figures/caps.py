"""Words for the imbalance cap of a bound beside the one that strategies traded under.

What belongs here: these words, for pictures and pages alike. What does not: all other words of figures (`style.py`).

A share of a bound is a capture where the strategy was under the bound's cap. Strategies of the day-ahead market alone
are under every cap; the others are under the one they were replayed with.
"""

from __future__ import annotations

import math

import pandas as pd


def traded_cap_mw(rows: pd.DataFrame) -> float:
    """The cap that strategies of `risk/ladder` or `risk/capture` rows traded under, MW; NaN where none was."""
    return float(rows["traded_cap_mw"].max()) if "traded_cap_mw" in rows else math.nan


def is_capture(cap_mw: float, traded_mw: float) -> bool:
    """Whether shares of bounds at a cap are captures of strategies that traded under another, or the same."""
    return math.isnan(cap_mw) or math.isnan(traded_mw) or cap_mw == traded_mw


def cap_label(cap_mw: float, traded_mw: float = math.nan) -> str:
    """The cap of bounds, and that of strategies where it is another; NaN: there is no bound of several markets."""
    if math.isnan(cap_mw):
        return "bound of the day-ahead market alone"
    if is_capture(cap_mw, traded_mw):
        return f"imbalance cap {cap_mw:g} MW"
    return f"bound at an imbalance cap of {cap_mw:g} MW, strategies traded under {traded_mw:g} MW"


def share_label(cap_mw: float, traded_mw: float) -> str:
    """What the share of such a bound is called."""
    return "capture" if is_capture(cap_mw, traded_mw) else f"share of the bound at cap {cap_mw:g} MW"
