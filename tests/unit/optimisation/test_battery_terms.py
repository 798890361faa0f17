"""Each loss, limit and cost of a battery by hand-worked cases and by brute force on a tiny grid."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from optimisation_oracle import best_profit

from bess_pipeline.battery.parameters import Battery
from bess_pipeline.errors import SolverError, UserInputError
from bess_pipeline.optimisation import energy
from bess_pipeline.optimisation.energy import EnergySession, optimise_energy
from bess_pipeline.optimisation.problem import ClosingState, EnergyProblem, exclusive_above_gbp_mwh
from bess_pipeline.optimisation.segments import follow_segments
from bess_pipeline.optimisation.session import SolveStatus
from bess_pipeline.optimisation.windows import WindowSearch

LOSSLESS = Battery(1.0, 1.0, initial_soc=0.5, final_soc=0.5)
STEP_MWH = 0.125
TERMS: dict[str, Any] = {
    "auxiliary_mw": 0.25,
    "import_limit_mw": 0.5,
    "export_limit_mw": 0.75,
    "ramp_limit_mw_per_hour": 1.5,
    "max_throughput_mwh_per_day": 0.75,
    "warranty_cycles": 0.375,
    "cycle_depth_cost_gbp_per_mwh": (2.0, 30.0),
}


def _problem(price: Any, battery: Battery, opening: float, closing: ClosingState, **more: Any) -> EnergyProblem:
    return EnergyProblem(price, 0.5, 0, battery, opening, closing, **more)


def _best_on_grid(price: np.ndarray, battery: Battery, opening: float, charge_availability: np.ndarray) -> float:
    """All schedules of four half-hours in steps of 0.125 MWh (lossless), one written check per limit."""
    moves = np.array(list(itertools.product(np.arange(-4, 5) * STEP_MWH, repeat=price.size)))  # + = charged
    states = opening + np.cumsum(moves - 0.5 * battery.auxiliary_mw, axis=1)
    sold, bought = np.maximum(-moves, 0), np.maximum(moves, 0)
    fine = (states >= 0).all(axis=1) & (states <= 1).all(axis=1) & (states[:, -1] >= 0.25)
    fine &= (bought <= 0.5 * np.minimum(charge_availability, battery.import_limit_mw or 1.0)).all(axis=1)
    fine &= (sold <= 0.5 * (battery.export_limit_mw or 1.0)).all(axis=1)
    fine &= (np.abs(np.diff(moves, axis=1)) <= 0.25 * (battery.ramp_limit_mw_per_hour or np.inf)).all(axis=1)
    fine &= (sold + bought).sum(axis=1) <= (battery.max_throughput_mwh_per_day or np.inf)
    fine &= sold.sum(axis=1) <= (battery.warranty_cycles or np.inf)
    profit = -moves @ price
    for k in np.flatnonzero(fine):
        profit[k] -= _depth_cost(battery, opening, bought[k], sold[k] + 0.5 * battery.auxiliary_mw)
    return float(profit[fine].max())


def _depth_cost(battery: Battery, opening: float, filled: np.ndarray, drawn: np.ndarray) -> float:
    """Layers of 0.125 MWh as a stack: what was stored last is shallowest, by how many layers lie above it."""
    if not battery.cycle_depth_cost_gbp_per_mwh:
        return 0.0
    costs = np.repeat(battery.cycle_depth_cost_gbp_per_mwh, 4)
    full, cost = np.arange(8) < round(opening / STEP_MWH), 0.0
    for come, go in zip(filled, drawn, strict=True):
        through = min(come, go)
        cost += costs[0] * through
        for _ in range(round((come - through) / STEP_MWH)):
            full[np.flatnonzero(~full)[0]] = True
        for _ in range(round((go - through) / STEP_MWH)):
            layer = np.flatnonzero(full)[0]
            full[layer], cost = False, cost + costs[layer] * STEP_MWH
    return float(cost)


@pytest.mark.parametrize("name", [*TERMS, "charge_availability"])
@pytest.mark.parametrize("seed", range(3))
def test_brute_force_on_a_tiny_grid(name: str, seed: int) -> None:
    """All numbers are whole steps, and so is an optimum of a network; a ramp limit is none, and can only do better."""
    price = np.random.default_rng(seed).uniform(-80, 150, 4).round(2)
    battery = replace(LOSSLESS, **({name: TERMS[name]} if name in TERMS else {}))
    share = np.array([1.0, 0.25, 0.0, 0.75]) if name not in TERMS else np.ones(4)
    problem = _problem(price, battery, 0.5, ClosingState.at_least(0.25), charge_availability=share)
    found, best = optimise_energy(problem).objective_gbp, _best_on_grid(price, battery, 0.5, share)
    if name == "ramp_limit_mw_per_hour":
        oracle = best_profit(price, np.full(4, 0.5), np.zeros(4), battery, 0.5, (0.25, math.inf))
        assert best - 1e-6 <= found
        assert found == pytest.approx(oracle, abs=1e-6)
    else:
        assert found == pytest.approx(best, abs=1e-6)


def test_self_discharge_is_the_formula_of_the_reference() -> None:
    """s (1 - 0.1 x 0.5) twice, then sold: 1 -> 0.95 -> 0.9025 MWh, less what the third half-hour loses."""
    battery = Battery(1.0, 2.0, self_discharge_per_hour=0.1)
    schedule = optimise_energy(_problem([-1.0, -1.0, 100.0], battery, 0.5, ClosingState.free(), charge_availability=0))
    np.testing.assert_allclose(schedule.energy_mwh, [0.475, 0.45125, 0.0], atol=1e-9)
    assert schedule.objective_gbp == pytest.approx(100 * 0.45125 * 0.95)


def test_a_long_outage_sheds_the_load_at_the_floor_and_reports_it() -> None:
    """0.4 MW for four half-hours from 0.5 MWh: 0.2 + 0.2 + 0.1 are served, 0.3 MWh are not."""
    battery = Battery(1.0, 1.0, auxiliary_mw=0.4)
    off = {"charge_availability": 0.0, "discharge_availability": 0.0}
    schedule = optimise_energy(_problem([50.0] * 4, battery, 0.5, ClosingState.free(), **off))
    np.testing.assert_allclose(schedule.energy_mwh, [0.3, 0.1, 0.0, 0.0], atol=1e-9)
    np.testing.assert_allclose(schedule.unserved_mwh, [0.0, 0.0, 0.1, 0.2], atol=1e-9)
    at_floor = replace(battery, soc_min=0.2, initial_soc=0.2, final_soc=0.2, self_discharge_per_hour=0.1)
    held = optimise_energy(_problem([50.0], at_floor, 0.2, ClosingState.free(), **off))
    assert held.unserved_mwh[0] == pytest.approx(0.2 + 0.2 * 0.1 * 0.5)
    assert held.energy_mwh[0] == pytest.approx(0.2)


def test_the_load_goes_before_trade_and_nothing_is_shed_that_could_be_served() -> None:
    battery = Battery(1.0, 1.0, auxiliary_mw=0.2)
    share = np.array([1.0, 1.0, 0.0, 0.0])
    problem = _problem([900.0] * 4, battery, 0.5, ClosingState.free(), charge_availability=share)
    problem = replace(problem, discharge_availability=share)
    schedule = optimise_energy(problem)
    assert schedule.unserved_mwh.max() == 0.0
    assert schedule.energy_mwh[1] == pytest.approx(0.2)


def test_the_connection_limits_each_direction_by_itself() -> None:
    battery = Battery(4.0, 2.0, import_limit_mw=0.5, export_limit_mw=1.5)
    schedule = optimise_energy(_problem([10.0, 10.0, 90.0], battery, 0.25, ClosingState.free()))
    np.testing.assert_allclose(schedule.charge_mw, [0.5, 0.5, 0.0], atol=1e-9)
    np.testing.assert_allclose(schedule.discharge_mw, [0.0, 0.0, 1.5], atol=1e-9)


def test_ramp_counts_from_the_export_before_and_an_outage_is_no_ramp() -> None:
    """0.8 MW per hour is 0.4 MW from one half-hour to the next."""
    battery = Battery(4.0, 2.0, ramp_limit_mw_per_hour=0.8)
    problem = _problem([90.0] * 3, battery, 4.0, ClosingState.free(), opening_export_mw=-0.1)
    np.testing.assert_allclose(optimise_energy(problem).discharge_mw, [0.3, 0.7, 1.1], atol=1e-9)
    free = optimise_energy(replace(problem, opening_export_mw=None)).discharge_mw
    np.testing.assert_allclose(free, [2.0, 2.0, 2.0], atol=1e-9)
    share = [1.0, 0.0, 1.0]
    cut = replace(problem, opening_export_mw=None, charge_availability=share, discharge_availability=share)
    np.testing.assert_allclose(optimise_energy(cut).discharge_mw, [2.0, 0.0, 0.4], atol=1e-9)


def test_a_ramp_that_overlap_would_cheat_is_decided_by_binaries() -> None:
    """A full battery that was importing may not import on: only overlap could, and it is refused or paid for."""
    battery = Battery(1.0, 1.0, 0.9, 0.9, initial_soc=0.9, final_soc=0.9, ramp_limit_mw_per_hour=0.8)
    price = np.array([-40.0, 30.0, -60.0, 50.0, 20.0, -30.0])
    problem = _problem(price, battery, 0.9, ClosingState.free(), opening_export_mw=-0.2)
    schedule = optimise_energy(problem)
    arguments = (price, np.full(6, 0.5), np.zeros(6), battery, 0.9, (-math.inf, math.inf))
    assert schedule.objective_gbp == pytest.approx(best_profit(*arguments, opening_export=-0.2), abs=1e-6)
    assert schedule.method == "milp"


def test_only_shallow_segments_pay_at_a_small_spread() -> None:
    """The first MWh costs 1, the second 10 GBP: at a price of 5 one is sold, at 50 both."""
    battery = Battery(2.0, 1.0, cycle_depth_cost_gbp_per_mwh=(1.0, 10.0))
    little = optimise_energy(_problem([5.0] * 4, battery, 2.0, ClosingState.free()))
    assert (little.objective_gbp, little.depth_cost_gbp) == pytest.approx((4.0, 1.0))
    much = optimise_energy(_problem([50.0] * 4, battery, 2.0, ClosingState.free()))
    assert (much.objective_gbp, much.depth_cost_gbp, much.wear_gbp) == pytest.approx((89.0, 11.0, 11.0))
    deep = _problem([5.0] * 4, battery, 1.0, ClosingState.free(), opening_segments_mwh=[0.0, 1.0])
    assert optimise_energy(deep).objective_gbp == 0.0


def test_segments_are_followed_shallowest_first() -> None:
    battery = Battery(2.0, 2.0, auxiliary_mw=0.2, cycle_depth_cost_gbp_per_mwh=(1.0, 10.0))
    problem = _problem([0.0] * 3, battery, 1.5, ClosingState.free())
    stored, drawn = follow_segments(problem, np.array([0.0, 1.0, 0.0]), np.array([2.0, 0.0, 1.0]))
    np.testing.assert_allclose(stored, [[0.0, 0.4], [0.4, 0.4], [0.0, 0.2]], atol=1e-12)
    np.testing.assert_allclose(drawn, [[1.0, 0.1], [0.1, 0.0], [0.4, 0.2]], atol=1e-12)


def test_the_price_of_the_warranty_lies_between_its_finite_differences() -> None:
    price = np.random.default_rng(5).uniform(-20, 120, 48)

    def earned(cycles: float) -> float:
        battery = Battery(2.0, 1.0, 0.9, 0.9, warranty_cycles=cycles)
        return optimise_energy(_problem(price, battery, 0.0, ClosingState.free())).objective_gbp

    battery = Battery(2.0, 1.0, 0.9, 0.9, warranty_cycles=1.3)
    value = optimise_energy(_problem(price, battery, 0.0, ClosingState.free())).warranty_value_gbp_per_cycle
    step = 1e-3
    assert value is not None
    assert (earned(1.3 + step) - earned(1.3)) / step - 1e-6 <= value <= (earned(1.3) - earned(1.3 - step)) / step + 1e-6
    assert value > 1.0
    unbound = optimise_energy(_problem(price, replace(battery, warranty_cycles=1e3), 0.0, ClosingState.free()))
    assert unbound.warranty_value_gbp_per_cycle == 0.0


def test_depth_cost_moves_the_price_above_which_overlap_never_pays() -> None:
    """-(w (1 + k) + c k) / (1 - k) with k = 0.81: w = 2, c = 3 gives -31.84."""
    battery = Battery(1.0, 1.0, 0.9, 0.9, degradation_cost_gbp_per_mwh=2.0, cycle_depth_cost_gbp_per_mwh=(3.0, 9.0))
    assert exclusive_above_gbp_mwh(battery) == pytest.approx(-(2 * 1.81 + 3 * 0.81) / 0.19)


def test_days_of_46_48_and_50_half_hours_each_have_their_own_limits() -> None:
    day = np.repeat([1, 2, 3], [46, 48, 50])
    price = np.random.default_rng(3).uniform(-30, 150, day.size)
    battery = Battery(2.0, 1.0, 0.9, 0.9, max_cycles_per_day=0.8, max_throughput_mwh_per_day=3.0)
    problem = EnergyProblem(price, 0.5, day, battery, 1.0, ClosingState.fixed(1.0))
    schedule = optimise_energy(problem)
    sold = np.bincount(day, weights=schedule.discharge_mw * 0.5)[1:]
    flow = sold + np.bincount(day, weights=schedule.charge_mw * 0.5)[1:]
    assert (sold <= 1.6 + 1e-6).all()
    assert (flow <= 3.0 + 1e-6).all()
    assert flow.max() > 2.9
    assert schedule.gap <= 1e-9


@pytest.mark.parametrize("cycles", [1.0, 1.3, 2.0])
def test_windows_of_many_days_reach_the_whole_optimum(cycles: float) -> None:
    """Six days of hours with negative prices: windows are small, the oracle decides every period at once."""
    rng = np.random.default_rng(1)
    price = rng.uniform(20, 90, 72)
    for start in (2, 14, 27, 40, 50, 63):
        price[start : start + 6] = rng.uniform(-90, -20, 6)
    day = np.arange(72) // 12
    battery = Battery(2.0, 1.0, 0.8, 0.8, initial_soc=0.5, final_soc=0.5, max_cycles_per_day=cycles)
    schedule = optimise_energy(EnergyProblem(price, 1.0, day, battery, 1.0, ClosingState.fixed(1.0)))
    assert schedule.method == "milp"
    assert schedule.objective_gbp == pytest.approx(best_profit(price, np.ones(72), day, battery, 1.0, (1, 1)), rel=1e-8)
    assert schedule.gap <= 1e-9
    assert 0 < schedule.binaries < (price < 0).sum()


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ({"max_throughput_mwh_per_day": 0.1}, r"within the daily throughput limit \(day 7\)"),
        ({"warranty_cycles": 0.01}, "within the warranty budget over 4 periods"),
        ({"max_cycles_per_day": 0.01}, r"within the daily cycle limit \(day 7\)"),
        ({"ramp_limit_mw_per_hour": 0.1}, r"within the ramp limit \(period 0\)"),
        ({"export_limit_mw": 0.1}, "within the power limit over 4 periods"),
    ],
)
def test_an_infeasible_limit_is_named(limit: dict[str, float], words: str) -> None:
    battery = replace(LOSSLESS, initial_soc=1.0, final_soc=0.0, **limit)
    problem = EnergyProblem([10.0] * 4, 0.5, 7, battery, 1.0, ClosingState.fixed(0.0), opening_export_mw=0.0)
    with pytest.raises(SolverError, match=words) as caught:
        optimise_energy(problem)
    assert "\n" not in str(caught.value)


def test_a_standby_load_that_a_limit_starves_is_named() -> None:
    battery = Battery(1.0, 1.0, auxiliary_mw=0.5, max_throughput_mwh_per_day=0.1)
    with pytest.raises(SolverError, match=r"daily throughput limit \(day 0\) leaves no schedule: the standby load"):
        optimise_energy(_problem([10.0] * 4, battery, 0.0, ClosingState.free()))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"charge_availability": [1.0, 1.5]}, "charge_availability of period 1 is 1.5: it must lie between 0 and 1"),
        ({"discharge_availability": [math.nan, 1.0]}, "discharge_availability of period 0 is nan"),
        ({"charge_availability": [1.0]}, "charge_availability needs one fraction per period, not 1 for 2 periods"),
        ({"opening_export_mw": math.inf}, "opening export inf MW"),
        ({"opening_segments_mwh": [0.5]}, "opening_segments_mwh needs 2 energies between 0 and 0.5 MWh"),
        ({"opening_segments_mwh": [0.1, 0.1]}, "hold 0.2 MWh, but 0.5 MWh are stored"),
        ({"hours": 30.0}, "self_discharge_per_hour 0.05 over the 30 hours of period 0 loses more than everything"),
    ],
)
def test_impossible_input_is_refused_before_solving(change: dict[str, Any], words: str) -> None:
    battery = replace(LOSSLESS, self_discharge_per_hour=0.05, cycle_depth_cost_gbp_per_mwh=(1.0, 2.0))
    given: dict[str, Any] = {"price_gbp_mwh": [10.0, 20.0], "hours": 0.5, "day_index": 0, "battery": battery}
    given |= {"opening_energy_mwh": 0.5, "closing": ClosingState.free()}
    with pytest.raises(UserInputError, match=words):
        EnergyProblem(**(given | change))


def test_duals_are_worth_of_stored_energy_and_need_their_own_schedule() -> None:
    """One more MWh at the start is worth the dual of the first balance, between both finite differences."""
    battery = Battery(2.0, 1.0, 0.8, 0.8, max_cycles_per_day=0.6)
    price = np.array([-60.0, 30.0, -90.0, 70.0, 40.0, -50.0])
    problem = _problem(price, battery, 0.7, ClosingState.free())
    session = EnergySession(problem)
    schedule = session.solve()
    value = session.duals(schedule).row["energy_balance"][0]
    step = 1e-4
    more, less = (optimise_energy(replace(problem, opening_energy_mwh=0.7 + d)).objective_gbp for d in (step, -step))
    assert (more - schedule.objective_gbp) / step - 1e-5 <= value <= (schedule.objective_gbp - less) / step + 1e-5
    with pytest.raises(SolverError, match="no shadow prices"):
        session.duals(replace(schedule, objective_gbp=schedule.objective_gbp + 1.0))


def test_a_session_takes_another_problem_of_the_same_or_another_shape() -> None:
    battery = Battery(2.0, 1.0, 0.9, 0.9)
    first = _problem([10.0, 80.0, -200.0, 40.0], battery, 1.0, ClosingState.free())
    session = EnergySession(first)
    session.solve()
    for problem in (replace(first, opening_energy_mwh=0.2), _problem([10.0, 80.0], battery, 1.0, ClosingState.free())):
        session.set_problem(problem)
        assert session.solve().objective_gbp == pytest.approx(optimise_energy(problem).objective_gbp)


def test_out_of_time_the_gap_is_stated_and_the_bound_is_true(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without time for a single window the schedule is feasible, not called optimal, and its bound holds."""
    battery = Battery(2.0, 1.0, 0.7, 0.8, initial_soc=0.5, final_soc=0.5, max_cycles_per_day=0.3)
    price = np.array([-10.0, 19.0, -146.0, 19.0, -52.0, -42.0, -18.0, -90.0])
    problem = EnergyProblem(price, 0.5, np.arange(8) // 4, battery, 1.0, ClosingState.fixed(1.0))
    best = optimise_energy(problem).objective_gbp
    monkeypatch.setattr(energy, "WindowSearch", lambda *arguments: WindowSearch(*arguments[:-1], 0.0))
    hasty = optimise_energy(problem)
    assert hasty.status is SolveStatus.TIME_LIMIT
    assert hasty.objective_gbp <= best + 1e-9 <= hasty.bound_gbp + 1e-6
    assert hasty.gap == pytest.approx((hasty.bound_gbp - hasty.objective_gbp) / max(1.0, abs(hasty.objective_gbp)))
    assert hasty.gap > 1e-6
