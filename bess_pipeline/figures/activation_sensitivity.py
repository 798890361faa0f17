"""How a plan changes with the energy that response moves: its value, the capacity it holds, and its cycles.

What belongs here: the drawing. What does not: the plans behind it (`trading/`) and where activation comes from
(`ancillary/activation.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bess_pipeline.figures import style
from bess_pipeline.figures.day_panels import Array
from bess_pipeline.figures.days import window_label
from bess_pipeline.figures.provenance import Provenance

WIDTH = 0.38


@style.styled
def activation_sensitivity(
    sensitivity: pd.DataFrame, strategy: str, dates: Iterable[date], provenance: Provenance
) -> Figure:
    """Bars by activation multiplier, one row each.

    sensitivity: multiplier, expected_pnl_gbp (after wear), cvar_gbp (a loss), response_mw_h, equivalent_cycles, basis
    (assumed, measured or simulated, in one word or by product). ValueError where a multiplier comes twice.
    """
    rows = sensitivity.sort_values("multiplier", kind="stable")
    if rows["multiplier"].duplicated().any():
        raise ValueError("an activation sensitivity has one row for each multiplier")
    figure = Figure(figsize=(10.0, 4.4))
    money, capacity, cycles = figure.subplots(1, 3, gridspec_kw={"width_ratios": [1.5, 1.0, 1.0], "wspace": 0.32})
    figure.subplots_adjust(left=0.075, right=0.985, top=0.78, bottom=0.195)
    expected, tail = (rows[name].to_numpy(dtype="float64") / 1000.0 for name in ("expected_pnl_gbp", "cvar_gbp"))
    _bars(money, rows, {"expected": (expected, style.SKY), "in the tail (minus CVaR)": (-tail, style.VERMILION)}, 2)
    money.set_ylabel("P&L after wear, £k")
    money.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, borderaxespad=0.2)
    _bars(capacity, rows, {"": (rows["response_mw_h"].to_numpy(dtype="float64"), style.GREEN)}, 0)
    capacity.set_ylabel("Response capacity held, MW·h")
    if not (rows["response_mw_h"] > 0.0).any():
        capacity.set_ylim(0.0, 1.0)
        capacity.set_yticks([0.0])
        capacity.text(0.5, 0.5, "no response", transform=capacity.transAxes, ha="center", color=style.GREY)
    _bars(cycles, rows, {"": (rows["equivalent_cycles"].to_numpy(dtype="float64"), style.PURPLE)}, 2)
    cycles.set_ylabel("Equivalent full cycles")
    style.heading(
        figure,
        f"If response were activated less or more, {style.strategy_label(strategy)}, {window_label(dates)}",
        f"activation {_basis(rows) or 'basis not stated'}; {provenance.origin_label}; {provenance.day_ahead_label}",
    )
    style.footer(figure, provenance)
    return figure


def _bars(axes: Axes, rows: pd.DataFrame, series: dict[str, tuple[Array, str]], decimals: int) -> None:
    """Groups of bars, one a multiplier, each with its number at its end; what is not known has none."""
    place, width = np.arange(len(rows), dtype="float64"), 2 * WIDTH / len(series)
    for n, (label, (values, colour)) in enumerate(series.items()):
        at = place + (n - (len(series) - 1) / 2) * width
        axes.bar(at, values, 0.94 * width, color=colour, label=label)
        for x, value in zip(at, values, strict=True):
            _number(axes, x, value, decimals)
    axes.set_xticks(place, [f"{multiplier:g}\N{MULTIPLICATION SIGN}" for multiplier in rows["multiplier"]])
    basis = _basis(rows)
    axes.set_xlabel(f"activation, times {f'the {basis}' if basis.isalpha() else 'its basis'}")
    axes.set_xlim(-0.6, max(len(rows), 1) - 0.4)
    axes.tick_params(axis="x", length=0)
    axes.grid(visible=False, axis="x")
    axes.margins(y=0.14)
    style.zero_line(axes)
    axes.yaxis.set_major_formatter(style.thousands())


def _number(axes: Axes, x: float, value: float, decimals: int) -> None:
    if not np.isfinite(value):
        return
    above = value >= 0.0
    axes.annotate(f"{value:,.{decimals}f}", (x, value), (0, 2 if above else -2), textcoords="offset points",
                  ha="center", va="bottom" if above else "top", fontsize=8.0)  # fmt: skip


def _basis(rows: pd.DataFrame) -> str:
    found = sorted({str(one) for one in rows["basis"].dropna() if one})
    return "; ".join(found)
