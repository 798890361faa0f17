"""The mean-CVaR frontier of one day: what less risk costs, in sample and on fresh scenarios.

What belongs here: the drawing. What does not: the frontier itself (`risk.frontier` rows).
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bess_pipeline.figures import style
from bess_pipeline.figures.day_panels import Array, said_of_day
from bess_pipeline.figures.provenance import Provenance

LEAST_SPAN_GBP = 1.0  # a frontier whose ends differ by less is flat
LEAST_VIOLATION_MWH = 1e-6  # less is rounding
CLOSE = 0.035  # of the axes: points nearer than that share a label
IN_SAMPLE = ("", "in sample (labels: risk aversion)", style.BLUE, "o", "solid", (-7, 6), "right")
OUT_OF_SAMPLE = ("oos_", "on fresh scenarios", style.VERMILION, "s", (0, (4, 2)), (7, -12), "left")


@style.styled
def frontier_picture(frontier: pd.DataFrame, provenance: Provenance, confidence: float | None = None) -> Figure:
    """CVaR against expected P&L, k GBP, of `risk.frontier` rows of one day; points labelled by risk aversion.

    confidence: of the CVaR, where it is to be said. Rows without out-of-sample values are drawn in sample alone.
    Raises ValueError for rows of no day or of more than one.
    """
    day = _only_day(frontier)
    rows = frontier.sort_values("risk_aversion", kind="stable")
    figure = Figure(figsize=(10.0, 6.0))
    axes = figure.subplots()
    figure.subplots_adjust(left=0.095, right=0.965, top=0.8, bottom=0.125)
    _limits(axes, rows)
    for kind in (IN_SAMPLE, OUT_OF_SAMPLE):
        _curve(axes, rows, *kind)
    _zero_lines(axes)
    level = f" at {confidence:.4g}" if confidence is not None else ""
    axes.set_xlabel(f"CVaR{level} of the day's loss, £k (negative: even the bad scenarios earn)")
    axes.set_ylabel("Expected P&L of the day, £k")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(style.thousands())
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.99), ncols=2, borderaxespad=0.1)
    style.heading(figure, f"What less risk costs on EFA day {day:%a %d %b %Y}", said_of_day(provenance, day))
    style.note(figure, f"{_shape(rows)}\n{_quality(rows)}")
    style.footer(figure, provenance)
    return figure


def _only_day(frontier: pd.DataFrame) -> date:
    days = list(frontier["efa_date"].unique())
    if len(days) != 1:
        raise ValueError(f"a frontier picture shows one day, not {len(days)}")
    only: date = days[0]
    return only


def _points(rows: pd.DataFrame, prefix: str) -> tuple[Array, Array]:
    """(CVaR, expected P&L) in k GBP; NaN where the one or the other is not known."""
    x, y = (rows[f"{prefix}{name}"].to_numpy(dtype="float64") / 1000.0 for name in ("cvar_gbp", "expected_pnl_gbp"))
    known = np.isfinite(x) & np.isfinite(y)
    return np.where(known, x, np.nan), np.where(known, y, np.nan)


def _limits(axes: Axes, rows: pd.DataFrame) -> None:
    """Room for labels around all points, and an axis of at least a few pounds where they lie on each other."""
    both = [_points(rows, kind[0]) for kind in (IN_SAMPLE, OUT_OF_SAMPLE)]
    for place, set_limits in ((0, axes.set_xlim), (1, axes.set_ylim)):
        values = np.concatenate([points[place] for points in both])
        values = values[np.isfinite(values)]
        low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
        room = max(0.12 * (high - low), 0.02 * max(abs(low), abs(high)), 5.0 * LEAST_SPAN_GBP / 1000.0)
        set_limits(low - room, high + room)


def _curve(axes: Axes, rows: pd.DataFrame, prefix: str, label: str, colour: str, marker: str, line: object,
           beside: tuple[int, int], side: str) -> None:  # fmt: skip
    x, y = _points(rows, prefix)
    if not np.isfinite(x).any():
        axes.plot([], [], " ", label=f"no value {label}")
        return
    axes.plot(x, y, linestyle=line, color=colour, marker=marker, markersize=5.5, linewidth=1.5, label=label)
    for members in _close_points(axes, x, y):
        word = _aversions(rows["risk_aversion"].to_numpy(dtype="float64")[members])
        at = (float(x[members].mean()), float(y[members].mean()))
        axes.annotate(word, at, beside, textcoords="offset points", ha=side, fontsize=8.0, color=colour)


def _close_points(axes: Axes, x: Array, y: Array) -> list[list[int]]:
    """Known points in order, those next to each other that lie too close for a label each in one list."""
    across, up = (np.ptp(limits) for limits in (axes.get_xlim(), axes.get_ylim()))
    groups: list[list[int]] = []
    for n in np.flatnonzero(np.isfinite(x)).tolist():
        first = groups[-1][0] if groups else None
        if first is not None and np.hypot((x[n] - x[first]) / across, (y[n] - y[first]) / up) < CLOSE:
            groups[-1].append(n)
        else:
            groups.append([n])
    return groups


def _aversions(values: Array) -> str:
    first, last = float(values.min()), float(values.max())
    return f"{first:.2g}" if first == last else f"{first:.2g} to {last:.2g}"


def _zero_lines(axes: Axes) -> None:
    if axes.get_ylim()[0] < 0.0 < axes.get_ylim()[1]:
        style.zero_line(axes)
    if axes.get_xlim()[0] < 0.0 < axes.get_xlim()[1]:
        axes.axvline(0.0, color=style.GREY, linewidth=0.9, zorder=1.5)


def _shape(rows: pd.DataFrame) -> str:
    """What full risk aversion does in sample, in words; whether the frontier is flat."""
    expected, cvar = (rows[name].to_numpy(dtype="float64") for name in ("expected_pnl_gbp", "cvar_gbp"))
    if len(rows) == 1:
        return f"One point alone, at risk aversion {_aversions(rows['risk_aversion'].to_numpy())}."
    if max(np.ptp(expected), np.ptp(cvar)) < LEAST_SPAN_GBP:
        return f"The frontier is flat: all {len(rows)} risk aversions give the same value and risk in sample."
    span = _aversions(rows["risk_aversion"].to_numpy(dtype="float64"))
    return (
        f"In sample, risk aversion {span} changes CVaR by {_change(cvar[-1] - cvar[0])} "
        f"and expected P&L by {_change(expected[-1] - expected[0])}."
    )


def _change(amount_gbp: float) -> str:
    return f"{'+' if round(amount_gbp) > 0 else ''}{style.pounds(round(amount_gbp) + 0.0)}"


def _quality(rows: pd.DataFrame) -> str:
    """Scenarios, the largest gap and the largest violation, in words."""
    made, fresh = _counts(rows["scenarios"]), _counts(rows["fresh_scenarios"])
    words = [f"{made} scenarios, judged on {fresh} fresh ones" if fresh else f"{made} scenarios, no fresh ones"]
    gap = float(rows["gap"].max())
    words.append(f"gap at most {gap:.1g}" if np.isfinite(gap) else "gap not stated")
    if not fresh:
        return "; ".join(words)
    violation = rows["oos_violation_mwh"].max()
    if not np.isfinite(violation):
        words.append("delivery violations not stated")
    elif violation > LEAST_VIOLATION_MWH:
        worst = rows["risk_aversion"].iloc[int(rows["oos_violation_mwh"].argmax())]
        words.append(f"delivery violations up to {violation:.3g} MWh (risk aversion {worst:.2g})")
    else:
        words.append("no delivery violation")
    return "; ".join(words)


def _counts(column: pd.Series) -> str:
    """One number, or the least and the most; empty where none is known or above zero."""
    known = column.dropna()
    known = known[known > 0]
    if known.empty:
        return ""
    least, most = int(known.min()), int(known.max())
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"
