"""Tables of the page of plans as text: why each volume is held, what a plan risks, what uncertainty costs.

What belongs here: choice, order and format of columns from stored rows. What does not: which day and plan is shown
(`plans.py`), and how any of the numbers came about (`trading/`, `risk/`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.figures.stream_words import gate_label
from bess_pipeline.figures.style import strategy_label
from bess_pipeline.report.tables import number

NO_NUMBER = "\N{EN DASH}"
WORDS = ("London", "what", "why", "gate", "measure", "strategy", "fixed", "basis")  # columns that are not numbers
OFFER = ["market", "product", "start_utc"]
WHY = ("London", "what", "MW", "expected price", "displaces", "margin", "limit price", "accepted, MW", "why")
RISK = ("gate", "measure", "in sample", "on fresh scenarios", "gap")
MEASURES = {
    "expected_pnl_gbp": "expected P&L, £",
    "var_gbp": "VaR {level}, £",
    "cvar_gbp": "CVaR {level}, £",
    "violation_mwh": "broken promises, MWh",
}
INFORMATION = {
    "wait_and_see_gbp": "wait and see",
    "recourse_problem_gbp": "the plan",
    "expected_value_gbp": "plan of the mean scenario",
    "evpi_gbp": "EVPI",
    "vss_gbp": "VSS",
    "slack_cost_gbp": "of VSS, broken limits",
}
FRONTIER = {
    "expected_pnl_gbp": ("expected P&L, £", 0),
    "var_gbp": ("VaR, £", 0),
    "cvar_gbp": ("CVaR, £", 0),
    "oos_expected_pnl_gbp": ("P&L on fresh scenarios, £", 0),
    "oos_var_gbp": ("VaR there, £", 0),
    "oos_cvar_gbp": ("CVaR there, £", 0),
    "oos_violation_mwh": ("broken promises there, MWh", 2),
    "day_ahead_mwh": ("day-ahead, MWh", 0),
    "response_mw_h": ("response, MW\N{MIDDLE DOT}h", 0),
}
SENSITIVITY = {
    "expected_pnl_gbp": ("expected P&L, £", 0),
    "cvar_gbp": ("CVaR, £", 0),
    "response_mw_h": ("response, MW\N{MIDDLE DOT}h", 0),
    "equivalent_cycles": ("equivalent cycles", 2),
}


def why_table(explanation: pd.DataFrame, orders: pd.DataFrame) -> pd.DataFrame:
    """A row for each `trading/plan_explanation` row, with limit price and outcome of its `trading/orders` rows."""
    ordered = explanation.sort_values(["start_utc", "market", "product"], kind="stable")
    offered = dict(iter(orders[orders["offered_mw"] != 0].groupby(OFFER)))
    rows = []
    for row in ordered.to_dict("records"):
        mine = offered.get((row["market"], row["product"], row["start_utc"]))
        rows.append(
            [
                f"{pd.Timestamp(row['start_utc']).tz_convert(gb_time.LONDON):%H:%M}",
                "day-ahead" if row["market"] == "day_ahead" else str(row["product"]),
                number(row["committed_mw"], 1),
                *(number(row[name], 2) for name in ("expected_price", "displaced_value", "margin")),
                _limit(mine),
                _accepted(mine),
                str(row["why"]),
            ]
        )
    return pd.DataFrame(rows, columns=list(WHY), dtype="str")


def risk_table(values: pd.DataFrame) -> pd.DataFrame:
    """Measures of `risk/plan_value` rows of a day and strategy, in sample, on fresh scenarios, and their difference."""
    rows = []
    for value in values.sort_values("gate").to_dict("records"):
        for name, words in MEASURES.items():
            inside, outside = _amount(value, name), _amount(value, f"oos_{name}")
            if inside is None and outside is None:
                continue
            gap = None if inside is None or outside is None else outside - inside
            measure = words.format(level=f"{float(value['confidence']):.0%}")
            decimals = 2 if name == "violation_mwh" else 0
            cells = [_cell(amount, decimals) for amount in (inside, outside, gap)]
            rows.append([gate_label(str(value["gate"])), measure, *cells])
    return pd.DataFrame(rows, columns=list(RISK), dtype="str")


def made_with(values: pd.DataFrame) -> list[str]:
    """How each plan of `risk/plan_value` rows was made and how far it is proven, a sentence for each gate."""
    return [_made(value) for value in values.sort_values("gate").to_dict("records")]


def information_table(rows: pd.DataFrame) -> pd.DataFrame:
    """`risk/information_value` rows of a day, £."""
    ordered = rows.sort_values(["strategy", "gate", "fixed"])
    table = pd.DataFrame(
        {
            "strategy": [strategy_label(str(one)) for one in ordered["strategy"]],
            "gate": [gate_label(str(one)) for one in ordered["gate"]],
            "fixed": ordered["fixed"].astype(str).tolist(),
        }
    )
    return table.assign(**{words: [_cell(value) for value in ordered[name]] for name, words in INFORMATION.items()})


def frontier_table(frontier: pd.DataFrame) -> pd.DataFrame:
    """`risk/frontier` rows of a day."""
    return _by(frontier, "risk_aversion", "risk aversion", FRONTIER, "{:.2g}")


def sensitivity_table(sensitivity: pd.DataFrame) -> pd.DataFrame:
    """`risk/activation_sensitivity` rows of a plan, with the basis that is multiplied."""
    table = _by(sensitivity, "multiplier", "activation", SENSITIVITY, "{:g}\N{MULTIPLICATION SIGN}")
    basis = basis_of(sensitivity.sort_values("multiplier")["activation_basis"])
    return table.assign(basis=[text or "not stated" for text in basis])


def basis_of(activation_basis: pd.Series) -> pd.Series:
    """The basis of activation without its multiplier, which rows of a sensitivity have in a column of its own."""
    return activation_basis.fillna("").str.replace(r" \(x [0-9.e+-]+\)$", "", regex=True)


def _by(rows: pd.DataFrame, key: str, label: str, columns: Mapping[str, tuple[str, int]], shown: str) -> pd.DataFrame:
    ordered = rows.sort_values(key)
    cells = {label: [shown.format(value) for value in ordered[key]]}
    cells |= {words: [_cell(value, decimals) for value in ordered[name]] for name, (words, decimals) in columns.items()}
    return pd.DataFrame(cells)


def _made(value: Mapping[Any, Any]) -> str:
    held = ""
    if _amount(value, "headroom_value_gbp") is not None:
        held = (
            f" Held back for trade within the day: {_cell(value['headroom_day_ahead_mwh'], 1)} MWh day-ahead and "
            f"{_cell(value['headroom_response_mw_h'], 1)} MW\N{MIDDLE DOT}h of response, worth "
            f"£{_cell(value['headroom_value_gbp'])}."
        )
    basis = value["activation_basis"] or "not stated"
    return (
        f"{gate_label(str(value['gate'])).capitalize()}: {value['scenarios']} scenarios and {value['fresh_scenarios']} "
        f"fresh ones, risk aversion {value['risk_aversion']:g}, activation {basis}; objective "
        f"£{number(value['objective_gbp'])}, proven to be at most £{number(value['bound_gbp'])} "
        f"(gap {value['gap']:.1g}), expected penalties £{number(value['penalty_gbp'], 2)}.{held}"
    )


def _limit(orders: pd.DataFrame | None) -> str:
    """The limit price, or those of a curve from its least to its most."""
    if orders is None:
        return NO_NUMBER
    low, high = number(orders["limit_price"].min(), 2), number(orders["limit_price"].max(), 2)
    return low if low == high else f"{low} to {high}"


def _accepted(orders: pd.DataFrame | None) -> str:
    known = None if orders is None else orders["accepted_mw"].dropna()
    return NO_NUMBER if known is None or known.empty else number(known.sum(), 1)


def _amount(row: Mapping[Any, Any], name: str) -> float | None:
    value = row.get(name)
    return None if value is None or pd.isna(value) else float(value)


def _cell(value: Any, decimals: int = 0) -> str:
    return NO_NUMBER if value is None or pd.isna(value) else number(value, decimals)
