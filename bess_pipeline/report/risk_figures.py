"""Pictures of P&L and risk of a window, by the name of their file: streams, ladder, waterfall, capture, tail.

What belongs here: which rows each picture gets, its name and its caption. What does not: how it is drawn (`figures/`),
where files go (`publish.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial

import pandas as pd
from matplotlib.figure import Figure

from bess_pipeline.figures.caps import cap_label, share_label, traded_cap_mw
from bess_pipeline.figures.capture import capture_figure
from bess_pipeline.figures.ladder import ladder_figure
from bess_pipeline.figures.provenance import Provenance
from bess_pipeline.figures.stream_pnl import stream_pnl
from bess_pipeline.figures.style import strategy_label
from bess_pipeline.figures.tail_contribution import tail_contribution
from bess_pipeline.figures.waterfall import waterfall_figure
from bess_pipeline.report.captured import at_cap
from bess_pipeline.report.risk_rows import AFTER_WEAR, LEADING, RiskRows
from bess_pipeline.risk.summary import WHOLE
from bess_pipeline.risk_settings import RiskSettings

STREAMS, LADDER, WATERFALL, CAPTURE, TAIL = "stream_pnl", "ladder", "waterfall", "capture_by_month", "tail_contribution"
STREAM_PICTURES = 3  # of the leading strategies


@dataclass(frozen=True)
class Shown:
    """A picture: the name of its file, its caption, and what draws it."""

    name: str
    caption: str
    draw: Callable[[], Figure]


def risk_pictures(
    rows: RiskRows,
    pnl: pd.DataFrame,
    first_common: date | None,
    power_mw: float,
    settings: RiskSettings,
    provenance: Provenance,
) -> list[Shown]:
    """Every picture that has rows. pnl: `risk/daily_pnl` of the window; first_common: first day of the ladder."""
    shown = list(_streams(pnl, power_mw, provenance))
    if rows.as_of is None:
        return shown
    first = rows.as_of if first_common is None else first_common
    ladder = _ladders(rows, [first, rows.as_of], settings.interval_confidence, provenance)
    shown += [*ladder, *_waterfalls(rows, power_mw, provenance), *_captures(rows, provenance)]
    return [*shown, *_tails(rows, settings.headline_confidence, provenance)]


def _streams(pnl: pd.DataFrame, power_mw: float, provenance: Provenance) -> Iterator[Shown]:
    there = set(pnl["strategy"])
    for strategy in [name for name in LEADING if name in there][:STREAM_PICTURES]:
        yield Shown(
            f"{STREAMS}_{strategy}",
            f"P&L by stream over time of {strategy_label(strategy)}",
            partial(stream_pnl, pnl, strategy, power_mw, provenance),
        )


def _ladders(rows: RiskRows, dates: list[date], confidence: float, provenance: Provenance) -> Iterator[Shown]:
    own = rows.ladder[rows.ladder["basis"] == AFTER_WEAR]
    for cap in rows.caps_mw if len(own) else []:
        part = at_cap(own, cap)
        traded = traded_cap_mw(part)
        words = share_label(cap, traded)
        yield Shown(
            _at(LADDER, cap, rows.caps_mw),
            f"What each strategy is worth a year after wear, and its {words}; {cap_label(cap, traded)}",
            partial(ladder_figure, part, dates, confidence, cap, provenance),
        )


def _waterfalls(rows: RiskRows, power_mw: float, provenance: Provenance) -> Iterator[Shown]:
    leading = rows.leading(rows.waterfall["strategy"])
    own = rows.waterfall[rows.waterfall["strategy"] == leading]
    caps = sorted(set(own["imbalance_cap_mw"].dropna()), reverse=True) or [math.nan]
    for cap in caps if len(own) else []:
        part = at_cap(own, cap).sort_values("place")
        start, steps = part[part["place"] == 0], part[part["place"] > 0]
        if start.empty or steps.empty:
            continue
        level, dates = float(start["level_gbp"].iloc[0]), [start["first_date"].iloc[0], start["as_of"].iloc[0]]
        yield Shown(
            _at(f"{WATERFALL}_{leading}", cap, caps),
            f"From perfect foresight to {strategy_label(str(leading))}, stored energy counted; {cap_label(cap)}",
            partial(waterfall_figure, steps, level, dates, power_mw, cap, provenance),
        )


def _captures(rows: RiskRows, provenance: Provenance) -> Iterator[Shown]:
    caps = sorted(set(rows.capture["imbalance_cap_mw"].dropna()), reverse=True) or [math.nan]
    for cap in caps if len(rows.capture) else []:
        part = at_cap(rows.capture, cap)
        traded = traded_cap_mw(part)
        words = share_label(cap, traded)
        yield Shown(
            _at(CAPTURE, cap, caps),
            f"{words[:1].upper()}{words[1:]} by month; {cap_label(cap, traded)}",
            partial(capture_figure, part, cap, provenance),
        )


def _tails(rows: RiskRows, confidence: float, provenance: Provenance) -> Iterator[Shown]:
    strategy = rows.leading(rows.attribution["strategy"])
    own = rows.attribution[(rows.attribution["strategy"] == strategy) & (rows.attribution["confidence"] == confidence)]
    if strategy is None or own.empty:
        return
    measured = rows.measure[(rows.measure["strategy"] == strategy) & (rows.measure["window"] == WHOLE)]
    days = int(measured["days"].max()) if len(measured) else 0
    yield Shown(
        f"{TAIL}_{strategy}",
        f"What bad days are made of, {strategy_label(strategy)}",
        partial(tail_contribution, own, strategy, confidence, days, provenance),
    )


def _at(name: str, cap_mw: float, caps_mw: list[float]) -> str:
    """The name alone at the largest cap, with the cap at the others."""
    return name if cap_mw == caps_mw[0] or math.isnan(cap_mw) else f"{name}_cap_{f'{cap_mw:g}'.replace('.', '_')}_mw"
