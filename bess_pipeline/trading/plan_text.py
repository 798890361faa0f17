"""A co-optimised plan as it is shown in a terminal: the day by the hour, why, the note on conduct, and its risk.

What belongs here: laying out stored rows as plain text of at most `WIDTH` columns. What does not: what the sentences
say (`plan_explanation.py`) and where the rows come from.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.ancillary.products import PRODUCT_TABLE
from bess_pipeline.trading.conduct import conduct_note_of_rows

WIDTH = 110
INDENT = " " * 6
SERVICE_COLUMNS: Mapping[str, str] = {code: f"{code.lower()}_mw" for code in PRODUCT_TABLE}
CONDUCT = "Conduct:"


def plan_text(
    plan: pd.DataFrame, explanation: pd.DataFrame, orders: pd.DataFrame, values: Mapping[str, Any] | pd.Series | None
) -> str:
    """The plan of one EFA day and strategy, from its stored rows.

    plan: `trading/plan`; explanation: `trading/plan_explanation`; orders: `trading/orders`; values: the plan's row of
    `risk/plan_value`, None where there is none. Tables without a row leave their part out.
    """
    parts = ["\n".join(_hours(plan))]
    if len(explanation):
        parts.append("\n".join(["Why, London time:", *_reasons(explanation, orders)]))
    known = {} if values is None else {str(name): value for name, value in values.items() if _is_there(value)}
    notes = str(known.get("notes", ""))
    conduct = "" if CONDUCT in notes else conduct_note_of_rows(plan)
    parts += ["\n".join(map(_wrapped, text.splitlines())) for text in (conduct, notes) if text]
    if known:
        parts.append("\n".join(_risk(known)))
    return "\n\n".join(parts)


def _hours(plan: pd.DataFrame) -> list[str]:
    """One line an hour: power is the mean of its half-hours, stored energy that at its end, the band the tightest."""
    plan = plan.sort_values("start_utc", ignore_index=True)
    held = [code for code, column in SERVICE_COLUMNS.items() if column in plan and (plan[column] > 0).any()]
    banded = {"energy_floor_mwh", "energy_ceiling_mwh"} <= set(plan.columns)
    by_hour = plan.groupby(plan["start_utc"].dt.floor("h"), sort=True)
    block = gb_time.efa_columns(plan["start_utc"])["efa_block"]
    heading = f"{'EFA':>3} {'London':>6} {'sold MW':>8}" + "".join(f"{code:>5}" for code in held)
    lines = [f"{heading} {'charge':>7} {'discharge':>9} {'stored':>7}" + (f"{'band MWh':>14}" if banded else "")]
    for start, rows in by_hour:
        first = f"{block.loc[rows.index[0]]:>3} {pd.Timestamp(start).tz_convert(gb_time.LONDON):%H:%M}"
        power = "".join(f"{rows[SERVICE_COLUMNS[code]].mean():5.0f}" for code in held)
        flows = f"{rows['charge_mw'].mean():7.1f} {rows['discharge_mw'].mean():9.1f} {rows['energy_mwh'].iloc[-1]:7.1f}"
        lines.append(f"{first:>10} {rows['day_ahead_mw'].mean():8.1f}{power} {flows}{_band(rows) if banded else ''}")
    return [*lines, "sold: above 0 sold day-ahead, below 0 bought; stored: MWh at the end of the hour"]


def _band(rows: pd.DataFrame) -> str:
    floor, ceiling = rows["energy_floor_mwh"].max(), rows["energy_ceiling_mwh"].min()
    return "" if np.isnan(floor) or np.isnan(ceiling) else f"{f'{floor:.1f}-{ceiling:.1f}':>14}"


def _reasons(explanation: pd.DataFrame, orders: pd.DataFrame) -> list[str]:
    """The sentences in order of time, with limit price and outcome of what was offered; what is not offered last."""
    held = explanation["committed_mw"] != 0
    lines: list[str] = []
    for chosen in (explanation[held], explanation[~held]):
        for row in chosen.sort_values(["start_utc", "market", "product"]).to_dict("records"):
            clock = pd.Timestamp(row["start_utc"]).tz_convert(gb_time.LONDON)
            text = f"{row['why']}{_offer(orders, row['market'], row['product'], row['start_utc'])}"
            lines.append(textwrap.fill(f"{clock:%H:%M} {text}", WIDTH, subsequent_indent=INDENT))
    return lines


def _offer(orders: pd.DataFrame, market: str, product: str, start_utc: pd.Timestamp) -> str:
    """Limit price and outcome of the orders of one product, if any."""
    if orders.empty:
        return ""
    mine = orders[(orders["market"] == market) & (orders["product"] == product) & (orders["start_utc"] == start_utc)]
    mine = mine[mine["offered_mw"] != 0]
    if mine.empty:
        return ""
    low, high = mine["limit_price"].min(), mine["limit_price"].max()
    steps = f"{low:.2f}" if low == high else f"{low:.2f} to {high:.2f} in {len(mine)} steps"
    offered = f"; limit price {steps}"
    accepted, cleared = mine["accepted_mw"].dropna(), mine["clearing_price"].dropna()
    if accepted.empty or cleared.empty:
        return offered
    return f"{offered}; cleared at {cleared.iloc[0]:.2f}, accepted {accepted.sum():.1f} MW"


def _risk(values: Mapping[str, Any]) -> list[str]:
    """Figures of `risk/plan_value` that are there."""
    confidence = f"{100 * float(values['confidence']):g} %" if "confidence" in values else ""

    def line(title: str, named: Mapping[str, str], unit: str) -> str:
        told = [f"{words} {float(values[name]):,.0f}{unit}" for name, words in named.items() if name in values]
        return f"{title}: {', '.join(told)}" if told else ""

    loss = {"var_gbp": f"VaR {confidence}", "cvar_gbp": f"CVaR {confidence}"}
    inside = {"expected_pnl_gbp": "expected profit", **loss, "penalty_gbp": "of it expected penalties"}
    outside = {"oos_expected_pnl_gbp": "expected profit", **{f"oos_{name}": words for name, words in loss.items()}}
    made = [
        f"{words} {values[name]}"
        for name, words in (
            ("risk_aversion", "risk aversion"),
            ("scenarios", "scenarios"),
            ("method", "method"),
            ("activation_basis", "activation"),
        )
        if name in values
    ]
    lines = [
        line("Risk, as planned (losses above 0)", inside, " GBP"),
        line("Judged on fresh scenarios", outside, " GBP"),
        line("Proven bound of the objective", {"objective_gbp": "objective", "bound_gbp": "bound"}, " GBP"),
        line("Held back for within the day", {"headroom_day_ahead_mwh": "energy"}, " MWh"),
        f"Made with {', '.join(made)}" if made else "",
    ]
    return [_wrapped(text) for text in lines if text]


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, subsequent_indent="  ")


def _is_there(value: object) -> bool:
    return value is not None and not (isinstance(value, float) and np.isnan(value)) and value is not pd.NA
