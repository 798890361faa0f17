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
from bess_pipeline.report.not_included import optimistic
from bess_pipeline.report.sections import ReportFigure, Section, TextTable
from bess_pipeline.report.tables import CONVENTION, Comparison, capture_words, pnl_table
from bess_pipeline.report.wear import wear_table
from bess_pipeline.risk.drawdown import drawdown
from bess_pipeline.risk.pnl import daily_totals

Rows = list[dict[Hashable, Any]]

BOUND_NOTE = "An upper bound is made with the outcome prices; it is a yardstick and nobody could have traded it."


@dataclass(frozen=True)
class ReportInputs:
    """What a report of the EFA days `first` to `last` (both included) is made of.

    `pnl` is `risk/daily_pnl` rows and `run_status` is `trading/run_status` rows of that window, `comparisons` the
    tables made of them, `wear` its `wear_table`; `warnings` and `sections` say what risk tables hold, `left_out`
    what is not included; `as_of_utc` is the run's clock (`settings.now()`), never the wall clock of rendering.
    """

    first: date
    last: date
    pnl: pd.DataFrame
    run_status: pd.DataFrame
    comparisons: Sequence[Comparison]
    power_mw: float
    energy_mwh: float
    provenance: Provenance
    settings_fingerprint: str
    as_of_utc: datetime
    left_out: Section
    warnings: Sequence[str] = ()
    sections: Sequence[Section] = ()
    figures: Sequence[ReportFigure] = field(default_factory=tuple)
    wear: pd.DataFrame = field(default_factory=lambda: wear_table(schemas.empty_frame("risk/degradation")))
    wear_note: str = ""


def build_report(inputs: ReportInputs) -> str:
    """The page as HTML text; the same inputs give the same text."""
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            inputs=inputs,
            provenance=inputs.provenance,
            days=(inputs.last - inputs.first).days + 1,
            as_of=gb_time.require_utc(inputs.as_of_utc).strftime("%Y-%m-%d %H:%M UTC"),
            pnl_section=_pnl_section(inputs.comparisons),
            marked=optimistic(sorted(set(inputs.pnl["strategy"])), inputs.provenance),
            drawdowns=_drawdowns(inputs.pnl),
            status_counts=_status_counts(inputs.run_status),
            not_complete=_not_complete(inputs.run_status),
            wear_columns=list(inputs.wear.columns),
            wear_rows=inputs.wear.to_numpy().tolist(),
        )
    )


def _pnl_section(comparisons: Sequence[Comparison]) -> Section:
    shown = [one for one in comparisons if not one.pnl.empty]
    tables = []
    for one in shown:
        table = pnl_table(one.pnl, one.capture)
        tables.append(TextTable(list(table.columns), table.to_numpy().tolist(), title=one.title))
    words = [capture_words(one.capture, one.cap_mw) for one in shown]
    return Section(
        title="P&L by strategy and stream",
        lead="" if shown else "No settled day in this window.",
        tables=tables,
        note=" ".join([CONVENTION, *dict.fromkeys(words), BOUND_NOTE]).replace("  ", " "),
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
    environment.filters["picture"] = lambda png: base64.b64encode(png).decode("ascii")
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
