"""The days a report covers, and reading them from the published warehouse.

What belongs here: what all pages need to ask the warehouse. What does not: which tables a page shows (`publish.py`,
`forecasts.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pandas as pd

from bess_pipeline.errors import UserInputError
from bess_pipeline.figures.provenance import Provenance
from bess_pipeline.warehouse import query
from bess_pipeline.workspace import Workspace


@dataclass(frozen=True)
class Window:
    """The EFA days a report covers, both included."""

    first: date
    last: date


def rows_of(workspace: Workspace, table: str, window: Window) -> pd.DataFrame:
    """Rows of a table by EFA day in the window, in the order of their columns."""
    rows = query(
        workspace.database,
        f"SELECT * FROM {table} WHERE efa_date "
        f"BETWEEN {sql_date(window.first)} AND {sql_date(window.last)} ORDER BY ALL",
    )
    rows["efa_date"] = rows["efa_date"].map(as_date).astype(object)
    return rows


def price_rows(workspace: Workspace, table: str, day: date) -> pd.DataFrame:
    """Rows of a half-hourly table of prices of the two settlement dates that an EFA day lies in."""
    return query(
        workspace.database,
        f"SELECT * FROM {table} WHERE settlement_date "
        f"BETWEEN {sql_date(day - timedelta(days=1))} AND {sql_date(day)} ORDER BY start_utc",
    )


def provenance_of(workspace: Workspace, as_of: datetime) -> Provenance:
    """Where the workspace's data comes from. Raises UserInputError when it holds nothing yet."""
    stamp = workspace.stamp()
    if stamp is None:
        raise UserInputError(f"workspace {workspace.root} holds nothing yet: run `bess demo`, `backfill` or `refresh`")
    return Provenance(stamp.origin, stamp.day_ahead, as_of.year)


def sql_date(day: date) -> str:
    """A date as SQL."""
    return f"DATE '{day.isoformat()}'"


def as_date(value: object) -> date:
    """A date as DuckDB gives it."""
    return pd.Timestamp(value).date()  # type: ignore[arg-type]
