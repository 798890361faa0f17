"""Which days of a window the report pictures, which strategies on each, and their overlays.

What belongs here: that choice, and what an overlay is given. What does not: the drawing (`figures/dispatch.py`) and the
files (`publish.py`).

A clock-change day and the last day are drawn for each strategy of the day-ahead market and the leading one. The day of
the lowest price, where that is negative, adds pictures of no more than `FEW` strategies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date

import pandas as pd
from matplotlib.figure import Figure

from bess_pipeline import gb_time
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.figures.dispatch import dispatch_overlay
from bess_pipeline.figures.provenance import Provenance
from bess_pipeline.report.window import Window, as_date, price_rows, rows_of, sql_date
from bess_pipeline.trading import strategies
from bess_pipeline.warehouse import query
from bess_pipeline.workspace import Workspace

FEW = 2
Leading = Callable[[Iterable[str]], str | None]


@dataclass(frozen=True)
class TellingDay:
    """A day worth a picture; most: strategies to draw at most, None for all that are drawn."""

    day: date
    most: int | None = None


def telling_days(workspace: Workspace, window: Window) -> list[TellingDay]:
    """The last complete day, every complete clock-change day, and that of the lowest price below zero."""
    status = rows_of(workspace, "trading.run_status", window)
    complete = status.groupby("efa_date")["status"].agg(lambda values: bool((values == "complete").all()))
    days = [as_date(day) for day, whole in complete.items() if whole]
    in_full = {*(day for day in days if len(gb_time.efa_half_hours(day)) != 48), *days[-1:]}
    lowest = _lowest_price_day(workspace, window, days)
    found = [TellingDay(day) for day in in_full]
    found += [TellingDay(lowest, FEW)] if lowest is not None and lowest not in in_full else []
    return sorted(found, key=lambda one: one.day)


def _lowest_price_day(workspace: Workspace, window: Window, days: Iterable[date]) -> date | None:
    """Of `days` the first with the lowest day-ahead price, None where none is negative."""
    found = query(
        workspace.database,
        "SELECT efa_date_of(start_utc) AS efa_date, min(day_ahead_price_gbp_mwh) AS price FROM market.day_ahead_price "
        f"WHERE efa_date_of(start_utc) BETWEEN {sql_date(window.first)} AND {sql_date(window.last)} "
        "GROUP BY ALL HAVING price < 0 ORDER BY price, efa_date",
    )
    wanted = set(days)
    return next((day for day in found["efa_date"].map(as_date) if day in wanted), None)


def overlays(
    workspace: Workspace, telling: TellingDay, leading: Leading, battery: Battery, provenance: Provenance
) -> Iterator[tuple[str, Figure]]:
    """Strategies of a day and their pictures, in the order of their names."""
    day = telling.day
    dispatch, opening = _dispatched(workspace, day), _opening_mwh(workspace, day)
    prices, system = (price_rows(workspace, table, day) for table in ("market.day_ahead_price", "market.system_price"))
    for strategy in sorted(_drawn(dispatch, leading)[: telling.most]):
        picture = dispatch_overlay(
            dispatch[strategy],
            prices,
            battery,
            provenance,
            system_price=system,
            opening_energy_mwh=opening.get(strategy),
        )
        yield strategy, picture


def _drawn(dispatched: Iterable[str], leading: Leading) -> list[str]:
    """Of the dispatched strategies those to draw: the leading one, then those of day-ahead, a bound last."""
    there = set(dispatched)
    deciding = [one.name for one in reversed(strategies.DECIDING)]
    return [name for name in dict.fromkeys((leading(there), *deciding, *strategies.NAMES)) if name in there]


def _dispatched(workspace: Workspace, day: date) -> dict[str, pd.DataFrame]:
    """Dispatch of a day by strategy, those of all markets with what they sold where and what they held."""
    found: dict[str, pd.DataFrame] = {}
    for table in ("trading.dispatch", "trading.market_dispatch"):  # the second says more of the strategies it holds
        rows = rows_of(workspace, table, Window(day, day))
        found |= {str(name): own.reset_index(drop=True) for name, own in rows.groupby("strategy", sort=True)}
    return found


def _opening_mwh(workspace: Workspace, day: date) -> dict[str, float]:
    """State of energy at 23:00 by strategy; those without one are out."""
    status = rows_of(workspace, "trading.run_status", Window(day, day)).dropna(subset=["opening_energy_mwh"])
    return dict(zip(status["strategy"], status["opening_energy_mwh"], strict=True))
