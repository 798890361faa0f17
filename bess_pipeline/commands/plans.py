"""The command that shows a stored plan: which one is meant, its rows, and its text.

What belongs here: the choice of strategy and gate, the reason where there is no plan, and reading what is stored of
one. What does not: how a plan of all markets is laid out (`trading/plan_text.py`), printing and formats (`cli.py`).
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from datetime import date, timedelta

import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.errors import UserInputError
from bess_pipeline.lake import Lake
from bess_pipeline.settings import Settings

RUN_IT = "run `bess refresh` for coming days or `bess backfill` for past ones"


@dataclass(frozen=True, eq=False)
class StoredPlan:
    """A plan that was asked for: its rows with London time, and what is said beside them.

    text: how a terminal shows it, empty where its rows are shown as a table.
    """

    rows: pd.DataFrame
    text: str = ""
    remarks: list[str] = field(default_factory=list)


def stored_plan(
    settings: Settings, day: date | None, strategy: str | None = None, gate: str | None = None
) -> StoredPlan:
    """The plan of a trading day (default: the next one), of a strategy and a gate.

    Default strategy: the risk-averse one of all markets where the day has a plan of it, else the last of the register
    of energy strategies. Default gate: the last that has a plan. UserInputError with the reason where there is none.
    """
    from bess_pipeline.runtime import Runtime
    from bess_pipeline.trading.co_optimised_names import PLANNED, RISK_AVERSE, gates_of
    from bess_pipeline.trading.strategies import DECIDING

    energy = [one.name for one in DECIDING]
    names = [*energy, *PLANNED]
    if strategy is not None and strategy not in names:
        raise UserInputError(f"no strategy {strategy} makes plans: choose {', '.join(names[:-1])} or {names[-1]}")
    runtime = Runtime(settings)
    lake, day = runtime.workspace.lake, day or runtime.next_trading_day()
    if strategy is None:
        strategy = RISK_AVERSE if gate == "response" or _planned_gates(lake, day, RISK_AVERSE) else energy[-1]
    where = f"workspace {settings.workspace} has no {strategy} plan"
    if strategy in PLANNED and gate in (None, *gates_of(strategy)):
        return _of_all_markets(lake, day, strategy, gate, where)
    if gate not in (None, "day_ahead"):
        raise UserInputError(
            f"{where} of the {gate} gate: it sells energy alone, which it decides at the day_ahead gate"
        )
    return _of_energy(lake, day, strategy, where)


def _of_energy(lake: Lake, day: date, strategy: str, where: str) -> StoredPlan:
    """A plan of `trading/plan`, in the columns that it fills; beside it the forecast it was made with, if any."""
    from bess_pipeline.trading.stamps import PLAN

    stamp, rows = lake.stamp(PLAN, day), _rows(lake, PLAN, day, strategy)
    if rows.empty:
        raise UserInputError(f"{where} for {day}: {stamp.get(f'reason.{strategy}') or RUN_IT}")
    forecast = stamp.get(f"forecast.{strategy}", "")
    remarks = [f"day-ahead prices planned with: {forecast}"] if forecast else []
    return StoredPlan(_with_london(rows.dropna(axis="columns", how="all")), remarks=remarks)


def _of_all_markets(lake: Lake, day: date, strategy: str, gate: str | None, where: str) -> StoredPlan:
    from bess_pipeline.trading.co_optimised_names import gates_of
    from bess_pipeline.trading.plan_status import NEVER_PLANNED, PROVISIONAL, plan_status
    from bess_pipeline.trading.plan_text import plan_text
    from bess_pipeline.trading_tables import CO_OPTIMISED_PLAN, EXPLANATION, ORDERS, PLAN_VALUE

    asked = [one for one in reversed(gates_of(strategy)) if gate in (None, one)]
    found = {one: plan_status(lake, day, strategy, one) for one in asked}
    planned = _planned_gates(lake, day, strategy)
    shown = next((one for one in asked if one in planned), None)
    if shown is None:
        why = found[asked[-1]].reason
        of_gate = f" of the {gate} gate" if gate else ""
        raise UserInputError(f"{where}{of_gate} for {day}: {RUN_IT if why in ('', NEVER_PLANNED) else why}")
    remarks = _heading(day, strategy, shown)
    remarks += [found[shown].reason] if found[shown].status == PROVISIONAL else []
    remarks += [f"the {one} gate has none: {found[one].reason}" for one in asked[: asked.index(shown)]]
    rows = _rows(lake, CO_OPTIMISED_PLAN, day, strategy, shown)
    explanation, orders, worth = (
        _rows(lake, table, day, strategy, shown) for table in (EXPLANATION, ORDERS, PLAN_VALUE)
    )
    values = {str(name): value for name, value in worth.iloc[0].items()} if len(worth) else {}
    values["notes"] = _notes(values.get("notes"), found[shown].notes)
    body = plan_text(rows, explanation, orders, values)
    return StoredPlan(_with_london(rows), f"{_sentences(remarks)}\n\n{body}", remarks)


def _heading(day: date, strategy: str, gate: str) -> list[str]:
    from bess_pipeline.trading.co_optimised_names import LABELS
    from bess_pipeline.trading.timeline import GATE_CLOCKS

    decided = f"{GATE_CLOCKS[gate]:%H:%M} London on {day - timedelta(days=1)}"
    plan = f"plan of the {gate} gate, {decided}"
    if gate == "day_ahead":
        plan += ": its energy is offered then, its services are an intention that the response gate decides anew"
    return [f"{LABELS[strategy]} ({strategy}), trading day {day}", plan]


def _sentences(remarks: list[str]) -> str:
    from bess_pipeline.trading.plan_text import WIDTH

    return "\n".join(textwrap.fill(f"{one[0].upper()}{one[1:]}.", WIDTH) for one in remarks)


def _notes(told: object, stamped: tuple[str, ...]) -> str:
    """Notes of the plan's worth, and those of its decision that are not among them, a line each."""
    lines = told.splitlines() if isinstance(told, str) else []
    return "\n".join(dict.fromkeys([*stamped, *lines]))


def _planned_gates(lake: Lake, day: date, strategy: str) -> set[str]:
    """Gates of which a plan of all markets is stored."""
    from bess_pipeline.trading_tables import CO_OPTIMISED_PLAN

    return set(_rows(lake, CO_OPTIMISED_PLAN, day, strategy)["gate"])


def _rows(lake: Lake, table: str, day: date, strategy: str, gate: str | None = None) -> pd.DataFrame:
    rows = lake.read(table, day, day)
    mine = rows["strategy"] == strategy
    return rows[mine if gate is None else mine & (rows["gate"] == gate)].reset_index(drop=True)


def _with_london(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with the London clock behind their start."""
    local = rows["start_utc"].dt.tz_convert(gb_time.LONDON).dt.strftime("%a %H:%M")
    place = list(rows.columns).index("start_utc") + 1
    return pd.concat([rows.iloc[:, :place], local.rename("london"), rows.iloc[:, place:]], axis="columns")
