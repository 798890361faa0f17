"""Rows of the frontier: against the plain formulation, judged with nothing left to decide, and out of order."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from gate_cases import CLOCKS_BACK, CLOCKS_FORWARD, DAY, gate_inputs, scenario_set
from stochastic_oracle import best_objective

from bess_pipeline.ancillary_settings import AncillarySettings
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.co_optimisation_settings import CoOptimisationSettings
from bess_pipeline.errors import SolverError, UserInputError
from bess_pipeline.optimisation.stochastic.frontier import FrontierPoint, frontier
from bess_pipeline.risk import frontier_rows as module
from bess_pipeline.risk.frontier_rows import frontier_rows, why_flat, worsening
from bess_pipeline.risk.plan_judgement import committed_volumes
from bess_pipeline.settings import BatterySettings, RollingSettings
from bess_pipeline.trading.gate_problem import GateProblem, gate_problem

COLUMNS = [
    "efa_date",
    "risk_aversion",
    "expected_pnl_gbp",
    "var_gbp",
    "cvar_gbp",
    "gap",
    "oos_expected_pnl_gbp",
    "oos_var_gbp",
    "oos_cvar_gbp",
    "oos_violation_mwh",
    "day_ahead_mwh",
    "response_mw_h",
    "scenarios",
    "fresh_scenarios",
]
FEW = CoOptimisationSettings(frontier_points=4, confidence=0.7)
DAY_ONLY = RollingSettings(look_ahead_hours=24)


def small(count: int = 6, seed: int = 1, **changes: object) -> GateProblem:
    return gate_problem(gate_inputs(count=count, seed=seed, rolling=DAY_ONLY, **changes))


@pytest.fixture(scope="module")
def given() -> GateProblem:
    return small()


def test_every_point_is_the_optimum_of_the_plain_formulation(given: GateProblem) -> None:
    rows = frontier_rows(given, None, FEW)
    assert list(rows.columns) == COLUMNS
    assert rows["risk_aversion"].tolist() == pytest.approx([0, 1 / 3, 2 / 3, 1])
    for row in rows.to_dict("records"):
        weight = min(row["risk_aversion"], 1 - 1e-4)
        value = (1 - weight) * row["expected_pnl_gbp"] - weight * row["cvar_gbp"]
        assert value == pytest.approx(best_objective(given.problem, weight, 0.7)[0], rel=2e-6)
    assert (np.diff(rows["cvar_gbp"]) < 1e-2).all()
    assert (np.diff(rows["expected_pnl_gbp"]) < 1e-2).all()
    assert rows["cvar_gbp"].iloc[0] - rows["cvar_gbp"].iloc[-1] > 50
    assert rows[[name for name in COLUMNS if name.startswith("oos_")]].isna().all(axis=None)
    assert (rows["scenarios"].unique().tolist(), rows["fresh_scenarios"].unique().tolist()) == ([6], [0])


def test_with_nothing_to_decide_within_the_day_fresh_paths_earn_the_plan_at_their_prices() -> None:
    """No imbalance, no response, no losses: dispatch is the plan, and profit is a sum over half-hours."""
    lossless = replace(
        Battery.from_settings(BatterySettings()),
        charge_efficiency=1.0,
        discharge_efficiency=1.0,
        auxiliary_mw=0.0,
        self_discharge_per_hour=0.0,
    )
    settings = FEW.model_copy(update={"imbalance_limit_mw": 0.0, "frontier_points": 2})
    fixed: dict[str, object] = {
        "battery": lossless,
        "opening_energy_mwh": lossless.initial_energy_mwh,
        "ancillary": AncillarySettings(volume_cap_share=0.0),
        "co_optimisation": settings,
    }
    given, fresh = small(**fixed), small(9, seed=5, **fixed)
    rows = frontier_rows(given, fresh, settings)
    problem = fresh.problem
    value_gbp_mwh = given.problem.closing.terminal_value_gbp_mwh
    assert value_gbp_mwh != problem.closing.terminal_value_gbp_mwh
    for point, row in zip(frontier(given.problem, (0.0, 1.0), confidence=0.7), rows.to_dict("records"), strict=True):
        sold = point.plan[problem.product_index] * 0.5
        closing = lossless.initial_energy_mwh - sold.sum()
        wear = lossless.degradation_cost_gbp_per_mwh * np.abs(sold).sum()
        profit = problem.day_ahead_price_gbp_mwh @ sold - wear + value_gbp_mwh * closing
        assert row["oos_violation_mwh"] == pytest.approx(0.0, abs=1e-4)
        assert row["oos_expected_pnl_gbp"] == pytest.approx(float(problem.probability @ profit), abs=0.5)
        assert row["oos_cvar_gbp"] == pytest.approx(_worst(-profit, problem.probability, 0.3), abs=0.5)
        assert row["day_ahead_mwh"] == pytest.approx(np.abs(sold).sum())
        assert (row["response_mw_h"], row["fresh_scenarios"]) == (0.0, 9)


def _worst(loss: np.ndarray, weight: np.ndarray, mass: float) -> float:
    """Mean of the worst `mass`, taken from the worst on until it is used up."""
    total, left = 0.0, mass
    for n in np.argsort(-loss):
        taken = min(weight[n], left)
        total, left = total + taken * loss[n], left - taken
    return total / mass


def test_points_out_of_order_are_refused(given: GateProblem, monkeypatch: pytest.MonkeyPatch) -> None:
    points = frontier(given.problem, (0.0, 0.5, 1.0), confidence=0.7)
    assert worsening(points) is None
    first, middle, last = points
    dearer = replace(middle, expected_profit_gbp=first.expected_profit_gbp + 1.0)
    assert "from risk aversion 0 to 0.5 the mean rises by 1.00 GBP" in str(worsening([first, dearer, last]))
    worse = replace(last, cvar_gbp=middle.cvar_gbp + 2.0)
    assert "from risk aversion 0.5 to 1 CVaR worsens by 2.00 GBP" in str(worsening([first, middle, worse]))
    monkeypatch.setattr(module, "frontier", lambda *_, **__: [first, dearer, last])
    with pytest.raises(SolverError, match="the frontier is not in order"):
        frontier_rows(given, None, FEW)


def test_the_order_may_be_off_by_what_the_gaps_allow_and_no_more(given: GateProblem) -> None:
    """Two plans, 3 and 5 GBP below their bounds, at risk aversions 0.25 and 0.75: worked out by hand."""
    (point,) = frontier(given.problem, (0.5,), confidence=0.7)

    def at(weight: float, mean: float, cvar: float, gap_gbp: float) -> FrontierPoint:
        solution = replace(point.solution, objective_gbp=0.0, bound_gbp=gap_gbp)
        return replace(point, risk_aversion=weight, expected_profit_gbp=mean, cvar_gbp=cvar, solution=solution)

    mean_allowed, cvar_allowed = (0.75 * 3 + 0.25 * 5) / 0.5, (0.25 * 3 + 0.75 * 5) / 0.5
    one = at(0.25, 100.0, -50.0, 3.0)
    for share, ordered in ((0.99, True), (1.01, False)):
        assert (worsening([one, at(0.75, 100.0 + share * mean_allowed, -50.0, 5.0)]) is None) == ordered
        assert (worsening([one, at(0.75, 100.0, -50.0 + share * cvar_allowed, 5.0)]) is None) == ordered


@pytest.mark.parametrize(
    ("neutral", "averse", "said"),
    [
        (-1000.0, -1050.0, None),
        (400.0, 380.0, None),
        (-1000.0, -1049.0, "earns 1,000 GBP in its worst outcomes, and no plan does better by more than 49 GBP (4.9%)"),
        (400.0, 381.0, "loses 400 GBP in its worst outcomes, and no plan does better by more than 19 GBP (4.8%)"),
        (0.0, 0.0, "loses 0 GBP in its worst outcomes, and no plan does better by more than 0 GBP there"),
        (0.0, -5.0, None),
    ],
)
def test_a_flat_frontier_says_why(neutral: float, averse: float, said: str | None) -> None:
    rows = pd.DataFrame({"efa_date": DAY, "risk_aversion": [1.0, 0.5, 0.0], "cvar_gbp": [averse, averse, neutral]})
    assert why_flat(rows) is None if said is None else said in str(why_flat(rows))


def test_fresh_scenarios_of_another_gate_or_of_other_products_are_refused(given: GateProblem) -> None:
    with pytest.raises(UserInputError, match="scenarios of the same trading day and gate only"):
        frontier_rows(given, small(gate="response"), FEW)
    with pytest.raises(UserInputError, match="scenarios of the same products only"):
        frontier_rows(given, small(ancillary=AncillarySettings(response_products=("DCL",))), FEW)
    half_hours = small(scenarios=scenario_set(DAY, minutes=30))
    with pytest.raises(UserInputError, match="scenarios of the same periods only"):
        frontier_rows(given, half_hours, FEW)


def test_a_battery_that_the_policy_does_not_know_has_a_frontier_in_sample_alone(given: GateProblem) -> None:
    ramped = replace(given, problem=replace(given.problem, battery=_ramped(given.problem.battery)))
    rows = frontier_rows(ramped, ramped, FEW.model_copy(update={"frontier_points": 2}))
    assert rows["oos_cvar_gbp"].isna().all()
    assert rows["cvar_gbp"].notna().all()


def _ramped(battery: Battery) -> Battery:
    return replace(battery, ramp_limit_mw_per_hour=20.0)


@pytest.mark.parametrize("day", [DAY, CLOCKS_FORWARD, CLOCKS_BACK])
def test_volumes_are_of_the_committed_day(day: date) -> None:
    problem = gate_problem(gate_inputs(day, count=2)).problem
    rng = np.random.default_rng(3)
    sold, response = rng.normal(size=problem.products), rng.random((len(problem.responses), problem.blocks))
    day_ahead_mwh = response_mw_h = 0.0
    for t in range({CLOCKS_FORWARD: 46, CLOCKS_BACK: 50}.get(day, 48)):
        day_ahead_mwh += abs(sold[problem.product_index[t]]) / 2
        response_mw_h += sum(mw[problem.block_index[t]] / 2 for mw in response)
    assert committed_volumes(problem, sold, response) == pytest.approx((day_ahead_mwh, response_mw_h))
    assert day_ahead_mwh < np.abs(sold).sum() * 0.9
