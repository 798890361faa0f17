"""Commands that show what is stored or compute one answer: optimise, report and query.

What belongs here: reading a result and shaping it for the terminal. What does not: plans (`plans.py`), printing and
formats (`cli.py`). What only one command needs is imported by that command where it takes long, so
that a query is answered at once.
"""

from __future__ import annotations

import math
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from bess_pipeline.atomic import write_bytes
from bess_pipeline.errors import UserInputError
from bess_pipeline.settings import Settings
from bess_pipeline.warehouse import query
from bess_pipeline.workspace import Workspace

if TYPE_CHECKING:
    from bess_pipeline.battery.parameters import Battery
    from bess_pipeline.optimisation.price_file import OptimiseResult
    from bess_pipeline.optimisation.shadow_prices import ShadowPrices
    from bess_pipeline.sources.files import PriceSeries


def optimise_prices(
    settings: Settings,
    prices: Path,
    battery_file: Path | None,
    output: Path | None,
    figure: Path | None = None,
    *,
    with_shadow_prices: bool = False,
    time_limit_s: float | None = None,
) -> dict[str, Any]:
    """Optimise a price CSV under the limits of the settings, write its schedule and draw it; the printed summary."""
    from bess_pipeline.battery.parameters import Battery, read_battery_file
    from bess_pipeline.optimisation.price_file import optimise_price_series
    from bess_pipeline.optimisation.solver import Solver, with_time_limit
    from bess_pipeline.sources.files import parse_price_csv, read_file

    if figure is not None and figure.suffix.lower() != ".png":
        raise UserInputError(f"--figure writes PNG: give a name that ends in .png, not {figure.name}")
    battery = read_battery_file(battery_file) if battery_file else Battery.from_settings(settings.battery)
    series = parse_price_csv(read_file(prices).content, prices.name)
    limits = settings.solver if time_limit_s is None else with_time_limit(settings.solver, time_limit_s)
    result = optimise_price_series(
        series.start_utc,
        series.price_gbp_mwh,
        series.step,
        battery,
        solver=Solver(limits),
        with_shadow_prices=with_shadow_prices,
    )
    if output is not None:
        write_bytes(output, result.frame.to_csv(index=False, date_format="%Y-%m-%dT%H:%M:%SZ").encode())
    if figure is not None:
        _draw_schedule(result, battery, series, prices.name, figure)
    written = {"schedule": output, "figure": figure}
    summary = _summary(result, battery, series)
    if result.shadow_prices is not None:
        summary |= _worth(result.shadow_prices)
    return summary | {name: str(path) for name, path in written.items() if path is not None}


def _worth(values: ShadowPrices) -> dict[str, Any]:
    """Shadow prices under the names that are printed, in pounds over the series; "no limit" where there is none."""
    named = {
        "value_of_1_mw_gbp": values.power_gbp_per_mw,
        "value_of_1_mwh_gbp": values.energy_gbp_per_mwh,
        "value_of_0.1_cycle_a_day_gbp": values.cycles_gbp_per_tenth_a_day,
        "value_of_1_point_efficiency_gbp": values.efficiency_gbp_per_point,
        "value_of_1_warranty_cycle_gbp": values.warranty_gbp_per_cycle,
    }
    return {name: "no limit" if value is None else round(value, 2) for name, value in named.items()}


def _draw_schedule(result: OptimiseResult, battery: Battery, series: PriceSeries, source: str, path: Path) -> None:
    from bess_pipeline.figures.schedule import schedule_picture
    from bess_pipeline.figures.style import save_png

    save_png(schedule_picture(result.frame, series.step, battery, source), path)


def _summary(result: OptimiseResult, battery: Battery, series: PriceSeries) -> dict[str, Any]:
    ends = series.start_utc[-1] + series.step
    return {
        "periods": len(series.start_utc),
        "step_minutes": series.step.total_seconds() / 60,
        "from_utc": series.start_utc[0].isoformat(),
        "to_utc": ends.isoformat(),
        "power_mw": battery.power_mw if math.isfinite(battery.power_mw) else "no limit",
        "energy_mwh": battery.energy_mwh,
        "cash_gbp": round(result.cash_gbp, 2),
        "wear_gbp": round(result.wear_gbp, 2),
        "profit_after_wear_gbp": round(result.profit_after_wear_gbp, 2),
        "equivalent_cycles": round(result.equivalent_cycles, 3),
        "gap": result.gap,
        "status": str(result.status),
        "method": result.method,
        "seconds": round(result.solve_seconds, 3),
    }


def make_report(settings: Settings, first: date | None, last: date | None) -> tuple[Path, str, list[dict[str, Any]]]:
    """Write figures and page of the window; (path of the page, table as text, table as records)."""
    from bess_pipeline.report.forecasts import write_forecast_page
    from bess_pipeline.report.publish import (
        daily_pnl,
        settled_window,
        window_comparisons,
        write_figures,
        write_report,
    )
    from bess_pipeline.report.tables import pnl_tables_text
    from bess_pipeline.risk.pnl import totals
    from bess_pipeline.runtime import Runtime

    runtime = Runtime(settings)
    workspace = runtime.workspace
    window = settled_window(workspace, first, last)
    if window is None:
        raise UserInputError(f"workspace {workspace.root} has no trading day in that window: run `bess backfill` first")
    figures = write_figures(settings, workspace, window, runtime.now())
    page = write_report(settings, workspace, window, figures, runtime.now())
    write_forecast_page(settings, workspace, window, runtime.now())
    compared, pnl = window_comparisons(workspace, window), daily_pnl(workspace, window)
    share = compared[-1].capture  # of each strategy's own days, as the sums below are
    summed = totals(pnl).reset_index().to_dict("records") if len(pnl) else []
    records = [
        {str(name): value for name, value in row.items()} | {"capture": share.get(row["strategy"])} for row in summed
    ]
    return page, pnl_tables_text(compared), records


def run_query(settings: Settings, sql: str | None, file: Path | None) -> pd.DataFrame:
    """The result of SQL given as text or in a file."""
    if (sql is None) == (file is None):
        raise UserInputError('give either SQL, as in bess query "SELECT 1", or --file with a .sql file')
    if file is not None:
        if not file.is_file():
            raise UserInputError(f"there is no SQL file {file}")
        sql = file.read_text(encoding="utf-8")
    assert sql is not None
    return query(Workspace(settings.workspace).database, sql)
