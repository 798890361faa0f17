"""Rows of the risk tables that a report of a window shows, from the published warehouse.

What belongs here: which statement of each table a window gets. What does not: how rows become words (`captured.py`,
`risk.py`) or pictures (`risk_figures.py`).

Most of these tables are statements as of a day; a window gets the newest that is not after its last day. A warehouse
that an older version published lacks them: its frames are empty.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import pandas as pd

from bess_pipeline import schemas
from bess_pipeline.report.window import Window, as_date, rows_of, sql_date
from bess_pipeline.risk import waterfall
from bess_pipeline.risk_tables import (
    ATTRIBUTION,
    CAPTURE,
    DRAWDOWN,
    EXPLAIN,
    FORECAST_PNL,
    LADDER,
    LIMIT_STATUS,
    MEASURE,
    STRESS,
    TAIL_DAY,
    VAR_BACKTEST,
    WARNING,
    WATERFALL,
)
from bess_pipeline.trading.co_optimised_names import ENERGY_ONLY
from bess_pipeline.warehouse import query
from bess_pipeline.workspace import Workspace

AFTER_WEAR, CASH = waterfall.AFTER_WEAR, waterfall.CASH
LEADING = (waterfall.RISK_AVERSE, waterfall.RISK_NEUTRAL, ENERGY_ONLY, "day_ahead_rolling", "rule_based")


@dataclass(frozen=True)
class RiskRows:
    """Frames named after their tables; all but the last two are of one `as_of` day, None where there is none."""

    as_of: date | None
    measure: pd.DataFrame
    drawdown: pd.DataFrame
    ladder: pd.DataFrame
    capture: pd.DataFrame
    waterfall: pd.DataFrame
    attribution: pd.DataFrame
    tail_day: pd.DataFrame
    var_backtest: pd.DataFrame
    stress: pd.DataFrame
    explain: pd.DataFrame
    warning: pd.DataFrame
    limit_status: pd.DataFrame
    forecast_pnl: pd.DataFrame

    @property
    def caps_mw(self) -> list[float]:
        """Imbalance caps of the ladder, the largest first; NaN (no bound is stored) last."""
        caps = self.ladder["imbalance_cap_mw"].drop_duplicates()
        return [float(cap) for cap in caps.sort_values(ascending=False, na_position="last")]

    def leading(self, strategies: Iterable[str]) -> str | None:
        """Of these strategies the one that pages show in full: the first of `LEADING` that is there."""
        there = set(strategies)
        return next((name for name in LEADING if name in there), None)


def risk_rows(workspace: Workspace, window: Window) -> RiskRows:
    """The rows of the window, in the order of their columns."""
    stored = stored_tables(workspace)
    statements = {
        "measure": MEASURE,
        "drawdown": DRAWDOWN,
        "ladder": LADDER,
        "capture": CAPTURE,
        "waterfall": WATERFALL,
        "attribution": ATTRIBUTION,
        "tail_day": TAIL_DAY,
        "var_backtest": VAR_BACKTEST,
        "stress": STRESS,
        "explain": EXPLAIN,
        "warning": WARNING,
    }
    as_of = _newest(workspace, window, MEASURE, stored)
    frames = {
        name: _as_of(workspace, table, as_of) if as_of is not None and table in stored else schemas.empty_frame(table)
        for name, table in statements.items()
    }
    limits, forecasts = (
        rows_of(workspace, _name(table), window) if table in stored else schemas.empty_frame(table)
        for table in (LIMIT_STATUS, FORECAST_PNL)
    )
    return RiskRows(as_of=as_of, limit_status=limits, forecast_pnl=forecasts, **frames)


def first_common_day(workspace: Workspace, rows: RiskRows) -> date | None:
    """The first day that all strategies of the ladder have P&L of; None without a ladder or such a day."""
    names = sorted(set(rows.ladder.loc[rows.ladder["kind"] == "strategy", "strategy"]))
    if rows.as_of is None or not names:
        return None
    listed = ", ".join(f"'{name}'" for name in names)
    first = query(
        workspace.database,
        "SELECT min(efa_date) AS day FROM (SELECT efa_date FROM risk.daily_pnl "
        f"WHERE efa_date <= {sql_date(rows.as_of)} AND strategy IN ({listed}) "
        f"GROUP BY efa_date HAVING count(DISTINCT strategy) = {len(names)})",
    )["day"].iloc[0]
    return None if pd.isna(first) else as_date(first)


def stored_tables(workspace: Workspace) -> set[str]:
    """Tables and views of the published warehouse, as "schema/table"; an older version has fewer."""
    found = query(
        workspace.database,
        "SELECT table_schema || '/' || table_name AS name FROM information_schema.tables WHERE table_catalog = 'bess'",
    )
    return set(found["name"])


def _newest(workspace: Workspace, window: Window, table: str, stored: set[str]) -> date | None:
    if table not in stored:
        return None
    last = query(
        workspace.database,
        f"SELECT max(as_of) AS day FROM {_name(table)} WHERE as_of BETWEEN {sql_date(window.first)} "
        f"AND {sql_date(window.last)}",
    )["day"].iloc[0]
    return None if pd.isna(last) else as_date(last)


def _as_of(workspace: Workspace, table: str, day: date) -> pd.DataFrame:
    key = "efa_date" if table == ATTRIBUTION else "as_of"
    rows = query(workspace.database, f"SELECT * FROM {_name(table)} WHERE {key} = {sql_date(day)} ORDER BY ALL")
    rows = rows.reindex(columns=list(schemas.columns(table)))  # an older version has fewer
    dates = [name for name, column in schemas.columns(table).items() if str(column.dtype) == "date"]
    return rows.assign(**{name: rows[name].map(as_date, na_action="ignore").astype(object) for name in dates})


def _name(table: str) -> str:
    return table.replace("/", ".")
