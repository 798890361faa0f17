"""Where the bad days come from: contribution to CVaR beside expected P&L, by stream, EFA block and driver.

What belongs here: the drawing. What does not: the split (`risk/attribution.py`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from bess_pipeline.figures import style
from bess_pipeline.figures.provenance import Provenance
from bess_pipeline.risk.measures import days_in_tail

TITLES = {"stream": "By stream", "block": "By EFA block", "driver": "By driver"}
EXPECTED_COLOUR, TAIL_COLOUR = style.SKY, style.VERMILION


@style.styled
def tail_contribution(
    attribution: pd.DataFrame, strategy: str, confidence: float, days: int, provenance: Provenance
) -> Figure:
    """Bars of `risk/attribution` rows of one strategy: component_kind, component, expected_gbp, cvar_contribution_gbp.

    Both bars of a component are P&L a day in k GBP: of a mean day, and of a day in the tail (minus its contribution to
    CVaR), so that a component that hedges points to the right in the tail too. Components that never moved, and kinds
    without a row, are left out.
    """
    attribution = attribution[(attribution[["expected_gbp", "cvar_contribution_gbp"]] != 0.0).any(axis=1)]
    kinds = [kind for kind in TITLES if (attribution["component_kind"] == kind).any()]
    rows = {kind: attribution[attribution["component_kind"] == kind] for kind in kinds}
    most = max((len(part) for part in rows.values()), default=1)
    figure = Figure(figsize=(10.0, 2.1 + 0.46 * most))
    height = figure.get_figheight()
    panels = figure.subplots(1, max(len(kinds), 1), squeeze=False)[0]
    figure.subplots_adjust(left=0.115, right=0.985, top=1 - 1.16 / height, bottom=0.76 / height, wspace=0.55)
    panels[0].set_axis_off()
    for axes, kind in zip(panels, kinds, strict=False):
        _panel(axes, rows[kind], TITLES[kind], most)
    handles = [Patch(color=EXPECTED_COLOUR, label="mean day"), Patch(color=TAIL_COLOUR, label="day in the tail")]
    figure.legend(handles=handles, loc="upper left", bbox_to_anchor=(0.005, 1 - 0.6 / height), ncols=2)
    style.heading(
        figure,
        f"{_worst(days, confidence)} of {style.strategy_label(strategy, provenance)}",
        _subtitle(rows, days, confidence, provenance),
    )
    style.footer(figure, provenance)
    return figure


def _worst(days: int, confidence: float) -> str:
    if days and days_in_tail(days, confidence) == 1:
        return "The worst day"
    return f"The worst {100 * (1 - confidence):.3g} % of days"


def _subtitle(rows: dict[str, pd.DataFrame], days: int, confidence: float, provenance: Provenance) -> str:
    if not rows:
        return f"nothing to attribute; {provenance.origin_label}"
    cvar = float(next(iter(rows.values()))["cvar_contribution_gbp"].sum())
    count = days_in_tail(days, confidence)
    if count == 1:
        tail = f"it loses {style.pounds(cvar)}" if cvar > 0.0 else f"even it earns {style.pounds(-cvar)}"
    else:
        tail = f"they lose {style.pounds(cvar)}" if cvar > 0.0 else f"even they earn {style.pounds(-cvar)}"
        tail += " on average"
    origin = f"{provenance.origin_label}; {provenance.day_ahead_label}"
    return f"{tail} (CVaR, {count} of {days} days); {origin}"


def _panel(axes: Axes, rows: pd.DataFrame, title: str, most: int) -> None:
    axes.set_axis_on()
    place = np.arange(len(rows))
    for offset, amount, colour in (
        (-0.19, rows["expected_gbp"], EXPECTED_COLOUR),
        (0.19, -rows["cvar_contribution_gbp"], TAIL_COLOUR),
    ):
        axes.barh(place + offset, amount.to_numpy() / 1000.0, 0.36, color=colour)
    axes.axvline(0.0, color=style.GREY, linewidth=0.9, zorder=1.5)
    axes.set_yticks(place, [style.in_words(str(name)) for name in rows["component"]])
    axes.set_ylim(most - 0.45, -0.55)
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.xaxis.set_major_formatter(style.thousands())
    axes.set_xlabel("P&L a day, £k")
    axes.set_title(title)
