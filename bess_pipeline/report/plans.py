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
from bess_pipeline.report.publish import FORECASTS_NAME, PLANS_NAME, REPORT_NAME, day_ahead_prices, settled_window
from bess_pipeline.report.window import Window, as_date, provenance_of, rows_of
from bess_pipeline.risk.frontier_rows import why_flat
from bess_pipeline.settings import Settings
from bess_pipeline.trading.co_optimised_days import DISABLED, CoOptimisedDays
from bess_pipeline.trading.co_optimised_names import CO_OPTIMISED
from bess_pipeline.trading.plan_text import CONDUCT
from bess_pipeline.trading.timeline import GATES
from bess_pipeline.trading_tables import CO_OPTIMISED_PLAN, FRONTIER
from bess_pipeline.warehouse import query
from bess_pipeline.workspace import Workspace

PLAN_ROWS, ORDER_ROWS, WHY_ROWS = "trading.co_optimised_plan", "trading.orders", "trading.plan_explanation"
VALUE_ROWS, INFORMATION_ROWS = "risk.plan_value", "risk.information_value"
FRONTIER_ROWS, SENSITIVITY_ROWS = "risk.frontier", "risk.activation_sensitivity"


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
class RiskPart:
    """What the page says of frontier, activation, VSS and EVPI: sentences, pictures and text tables by their topic."""

    said: dict[str, str]
    pictures: dict[str, dict[str, bytes]]
    tables: dict[str, pd.DataFrame]


def write_plans_page(settings: Settings, workspace: Workspace, as_of: datetime) -> WrittenPlans:
    """The page of the newest day that is planned and of the newest frontier, or why there is none, and its pictures.

    UserInputError where the workspace holds nothing at all.
    """
    provenance = provenance_of(workspace, as_of)
    states = CoOptimisedDays(settings, workspace.lake, lambda: as_of, tuple)
    planned = _newest(workspace, PLAN_ROWS)
    parts = [] if planned is None else [
        _part(settings, workspace, states, planned, strategy, provenance) for strategy in CO_OPTIMISED
    ]  # fmt: skip
    risk = _risk_part(workspace, provenance)
    page = (
        environment()
        .get_template("plans.html.j2")
        .render(
            provenance=provenance,
            as_of=gb_time.require_utc(as_of).strftime("%Y-%m-%d %H:%M UTC"),
            planned=planned,
            why_none=_why_none(settings, workspace, states, planned),
            pages=_other_pages(workspace),
            parts=parts,
            risk=risk,
            words=plan_tables.WORDS,
            embedded=lambda png: base64.b64encode(png).decode("ascii"),
            caption=_caption,
        )
    )
    drawn = [*(part.pictures for part in parts), *risk.pictures.values()]
    return _written(workspace, page, {name: png for one in drawn for name, png in one.items()}, planned)


def _newest(workspace: Workspace, table: str) -> date | None:
    newest = query(workspace.database, f"SELECT max(efa_date) AS day FROM {table}")["day"].iloc[0]
    return None if pd.isna(newest) else as_date(newest)


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


def _other_pages(workspace: Workspace) -> dict[str, str]:
    """Titles of the pages beside this one, by file: those that publishing writes from what the warehouse holds."""
    if settled_window(workspace) is None:
        return {}
    pages = {REPORT_NAME: "Battery trading report"}
    if _newest(workspace, "forecast.price_forecast") is not None:
        pages[FORECASTS_NAME] = "Forecasts and scenarios"
    return pages


def _part(
    settings: Settings, workspace: Workspace, states: CoOptimisedDays, day: date, strategy: str, provenance: Provenance
) -> PlanPart:
    """The strategy's plan of the day at the last gate that has one, with what belongs to its gates."""
    said = [f"{gate_label(gate).capitalize()}: {_state(states, day, strategy, gate)}." for gate in GATES]
    plan = _rows_of(workspace, PLAN_ROWS, day, strategy)
    planned = [gate for gate in GATES if gate in set(plan["gate"])]
    if not planned:
        return PlanPart(strategy_label(strategy), said)
    gate = planned[-1]
    shown = plan[plan["gate"] == gate].reset_index(drop=True)
    prices = rows_of(workspace, "forecast.price_forecast", Window(day, day))
    prices = prices[prices["gate"] == gate]
    battery = Battery.from_settings(settings.battery)
    pictures = {f"plan_{strategy}_{day}": png_bytes(plan_overlay(shown, prices, battery, provenance))}
    orders = _rows_of(workspace, ORDER_ROWS, day, strategy)
    if len(orders):
        known = day_ahead_prices(workspace, day)
        offers = bid_curve_picture(orders, known if len(known) else None, provenance)
        pictures[f"offers_{strategy}_{day}"] = png_bytes(offers)
    why = _decided(_rows_of(workspace, WHY_ROWS, day, strategy), gate)
    holds = why["committed_mw"] != 0
    values = _rows_of(workspace, VALUE_ROWS, day, strategy)
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
        conduct=_conduct(values),
    )


def _state(states: CoOptimisedDays, day: date, strategy: str, gate: Any) -> str:
    state = states.status(day, strategy, gate)
    return f"{state.status}, {state.reason}" if state.reason else state.status


def _decided(why: pd.DataFrame, gate: str) -> pd.DataFrame:
    """Each market as its own gate decided it: energy at the day-ahead gate, services at the last gate that is planned."""
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


def _risk_part(workspace: Workspace, provenance: Provenance) -> RiskPart:
    said: dict[str, str] = {}
    pictures: dict[str, dict[str, bytes]] = {"frontier": {}, "activation": {}}
    tables: dict[str, pd.DataFrame] = {}
    day = _newest(workspace, FRONTIER_ROWS)
    said["frontier"] = _why_no_frontier(workspace)
    if day is not None:
        frontier = rows_of(workspace, FRONTIER_ROWS, Window(day, day))
        values = rows_of(workspace, VALUE_ROWS, Window(day, day))
        confidence = float(values["confidence"].iloc[0]) if len(values) else None
        pictures["frontier"] = {f"frontier_{day}": png_bytes(frontier_picture(frontier, provenance, confidence))}
        tables["frontier"] = plan_tables.frontier_table(frontier)
        said["frontier"] = f"EFA day {day}. {why_flat(frontier) or ''}".strip()
    day = _newest(workspace, SENSITIVITY_ROWS)
    said["activation"] = "" if day is None else f"EFA day {day}."
    if day is not None:
        rows = rows_of(workspace, SENSITIVITY_ROWS, Window(day, day))
        for (strategy, gate), mine in rows.groupby(["strategy", "gate"]):
            drawn = mine.rename(columns={"activation_basis": "basis"})
            picture = activation_sensitivity(drawn, str(strategy), [day], provenance)
            pictures["activation"][f"activation_{strategy}_{gate}_{day}"] = png_bytes(picture)
        tables["activation"] = plan_tables.sensitivity_table(rows)
    day = _newest(workspace, INFORMATION_ROWS)
    said["information"] = "" if day is None else f"EFA day {day}."
    if day is not None:
        tables["information"] = plan_tables.information_table(rows_of(workspace, INFORMATION_ROWS, Window(day, day)))
    return RiskPart(said, pictures, tables)


def _why_no_frontier(workspace: Workspace) -> str:
    tried = workspace.lake.days(FRONTIER)
    reason = workspace.lake.stamp(FRONTIER, tried[-1]).get("reason", "") if tried else ""
    return f"There is no frontier: {f'{tried[-1]}: {reason}' if reason else 'none has been made yet'}."


def _rows_of(workspace: Workspace, table: str, day: date, strategy: str) -> pd.DataFrame:
    rows = rows_of(workspace, table, Window(day, day))
    return rows[rows["strategy"] == strategy].reset_index(drop=True)


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
