"""The page "plans of all markets", from the published warehouse.

What belongs here: which day, plans and frontier the page shows, why there is none, and where page and pictures are
written. What does not: its tables (`plan_tables.py`), the pictures (`figures/`), the look (`plans.html.j2`) and how
plans are made (`trading/`).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.atomic import write_bytes
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.figures.activation_sensitivity import activation_sensitivity
from bess_pipeline.figures.bid_curve import bid_curve_picture
from bess_pipeline.figures.frontier import frontier_picture
from bess_pipeline.figures.plan_overlay import plan_overlay
from bess_pipeline.figures.provenance import Provenance
from bess_pipeline.figures.stream_words import gate_label
from bess_pipeline.figures.style import png_bytes, strategy_label
from bess_pipeline.report import plan_tables
from bess_pipeline.report.html import environment
from bess_pipeline.report.publish import FORECASTS_NAME, PLANS_NAME, REPORT_NAME, settled_window
from bess_pipeline.report.window import Window, as_date, price_rows, provenance_of, rows_of
from bess_pipeline.risk.frontier_rows import why_flat
from bess_pipeline.settings import Settings
from bess_pipeline.trading.co_optimised_days import CoOptimisedDays
from bess_pipeline.trading.co_optimised_names import CO_OPTIMISED
from bess_pipeline.trading.conduct import conduct_note_of_rows
from bess_pipeline.trading.gate_state import DISABLED
from bess_pipeline.trading.plan_text import CONDUCT
from bess_pipeline.trading.timeline import GATES
from bess_pipeline.trading_tables import CO_OPTIMISED_PLAN, FRONTIER
from bess_pipeline.warehouse import query
from bess_pipeline.workspace import Workspace

PLANS, PLAN_VALUES, FORECASTS = "trading.co_optimised_plan", "risk.plan_value", "forecast.price_forecast"
FRONTIERS, SENSITIVITIES, INFORMATION = "risk.frontier", "risk.activation_sensitivity", "risk.information_value"
NEWEST = (PLANS, FORECASTS, FRONTIERS, SENSITIVITIES, INFORMATION)


@dataclass(frozen=True)
class WrittenPlans:
    """The page, its pictures by name, and the day it shows: None where there is no plan."""

    page: Path
    figures: dict[str, Path]
    day: date | None


@dataclass(frozen=True)
class PlanPart:
    """What the page says of one strategy: sentences, pictures (name: PNG), text tables, notes, note on conduct."""

    label: str
    said: list[str]
    pictures: dict[str, bytes] = field(default_factory=dict)
    held: pd.DataFrame = field(default_factory=pd.DataFrame)
    left: pd.DataFrame = field(default_factory=pd.DataFrame)
    risk: pd.DataFrame = field(default_factory=pd.DataFrame)
    made: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    conduct: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Day:
    """The rows of one day: plans, orders, explanations and values of all strategies; forecasts and day-ahead prices."""

    day: date
    by_strategy: tuple[pd.DataFrame, ...]
    forecast: pd.DataFrame
    price: pd.DataFrame

    @classmethod
    def read(cls, workspace: Workspace, day: date) -> _Day:
        """The day's rows in the warehouse."""
        tables = (PLANS, "trading.orders", "trading.plan_explanation", PLAN_VALUES)
        rows = tuple(rows_of(workspace, table, Window(day, day)) for table in tables)
        forecast = rows_of(workspace, FORECASTS, Window(day, day))
        return cls(day, rows, forecast, price_rows(workspace, "market.day_ahead_price", day))


@dataclass(frozen=True)
class RiskPart:
    """What the page says of frontier, activation, VSS and EVPI: sentences, pictures and text tables by their topic."""

    said: dict[str, str]
    pictures: dict[str, dict[str, bytes]]
    tables: dict[str, pd.DataFrame]


def write_plans_page(settings: Settings, workspace: Workspace, as_of: datetime) -> WrittenPlans:
    """The page of the newest day that is planned and of the newest frontier, or why there is none, and its pictures.

    UserInputError where the workspace holds nothing at all.
    """
    provenance, battery = provenance_of(workspace, as_of), Battery.from_settings(settings.battery)
    states = CoOptimisedDays(settings, workspace.lake, lambda: as_of, tuple)
    newest = _newest(workspace)
    planned = newest[PLANS]
    rows = None if planned is None else _Day.read(workspace, planned)
    parts = [_part(rows, states, one, battery, provenance) for one in CO_OPTIMISED] if rows is not None else []
    risk = _risk_part(workspace, newest, provenance)
    page = (
        environment()
        .get_template("plans.html.j2")
        .render(
            provenance=provenance,
            as_of=gb_time.require_utc(as_of).strftime("%Y-%m-%d %H:%M UTC"),
            planned=planned,
            why_none=_why_none(settings, workspace, states, planned),
            pages=_other_pages(workspace, newest),
            parts=parts,
            risk=risk,
            words=plan_tables.WORDS,
            embedded=lambda png: base64.b64encode(png).decode("ascii"),
            caption=_caption,
        )
    )
    drawn = [*(part.pictures for part in parts), *risk.pictures.values()]
    return _written(workspace, page, {name: png for one in drawn for name, png in one.items()}, planned)


def _newest(workspace: Workspace) -> dict[str, date | None]:
    """The newest day that each table of `NEWEST` has rows of."""
    wanted = ", ".join(f"(SELECT max(efa_date) FROM {table})" for table in NEWEST)
    found = query(workspace.database, f"SELECT {wanted}").iloc[0]
    return {table: None if pd.isna(day) else as_date(day) for table, day in zip(NEWEST, found, strict=True)}


def _why_none(settings: Settings, workspace: Workspace, states: CoOptimisedDays, planned: date | None) -> str:
    """Why nothing newer than `planned` is planned, in a sentence; empty where nothing newer was tried."""
    tried = [day for day in workspace.lake.days(CO_OPTIMISED_PLAN) if planned is None or day > planned]
    if tried:
        every = [states.status(tried[-1], strategy, gate) for strategy in CO_OPTIMISED for gate in GATES]
        reasons = "; ".join(dict.fromkeys(one.reason for one in every if one.reason))
        return f"There is no plan of all markets for {tried[-1]}: {reasons}."
    if planned is not None:
        return ""
    if not settings.co_optimisation.enabled:
        return f"There is no plan of all markets: {DISABLED}."
    return "There is no plan of all markets: none has been made of any trading day yet."


def _other_pages(workspace: Workspace, newest: Mapping[str, date | None]) -> dict[str, str]:
    """Titles of the pages beside this one, by file: those that publishing writes from what the warehouse holds."""
    if settled_window(workspace) is None:
        return {}
    pages = {REPORT_NAME: "Battery trading report"}
    if newest[FORECASTS] is not None:
        pages[FORECASTS_NAME] = "Forecasts and scenarios"
    return pages


def _part(day: _Day, states: CoOptimisedDays, strategy: str, battery: Battery, provenance: Provenance) -> PlanPart:
    """The strategy's plan of the day at the last gate that has one, with what belongs to its gates."""
    said = [f"{gate_label(gate).capitalize()}: {_state(states, day.day, strategy, gate)}." for gate in GATES]
    plan, orders, why, values = (rows[rows["strategy"] == strategy] for rows in day.by_strategy)
    planned = [gate for gate in GATES if gate in set(plan["gate"])]
    if not planned:
        return PlanPart(strategy_label(strategy), said)
    gate = planned[-1]
    shown = plan[plan["gate"] == gate].reset_index(drop=True)
    overlay = plan_overlay(shown, day.forecast[day.forecast["gate"] == gate], battery, provenance)
    pictures = {f"plan_{strategy}_{day.day}": png_bytes(overlay)}
    if len(orders):
        offers = bid_curve_picture(orders, day.price if len(day.price) else None, provenance)
        pictures[f"offers_{strategy}_{day.day}"] = png_bytes(offers)
    why = _decided(why, gate)
    holds = why["committed_mw"] != 0
    notes = list(dict.fromkeys(note for text in values["notes"].fillna("") for note in str(text).splitlines()))
    return PlanPart(
        label=strategy_label(strategy),
        said=said,
        pictures=pictures,
        held=plan_tables.why_table(why[holds], orders),
        left=plan_tables.why_table(why[~holds], orders),
        risk=plan_tables.risk_table(values),
        made=plan_tables.made_with(values),
        notes=[note for note in notes if note and not note.startswith(CONDUCT)],
        conduct=_conduct(values) or [note for note in [conduct_note_of_rows(shown)] if note],
    )


def _state(states: CoOptimisedDays, day: date, strategy: str, gate: Any) -> str:
    state = states.status(day, strategy, gate)
    return f"{state.status}, {state.reason}" if state.reason else state.status


def _decided(why: pd.DataFrame, gate: str) -> pd.DataFrame:
    """Each market as its own gate decided it: energy at the day-ahead gate, services at the last planned one."""
    energy = why["market"] == "day_ahead"
    return why[(energy & (why["gate"] == GATES[0])) | (~energy & (why["gate"] == gate))]


def _conduct(values: pd.DataFrame) -> list[str]:
    """The note on conduct of each gate that has one."""
    return [
        f"{gate_label(str(row['gate'])).capitalize()}. {note}"
        for row in values.sort_values("gate").to_dict("records")
        for note in str(row["notes"] or "").splitlines()
        if note.startswith(CONDUCT)
    ]


def _risk_part(workspace: Workspace, newest: Mapping[str, date | None], provenance: Provenance) -> RiskPart:
    said = {"frontier": _why_no_frontier(workspace), "activation": "", "information": ""}
    pictures: dict[str, dict[str, bytes]] = {"frontier": {}, "activation": {}}
    tables: dict[str, pd.DataFrame] = {}
    day = newest[FRONTIERS]
    if day is not None:
        frontier, values = (rows_of(workspace, table, Window(day, day)) for table in (FRONTIERS, PLAN_VALUES))
        confidence = float(values["confidence"].iloc[0]) if len(values) else None
        pictures["frontier"] = {f"frontier_{day}": png_bytes(frontier_picture(frontier, provenance, confidence))}
        tables["frontier"] = plan_tables.frontier_table(frontier)
        said["frontier"] = " ".join(part for part in (f"EFA day {day}.", _flat(frontier)) if part)
    day = newest[SENSITIVITIES]
    if day is not None:
        rows = rows_of(workspace, SENSITIVITIES, Window(day, day))
        said["activation"] = f"EFA day {day}, {strategy_label(rows['strategy'].iloc[0])}."
        drawn = rows.assign(basis=plan_tables.basis_of(rows["activation_basis"]))
        picture = activation_sensitivity(drawn, str(rows["strategy"].iloc[0]), [day], provenance)
        pictures["activation"] = {f"activation_{day}": png_bytes(picture)}
        tables["activation"] = plan_tables.sensitivity_table(rows)
    day = newest[INFORMATION]
    if day is not None:
        said["information"] = f"EFA day {day}."
        tables["information"] = plan_tables.information_table(rows_of(workspace, INFORMATION, Window(day, day)))
    return RiskPart(said, pictures, tables)


def _flat(frontier: pd.DataFrame) -> str:
    reason = why_flat(frontier)
    return f"It is nearly flat. {reason}." if reason else ""


def _why_no_frontier(workspace: Workspace) -> str:
    tried = workspace.lake.days(FRONTIER)
    reason = workspace.lake.stamp(FRONTIER, tried[-1]).get("reason", "") if tried else ""
    return f"There is no frontier: {f'{tried[-1]}: {reason}' if reason else 'none has been made yet'}."


def _written(workspace: Workspace, page: str, pictures: Mapping[str, bytes], day: date | None) -> WrittenPlans:
    files = {name: workspace.reports / "figures" / f"{name}.png" for name in pictures}
    for name, file in files.items():
        write_bytes(file, pictures[name])
    path = workspace.reports / PLANS_NAME
    write_bytes(path, page.encode())
    return WrittenPlans(path, files, day)


def _caption(name: str) -> str:
    words = {
        "plan": "The plan: expected prices, power with response capacity, state of energy with the band of contracts",
        "offers": "The offers: day-ahead limit prices and volumes by hour, response by EFA block and product",
        "frontier": "Expected P&L against CVaR by risk aversion, in sample and on fresh scenarios",
        "activation": "The plan if response were activated not at all, as on its basis, or twice as much",
    }
    return words[name.partition("_")[0]]
