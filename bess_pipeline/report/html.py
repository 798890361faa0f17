"""The report page: figures embedded, no script, nothing fetched, every value escaped.

What belongs here: gathering what the template shows. What does not: the table's format
(`tables.py`), the look of the page (`report.html.j2`).
"""

from __future__ import annotations

import base64
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from bess_pipeline import gb_time, schemas
from bess_pipeline.figures.provenance import Provenance
from bess_pipeline.figures.style import strategy_label
from bess_pipeline.report.tables import CONVENTION, capture_words, pnl_table
from bess_pipeline.report.wear import wear_table
from bess_pipeline.risk.capture import Capture
from bess_pipeline.risk.drawdown import drawdown
from bess_pipeline.risk.pnl import daily_totals

Rows = list[dict[Hashable, Any]]

NOT_INCLUDED = (
    "Response and reserve revenues: plans of all markets offer them, and are not carried out here yet.",
    "Balancing Mechanism acceptances.",
    "Intraday trades, exchange fees, optimiser share, Capacity Market, network and supplier charges.",
)


@dataclass(frozen=True)
class ReportFigure:
    """A PNG with its caption, which is also its text alternative."""

    caption: str
    png: bytes


@dataclass(frozen=True)
class ReportInputs:
    """What a report of the EFA days `first` to `last` (both included) is made of.

    `pnl` is `risk/daily_pnl` rows and `run_status` is `trading/run_status` rows of that window, `wear` is its
    `wear_table`;
    `as_of_utc` is the run's clock (`settings.now()`), never the wall clock of rendering.
    """

    first: date
    last: date
    pnl: pd.DataFrame
    run_status: pd.DataFrame
    capture: Capture
    power_mw: float
    energy_mwh: float
    provenance: Provenance
    settings_fingerprint: str
    as_of_utc: datetime
    figures: Sequence[ReportFigure] = field(default_factory=tuple)
    wear: pd.DataFrame = field(default_factory=lambda: wear_table(schemas.empty_frame("risk/degradation")))
    wear_note: str = ""


def build_report(inputs: ReportInputs) -> str:
    """The page as HTML text; the same inputs give the same text."""
    table = pnl_table(inputs.pnl, inputs.capture)
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            inputs=inputs,
            provenance=inputs.provenance,
            days=(inputs.last - inputs.first).days + 1,
            as_of=gb_time.require_utc(inputs.as_of_utc).strftime("%Y-%m-%d %H:%M UTC"),
            columns=list(table.columns),
            rows=table.to_numpy().tolist(),
            convention=" ".join([CONVENTION, capture_words(inputs.capture)]).strip(),
            drawdowns=_drawdowns(inputs.pnl),
            status_counts=_status_counts(inputs.run_status),
            not_complete=_not_complete(inputs.run_status),
            not_included=NOT_INCLUDED,
            wear_columns=list(inputs.wear.columns),
            wear_rows=inputs.wear.to_numpy().tolist(),
            figures=[(f.caption, base64.b64encode(f.png).decode("ascii")) for f in inputs.figures],
        )
    )


def environment() -> Environment:
    """Templates of this package: every value is escaped and a missing one is an error."""
    environment = Environment(
        loader=PackageLoader("bess_pipeline.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["strategy_label"] = strategy_label
    return environment


def _drawdowns(pnl: pd.DataFrame) -> Rows:
    rows: Rows = []
    for strategy, daily in daily_totals(pnl).groupby("strategy"):
        fall = drawdown(daily.sort_values("efa_date").set_index("efa_date")["cash_gbp"])
        rows.append({"strategy": strategy, "fall": fall})
    return rows


def _status_counts(run_status: pd.DataFrame) -> Rows:
    return run_status.groupby(["strategy", "status"]).size().reset_index(name="days").to_dict("records")


def _not_complete(run_status: pd.DataFrame) -> Rows:
    rows = run_status[run_status["status"] != "complete"].sort_values(["efa_date", "strategy"])
    return rows[["efa_date", "strategy", "status", "reason"]].to_dict("records")
