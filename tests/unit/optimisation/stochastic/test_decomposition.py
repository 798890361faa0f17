"""Decomposition against the extensive form: its stated gap holds, for every structure of a formulation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from stochastic_oracle import best_objective
from stochastic_problems import BATTERY, coupled, with_response

from bess_pipeline.optimisation.problem import ClosingState
from bess_pipeline.optimisation.stochastic import decompose as decompose_module
from bess_pipeline.optimisation.stochastic import exclusive as exclusive_module
from bess_pipeline.optimisation.stochastic.certificate import cost_bound
from bess_pipeline.optimisation.stochastic.decompose import decompose, solve_interior
from bess_pipeline.optimisation.stochastic.exclusive import exclude_at_plan, netted, overlaps
from bess_pipeline.optimisation.stochastic.multicut import solve_multicut
from bess_pipeline.optimisation.stochastic.numbers import IMBALANCE
from bess_pipeline.optimisation.stochastic.problem import PlanRows, StochasticProblem
from bess_pipeline.optimisation.stochastic.programme import Programme, compile_programme
from bess_pipeline.optimisation.stochastic.restore import restore
from bess_pipeline.optimisation.stochastic.result import TwoStageSolution
from bess_pipeline.optimisation.stochastic.risk_aversion import RiskAversion
from bess_pipeline.optimisation.stochastic.solve import optimise_plan
from bess_pipeline.optimisation.stochastic.structure import CHARGE, DISCHARGE, structure_of

TWO_DAYS = {"periods": 96, "committed_periods": 48, "closing": ClosingState.at_least(40.0, 30.0)}


def assert_proven(programme: Programme, risk: RiskAversion, found: TwoStageSolution, optimum_gbp: float) -> None:
    """Objective <= optimum <= bound, the bound that of the duals given, the answer feasible."""
    rounding = 1e-9 * abs(optimum_gbp)
    assert found.objective_gbp <= optimum_gbp + rounding <= found.bound_gbp + 2 * rounding
    assert found.gap <= 1e-6
    assert -cost_bound(programme, risk, found.duals) == pytest.approx(found.bound_gbp, rel=1e-9)
    assert_feasible(programme, found)


def assert_feasible(programme: Programme, found: TwoStageSolution) -> None:
    """Every row and bound of the arrays, in every scenario."""
    plan, limits = found.plan, programme.plan
    assert (limits.lower - 1e-7 <= plan).all()
    assert (plan <= limits.upper + 1e-7).all()
    assert (limits.matrix @ plan <= limits.limit + 1e-6).all()
    assert (programme.lower - 1e-6 <= found.recourse).all()
    assert (found.recourse <= programme.upper + 1e-6).all()
    for n, recourse in enumerate(found.recourse):
        rows = programme.path.matrix @ recourse
        rows = rows + programme.technology.of(n, rows.size, plan.size) @ plan
        assert (programme.row_lower[n] - 1e-6 <= rows).all()
        assert (rows <= programme.row_upper[n] + 1e-6).all()


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("problem", [coupled(6), with_response(5, **TWO_DAYS)], ids=["coupled", "response"])
@pytest.mark.parametrize("method", [decompose, solve_multicut])
def test_the_gap_stated_holds_against_an_independent_formulation(
    method: object, problem: StochasticProblem, weight: float
) -> None:
    if method is solve_multicut and problem.responses:
        problem = with_response(4, periods=16)
    risk, programme = RiskAversion(weight, 0.8), compile_programme(problem)
    expected, _ = best_objective(problem, risk.weight, risk.confidence)
    assert_proven(programme, risk, method(programme, risk, gap=1e-6), expected)  # type: ignore[operator]


def test_fifty_scenarios() -> None:
    problem, risk = coupled(50), RiskAversion(0.4)
    expected, _ = best_objective(problem, risk.weight, risk.confidence)
    found = decompose(compile_programme(problem), risk)
    assert found.method == "interior_point"
    assert_proven(compile_programme(problem), risk, found, expected)


@pytest.mark.slow
@pytest.mark.parametrize("weight", [0.0, 0.4])
def test_two_hundred_scenarios(weight: float) -> None:
    problem, risk = coupled(200), RiskAversion(weight)
    expected, _ = best_objective(problem, risk.weight, risk.confidence)
    found = decompose(compile_programme(problem), risk)
    # the reference of this size comes from an interior point method and carries its own tolerance
    assert found.objective_gbp <= expected * (1 + 1e-6)
    assert found.bound_gbp >= expected * (1 - 1e-6)
    assert found.gap <= 1e-6


@pytest.mark.parametrize(
    "change",
    [{"ramp_limit_mw_per_hour": 40.0}, {"cycle_depth_cost_gbp_per_mwh": (0.0, 4.0, 9.0)}],
    ids=["ramp", "depth"],
)
@pytest.mark.parametrize(("columns", "method"), [(150_000, "interior_point+simplex"), (0, "multicut")])
def test_a_formulation_without_the_structure_is_solved_whole_or_beyond_a_size_by_cuts(
    columns: int, method: str, change: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    problem, risk = coupled(5, periods=16, battery=replace(BATTERY, **change)), RiskAversion(0.4, 0.8)  # type: ignore[arg-type]
    programme = compile_programme(problem)
    assert structure_of(programme) is None
    monkeypatch.setattr(decompose_module, "QUICK_COLUMNS", columns)
    found = decompose(programme, risk)
    assert found.method == method
    whole = optimise_plan(problem, risk, method="extensive", exclusive=False)
    assert_proven(programme, risk, found, whole.objective_gbp)


def test_a_problem_of_which_the_interior_point_method_says_nothing_is_solved_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As with a sold position at an imbalance cap of 0: cuts alone stopped far from the optimum there."""
    problem, risk = with_response(6, periods=16), RiskAversion(0.4, 0.8)
    programme = compile_programme(problem)
    whole = optimise_plan(problem, risk, method="extensive", exclusive=False)
    monkeypatch.setattr(decompose_module, "solve_interior", lambda *args, **options: None)
    found = decompose(programme, risk)
    assert found.method == "interior_point+simplex"
    assert_proven(programme, risk, found, whole.objective_gbp)


def test_cuts_finish_what_the_interior_point_method_leaves() -> None:
    problem, risk = with_response(6, periods=16), RiskAversion(0.4, 0.8)
    programme = compile_programme(problem)
    rough = solve_interior(programme, risk, gap=1e-2)
    assert rough is not None
    assert 1e-6 < rough.gap <= 1e-2
    whole = optimise_plan(problem, risk, method="extensive", exclusive=False)
    assert_proven(programme, risk, solve_multicut(programme, risk, start=rough), whole.objective_gbp)


@pytest.mark.parametrize(("columns", "method"), [(150_000, "interior_point+simplex"), (0, "multicut")])
def test_what_the_interior_point_method_leaves_is_closed_by_simplex_or_beyond_a_size_by_cuts(
    columns: int, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem, risk = with_response(6, periods=16), RiskAversion(0.4, 0.8)
    programme = compile_programme(problem)
    whole = optimise_plan(problem, risk, method="extensive", exclusive=False)
    monkeypatch.setattr(decompose_module, "QUICK_COLUMNS", columns)
    monkeypatch.setattr(decompose_module, "LOOK_FROM", 1e6)
    monkeypatch.setattr(decompose_module, "MOST_ITERATIONS", 8)
    found = decompose(programme, risk)
    assert found.method == method
    assert_proven(programme, risk, found, whole.objective_gbp)


def test_whatever_dispatch_comes_in_restored_answers_keep_every_row() -> None:
    problem = with_response(4)
    programme, rng = compile_programme(problem), np.random.default_rng(5)
    structure = structure_of(programme)
    assert structure is not None
    reference = optimise_plan(problem, RiskAversion(0.0))
    for scale in (0.1, 10.0, 1000.0):
        plan = reference.plan + scale * rng.standard_normal(reference.plan.size)
        restored = restore(programme, structure, plan, scale * rng.standard_normal((2, problem.periods, 4)))
        assert restored is not None
        assert_feasible(programme, replace(reference, plan=restored[0], recourse=restored[1]))


def test_no_overlap_is_left_after_a_decomposition_and_the_bound_stays() -> None:
    problem, risk = coupled(50, seed=4), RiskAversion(0.5)
    programme = compile_programme(problem)
    linear = decompose(programme, risk)
    assert overlaps(programme, linear.recourse).size  # an inner point overlaps a little everywhere
    found = optimise_plan(problem, risk, method="decomposition")
    assert not overlaps(programme, found.recourse).size
    assert found.bound_gbp == pytest.approx(linear.bound_gbp, rel=1e-12)
    assert found.gap <= 1e-5
    assert_feasible(programme, found)


def test_without_imbalance_overlaps_are_undone_at_the_exchange_that_is_contracted() -> None:
    """At equal stored energy the exchange would move off the contract, which costs more than any overlap."""
    problem = with_response(4, cap_mw=0.0, closing=ClosingState.at_least(0.0, 0.0))
    programme, added_mwh = compile_programme(problem), 0.5
    structure, where = structure_of(programme), programme.path.columns
    assert structure is not None
    clean = optimise_plan(problem, RiskAversion(0.3))
    flow = np.stack([clean.recourse[:, where[name]].T for name in (CHARGE, DISCHARGE)])
    idle = np.argwhere(flow.sum(axis=0).max(axis=1) < 20.0)[:5, 0]
    flow[:, idle] += added_mwh
    restored = restore(programme, structure, clean.plan, flow)
    assert restored is not None
    overlapping = replace(clean, recourse=restored[1])
    assert overlaps(programme, overlapping.recourse).size
    undone = netted(programme, overlapping)
    assert not overlaps(programme, undone).size
    assert np.abs(undone[:, where[IMBALANCE]]).max() <= 1e-6
    assert undone[:, where[CHARGE]] - undone[:, where[DISCHARGE]] == pytest.approx(flow[0].T - flow[1].T, abs=1e-9)
    assert_feasible(programme, replace(clean, recourse=undone))


@pytest.mark.slow
def test_a_scenario_whose_directions_take_too_long_keeps_its_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where burning energy pays, directions have to be decided; without time for it the answer says what it lacks."""
    prices = coupled(2).day_ahead_price_gbp_mwh - 150.0
    problem, risk = with_response(2, day_ahead_price_gbp_mwh=prices, system_price_gbp_mwh=prices), RiskAversion(0.3)
    linear = optimise_plan(problem, risk, method="decomposition", exclusive=False)
    programme = compile_programme(problem)
    assert overlaps(programme, netted(programme, linear)).size
    monkeypatch.setattr(exclusive_module, "SCENARIO_LIMIT_S", 600.0)  # a busy machine is no reason to fail
    decided = optimise_plan(problem, risk, method="decomposition")
    monkeypatch.setattr(exclusive_module, "SCENARIO_LIMIT_S", 0.0)
    kept = optimise_plan(problem, risk, method="decomposition")
    for found in (decided, kept):
        assert not overlaps(programme, found.recourse).size
        assert_feasible(programme, found)
    assert kept.bound_gbp == pytest.approx(decided.bound_gbp, rel=1e-9)
    assert kept.objective_gbp < decided.objective_gbp
    assert kept.gap > 1e-6


@pytest.mark.slow
def test_overlaps_that_move_on_are_decided_in_all_periods_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a few rounds; the answer is within the rough gap of the one that is decided period by period."""
    prices = coupled(3).day_ahead_price_gbp_mwh - 150.0
    problem, risk = with_response(3, day_ahead_price_gbp_mwh=prices, system_price_gbp_mwh=prices), RiskAversion(0.3)
    linear = optimise_plan(problem, risk, method="decomposition", exclusive=False)
    programme = compile_programme(problem)
    assert overlaps(programme, netted(programme, linear)).size
    monkeypatch.setattr(exclusive_module, "SCENARIO_LIMIT_S", 600.0)
    decided = exclude_at_plan(programme, risk, linear)
    monkeypatch.setattr(exclusive_module, "FEW_ROUNDS", 1)
    rough = exclude_at_plan(programme, risk, linear)
    assert rough.binaries == 3 * problem.periods > decided.binaries
    assert not overlaps(programme, rough.recourse).size
    assert_feasible(programme, rough)
    most = exclusive_module.ROUGH_GAP * float(np.abs((programme.cost * rough.recourse).sum(axis=1)).max())
    assert decided.objective_gbp - 3 * most <= rough.objective_gbp <= decided.objective_gbp + 1e-3


def test_further_rules_of_the_plan_are_kept_by_every_method() -> None:
    free = with_response(6)
    width = len(free.plan_names)
    first, second = np.zeros(width), np.zeros(width)
    first[free.products :] = 1.0  # all response together
    second[:3], second[3:6] = 1.0, -1.0  # volumes of some hours against those of others
    rows = PlanRows(np.stack([first, second]), np.array([30.0, -120.0]), ("all response", "some hours"))
    problem, risk = replace(free, plan_rows=rows), RiskAversion(0.4, 0.8)
    whole = optimise_plan(problem, risk, method="extensive", exclusive=False)
    assert rows.matrix @ whole.plan == pytest.approx(rows.limit, abs=1e-6)
    assert whole.objective_gbp < optimise_plan(free, risk, exclusive=False).objective_gbp - 1.0
    programme = compile_programme(problem)
    for method in (decompose, solve_multicut):
        assert_proven(programme, risk, method(programme, risk), whole.objective_gbp)
