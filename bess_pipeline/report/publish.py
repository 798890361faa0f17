"""Writes a workspace's figures and report page from its published warehouse.

What belongs here: which tables and days a report shows and where its files go. What does not: how
a figure or the page looks (`figures/`, `html.py`), building the warehouse (`warehouse.py`).

Every number shown is queried from the warehouse, so a user can query it too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import partial
from pathlib import Path

import pandas as pd

from bess_pipeline.atomic import write_bytes
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.figures.pnl import cumulative_pnl
from bess_pipeline.figures.provenance import Provenance
from bess_pipeline.figures.style import save_png, strategy_label
from bess_pipeline.figures.wear import wear_figure
from bess_pipeline.report.captured import capture_section, ladder_section, waterfall_section
from bess_pipeline.report.comparisons import comparisons
from bess_pipeline.report.html import ReportInputs, build_report
from bess_pipeline.report.not_included import comparison, not_included
from bess_pipeline.report.overlays import overlays, telling_days
from bess_pipeline.report.risk import risk_sections, warning_items
from bess_pipeline.report.risk_figures import CAPTURE, LADDER, STREAMS, TAIL, WATERFALL, Shown, risk_pictures
from bess_pipeline.report.risk_rows import RiskRows, first_common_day, risk_rows, stored_tables
from bess_pipeline.report.seams import seam_sentences
from bess_pipeline.report.sections import ReportFigure, Section
from bess_pipeline.report.tables import Comparison
from bess_pipeline.report.wear import wear_note, wear_table
from bess_pipeline.report.window import Window, as_date, provenance_of, rows_of, sql_date
from bess_pipeline.settings import Settings
from bess_pipeline.warehouse import query
from bess_pipeline.workspace import Workspace

CUMULATIVE = "cumulative_pnl"
WEAR = "wear"
PLACED = (LADDER, WATERFALL, STREAMS, CAPTURE, TAIL)  # pictures that stand in the section of their numbers
REPORT_NAME, FORECASTS_NAME, PLANS_NAME = "report.html", "forecasts.html", "plans.html"


def settled_window(workspace: Workspace, first: date | None = None, last: date | None = None) -> Window | None:
    """The stored trading days from `first` to `last` (all by default); None when there is none."""
    found = query(
        workspace.database,
        "SELECT min(efa_date) AS first, max(efa_date) AS last FROM trading.run_status "
        f"WHERE efa_date BETWEEN {sql_date(first or date.min)} AND {sql_date(last or date.max)}",
    ).iloc[0]
    return None if pd.isna(found["first"]) else Window(as_date(found["first"]), as_date(found["last"]))


def write_figures(settings: Settings, workspace: Workspace, window: Window, as_of: datetime) -> dict[str, Path]:
    """PNG files of the window by name: P&L, ladder, waterfall, capture, tail, wear, overlays of telling days."""
    battery = Battery.from_settings(settings.battery)
    provenance = provenance_of(workspace, as_of)
    written: dict[str, Path] = {}
    pnl = daily_pnl(workspace, window)
    if not pnl.empty:
        written[CUMULATIVE] = _figure_file(workspace, CUMULATIVE)
        save_png(cumulative_pnl(pnl, battery.power_mw, provenance), written[CUMULATIVE])
    risk = risk_rows(workspace, window)
    for shown in _risk_pictures(settings, workspace, risk, pnl, provenance):
        written[shown.name] = _figure_file(workspace, shown.name)
        save_png(shown.draw(), written[shown.name])
    degradation = rows_of(workspace, "risk.degradation", window)
    if not degradation.empty:
        written[WEAR] = _figure_file(workspace, WEAR)
        states = _states_of_energy(workspace, window)
        save_png(wear_figure(degradation, states, battery.energy_mwh, provenance), written[WEAR])
    for day in telling_days(workspace, window):
        for strategy, picture in overlays(workspace, day, risk.leading, battery, provenance):
            name = f"dispatch_{strategy}_{day.day.isoformat()}"
            written[name] = _figure_file(workspace, name)
            save_png(picture, written[name])
    write_bytes(_figure_index(workspace), json.dumps(list(written), indent=1).encode())
    copy_figures(written.values(), settings.report.copy_figures_to)
    return written


def newest_figures(workspace: Workspace) -> dict[str, Path]:
    """The files of the last `write_figures`, by name; empty before the first."""
    if not _figure_index(workspace).is_file():
        return {}
    return {name: _figure_file(workspace, name) for name in json.loads(_figure_index(workspace).read_text())}


def write_report(
    settings: Settings, workspace: Workspace, window: Window, figures: dict[str, Path], as_of: datetime
) -> Path:
    """The report page of the window; returns its path."""
    battery, provenance = settings.battery, provenance_of(workspace, as_of)
    pnl, risk = daily_pnl(workspace, window), risk_rows(workspace, window)
    captions = {one.name: one.caption for one in _risk_pictures(settings, workspace, risk, pnl, provenance)}
    pictures = {
        name: ReportFigure(captions.get(name) or _caption(name), path.read_bytes()) for name, path in figures.items()
    }
    placed = {kind: [one for name, one in pictures.items() if name.startswith(kind)] for kind in PLACED}
    left_out = not_included(settings, provenance, pnl["strategy"], _activation(workspace, window))
    left_out += seam_sentences(_seams(workspace, window), pnl, partial(strategy_label, provenance=provenance))
    page = build_report(
        ReportInputs(
            first=window.first,
            last=window.last,
            pnl=pnl,
            run_status=rows_of(workspace, "trading.run_status", window),
            comparisons=window_comparisons(workspace, window, risk),
            power_mw=battery.power_mw,
            energy_mwh=battery.energy_mwh,
            provenance=provenance,
            settings_fingerprint=settings.fingerprint(),
            as_of_utc=as_of,
            left_out=comparison(left_out),
            warnings=warning_items(risk, partial(strategy_label, provenance=provenance)),
            sections=_sections(risk, provenance, settings.risk.headline_confidence, placed),
            figures=[one for name, one in pictures.items() if not name.startswith(PLACED)],
            wear=wear_table(rows_of(workspace, "risk.degradation", window)),
            wear_note=wear_note(settings),
        )
    )
    path = workspace.reports / REPORT_NAME
    write_bytes(path, page.encode())
    return path


def daily_pnl(workspace: Workspace, window: Window) -> pd.DataFrame:
    """`risk/daily_pnl` rows of the window, from the warehouse."""
    return rows_of(workspace, "risk.daily_pnl", window)


def window_comparisons(workspace: Workspace, window: Window, risk: RiskRows | None = None) -> list[Comparison]:
    """The tables of P&L by strategy of the window. risk: `risk_rows` of the window, read when absent."""
    return comparisons(daily_pnl(workspace, window), risk or risk_rows(workspace, window))


def _sections(
    risk: RiskRows, provenance: Provenance, confidence: float, placed: Mapping[str, Sequence[ReportFigure]]
) -> list[Section]:
    named = partial(strategy_label, provenance=provenance)
    streams = placed[STREAMS]
    return [
        *ladder_section(risk, named, placed[LADDER]),
        *waterfall_section(risk, named, placed[WATERFALL]),
        *([Section("Streams over time", figures=streams)] if streams else []),
        *capture_section(risk, named, placed[CAPTURE]),
        *risk_sections(risk, named, confidence, placed[TAIL]),
    ]


def _risk_pictures(
    settings: Settings, workspace: Workspace, risk: RiskRows, pnl: pd.DataFrame, provenance: Provenance
) -> list[Shown]:
    first = first_common_day(workspace, risk)
    return risk_pictures(risk, pnl, first, settings.battery.power_mw, settings.risk, provenance)


def _activation(workspace: Workspace, window: Window) -> list[str]:
    """Where plans of the window say that the energy of services comes from."""
    plans = query(
        workspace.database,
        "SELECT DISTINCT activation_basis FROM trading.plan WHERE activation_basis IS NOT NULL AND efa_date "
        f"BETWEEN {sql_date(window.first)} AND {sql_date(window.last)} ORDER BY ALL",
    )
    return [str(words) for words in plans["activation_basis"]]


def _seams(workspace: Workspace, window: Window) -> pd.DataFrame:
    """Rows of `trading.seam` between days of the window; none in a warehouse without it."""
    if "trading/seam" not in stored_tables(workspace):
        return pd.DataFrame()
    return query(
        workspace.database,
        f"SELECT * FROM trading.seam WHERE closed_on >= {sql_date(window.first)} "
        f"AND efa_date <= {sql_date(window.last)} ORDER BY ALL",
    )


def _figure_file(workspace: Workspace, name: str) -> Path:
    return workspace.reports / "figures" / f"{name}.png"


def _figure_index(workspace: Workspace) -> Path:
    return workspace.reports / "figures" / "newest.json"


def _states_of_energy(workspace: Workspace, window: Window) -> pd.DataFrame:
    return query(
        workspace.database,
        "SELECT strategy, start_utc, energy_mwh FROM trading.dispatch WHERE efa_date "
        f"BETWEEN {sql_date(window.first)} AND {sql_date(window.last)} ORDER BY ALL",
    )


def _caption(name: str) -> str:
    if name == CUMULATIVE:
        return "Cumulative P&L after wear and in cash, and drawdown on cash"
    if name == WEAR:
        return "Depth of the cycles, and the plan's shadow cost of wear against the cost of cycling after the fact"
    strategy, day = name.removeprefix("dispatch_").rsplit("_", 1)
    return f"Dispatch of {strategy_label(strategy)} on EFA day {day}"


def copy_figures(files: Iterable[Path], folder: Path | None) -> None:
    """A second copy of figures for people who look in `folder` first; nothing where that is None."""
    if folder is None:
        return
    for file in files:
        write_bytes(folder / file.name, file.read_bytes())
