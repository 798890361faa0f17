"""The energy-only optimum against closed forms, brute force and an independent SciPy formulation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from optimisation_oracle import best_profit

from bess_pipeline.battery.parameters import Battery
from bess_pipeline.errors import BessError, SolverError, UserInputError
from bess_pipeline.optimisation import energy
from bess_pipeline.optimisation.compilation import compile_path
from bess_pipeline.optimisation.energy import optimise_energy
from bess_pipeline.optimisation.exact_path import PathOptimum
from bess_pipeline.optimisation.path_numbers import path_numbers
from bess_pipeline.optimisation.problem import ClosingState, EnergyProblem, exclusive_above_gbp_mwh
from bess_pipeline.optimisation.session import HighsSession
from bess_pipeline.optimisation.status import SolveStatus

ONE_MW = Battery(energy_mwh=2.0, power_mw=1.0)
LOSSY = Battery(2.0, 1.0, 0.95, 0.95)
FULL_WINDOW = (-math.inf, math.inf)


def _problem(price: list[float], battery: Battery, opening: float, closing: ClosingState) -> EnergyProblem:
    return EnergyProblem(price, 0.5, 0, battery, opening, closing)


def test_vector_a_overlap_at_a_negative_price_is_worth_nothing() -> None:
    """Domain reference 7.1, vector A: burning energy would earn 2.4375, the truth is 0."""
    arguments = (np.array([-50.0]), np.array([0.5]), np.zeros(1), LOSSY, 1.0, (1.0, 1.0))
    assert best_profit(*arguments, exclusive=False, shared_cap=False) == pytest.approx(2.4375)
    schedule = optimise_energy(_problem([-50.0], LOSSY, 1.0, ClosingState.fixed(1.0)))
    assert schedule.objective_gbp == 0.0
    assert schedule.charge_mw[0] == schedule.discharge_mw[0] == 0.0
    assert schedule.energy_mwh[0] == 1.0


def test_the_shared_cap_bounds_tighter_than_the_relaxation_and_is_not_the_truth() -> None:
    """With c + d <= 1 and 0.9025 c = d, c = 1 / 1.9025: 50 x 0.5 x c x 0.0975 = 1.2812."""
    problem = _problem([-50.0], LOSSY, 1.0, ClosingState.fixed(1.0))
    relaxed = HighsSession(compile_path(problem), path_numbers(problem)).solve()
    assert -relaxed.cost == pytest.approx(50 * 0.5 * 0.0975 / 1.9025)


def test_vector_b_two_periods() -> None:
    schedule = optimise_energy(_problem([20.0, 120.0], LOSSY, 0.0, ClosingState.free()))
    assert schedule.objective_gbp == pytest.approx(44.15)
    np.testing.assert_allclose(schedule.charge_mw, [1.0, 0.0], atol=1e-9)
    np.testing.assert_allclose(schedule.discharge_mw, [0.0, 0.9025], atol=1e-9)
    np.testing.assert_allclose(schedule.cash_gbp, [-10.0, 54.15], atol=1e-9)
    assert schedule.cycles == pytest.approx(0.9025 / 2 / 2)


def test_price_100_costs_and_earns_50_a_half_hour_and_wear_takes_1() -> None:
    worn = Battery(2.0, 1.0, degradation_cost_gbp_per_mwh=2.0)
    charged = optimise_energy(_problem([100.0], worn, 1.0, ClosingState.fixed(1.5)))
    assert (charged.cash_gbp[0], charged.wear_gbp, charged.charge_mw[0]) == pytest.approx((-50.0, 1.0, 1.0))
    sold = optimise_energy(_problem([100.0], worn, 1.0, ClosingState.fixed(0.5)))
    assert (sold.cash_gbp[0], sold.wear_gbp, sold.objective_gbp) == pytest.approx((50.0, 1.0, 49.0))


@pytest.mark.parametrize("seed", range(6))
def test_brute_force_on_a_tiny_grid(seed: int) -> None:
    """Lossless, 1 MW, half-hours: an optimum moves in steps of 0.5 MWh, so all 3^6 schedules are tried."""
    rng = np.random.default_rng(seed)
    price, wear = rng.uniform(-80, 150, 6).round(2), 3.0
    battery = Battery(1.0, 1.0, initial_soc=0.5, final_soc=0.5, degradation_cost_gbp_per_mwh=wear)
    best = -math.inf
    for moves in itertools.product((-0.5, 0.0, 0.5), repeat=6):
        states = 0.5 + np.cumsum(moves)
        if states.min() >= 0 and states.max() <= 1 and states[-1] == 0.5:
            best = max(best, float(-price @ moves - wear * np.abs(moves).sum()))
    schedule = optimise_energy(_problem(price.tolist(), battery, 0.5, ClosingState.fixed(0.5)))
    assert schedule.objective_gbp == pytest.approx(best, abs=1e-6)


def test_closing_state_at_least_and_terminal_value() -> None:
    battery = Battery(2.0, 1.0)
    at_least = optimise_energy(_problem([50.0, 50.0], battery, 1.0, ClosingState.at_least(0.75)))
    assert at_least.energy_mwh[-1] == pytest.approx(0.75)
    kept = optimise_energy(_problem([50.0, 50.0], battery, 1.0, ClosingState.free(60.0)))
    assert kept.energy_mwh[-1] == pytest.approx(2.0)
    assert kept.terminal_value_gbp == pytest.approx(120.0)
    assert kept.objective_gbp == pytest.approx(120.0 - 50.0)
    sold = optimise_energy(_problem([50.0, 50.0], battery, 1.0, ClosingState.free(40.0)))
    assert sold.energy_mwh[-1] == pytest.approx(0.0)


def test_cycle_limit_counts_each_day_apart() -> None:
    battery = Battery(1.0, 10.0, max_cycles_per_day=1.0)
    price = [0.0, 100.0, 0.0, 90.0] * 2
    problem = EnergyProblem(price, 0.5, [7] * 4 + [3] * 4, battery, 0.0, ClosingState.free())
    schedule = optimise_energy(problem)
    discharged = (schedule.discharge_mw * 0.5).reshape(2, 4).sum(axis=1)
    np.testing.assert_allclose(discharged, [1.0, 1.0])
    assert schedule.objective_gbp == pytest.approx(200.0)
    assert schedule.cycles == pytest.approx(2.0)


def test_hourly_and_half_hourly_periods_mix() -> None:
    battery = Battery(10.0, 1.0)
    problem = EnergyProblem([10.0, 100.0], [1.0, 0.5], 0, battery, 0.0, ClosingState.free())
    schedule = optimise_energy(problem)
    assert schedule.objective_gbp == pytest.approx(-10 * 0.5 + 100 * 0.5)
    assert schedule.energy_mwh.tolist() == pytest.approx([0.5, 0.0])


def test_no_power_limit_fills_and_empties_within_a_period() -> None:
    battery = Battery(100.0, charge_efficiency=0.9, discharge_efficiency=0.8)
    schedule = optimise_energy(_problem([10.0, 50.0, -5.0, 60.0], battery, 0.0, ClosingState.free()))
    filled, emptied = 100 / 0.9, 100 * 0.8
    assert schedule.objective_gbp == pytest.approx(-10 * filled + 50 * emptied + 5 * filled + 60 * emptied)


def test_lossless_overlap_at_zero_wear_is_netted_exactly() -> None:
    schedule = optimise_energy(_problem([-30.0, -30.0, 5.0], ONE_MW, 2.0, ClosingState.fixed(2.0)))
    assert np.minimum(schedule.charge_mw, schedule.discharge_mw).max() == 0.0
    assert schedule.gap <= 1e-9


def test_below_the_threshold_the_dynamic_programme_decides_and_certifies() -> None:
    price = [-60.0, -90.0, -70.0, 20.0, -80.0, -65.0, 40.0]
    schedule = optimise_energy(_problem(price, LOSSY, 1.0, ClosingState.fixed(1.0)))
    expected = best_profit(np.array(price), np.full(7, 0.5), np.zeros(7), LOSSY, 1.0, (1.0, 1.0))
    assert schedule.method == "dynamic_programming"
    assert schedule.objective_gbp == pytest.approx(expected, abs=1e-6)
    assert schedule.gap <= 1e-9


def test_below_the_threshold_with_a_cycle_limit_binaries_decide() -> None:
    battery = Battery(2.0, 1.0, 0.7, 0.8, initial_soc=0.5, final_soc=0.5, max_cycles_per_day=0.3)
    price = np.array([-10.0, 19.0, -146.0, 19.0, -52.0, -42.0, -18.0, -90.0])
    problem = EnergyProblem(price, 0.5, np.arange(8) // 4, battery, 1.0, ClosingState.fixed(1.0))
    schedule = optimise_energy(problem)
    expected = best_profit(price, np.full(8, 0.5), np.arange(8) // 4, battery, 1.0, (1.0, 1.0))
    assert schedule.method == "milp"
    assert 0 < schedule.binaries <= int((price < 0).sum())  # only where overlap was met
    assert schedule.objective_gbp == pytest.approx(expected, abs=1e-6)
    assert schedule.gap <= 1e-6


def test_exclusivity_threshold_of_the_domain_reference() -> None:
    for wear, threshold in ((2.0, -39.0), (5.0, -97.6)):
        battery = Battery(2.0, 1.0, 0.95, 0.95, degradation_cost_gbp_per_mwh=wear)
        assert exclusive_above_gbp_mwh(battery) == pytest.approx(threshold, abs=0.05)
    assert exclusive_above_gbp_mwh(ONE_MW) == -math.inf


def test_real_prices_of_a_month_need_no_gap(realdata: object) -> None:
    import pandas as pd

    table = pd.read_parquet(f"{realdata}/tables/system_price.parquet").iloc[:1440]
    price = table["system_price_gbp_mwh"].to_numpy()
    battery = Battery(200.0, 100.0, 0.9381, 0.9381, 0.1, 0.9, 0.5, 0.5, 1.2)
    assert (price < exclusive_above_gbp_mwh(battery)).any()
    schedule = optimise_energy(EnergyProblem(price, 0.5, 0, battery, 100.0, ClosingState.fixed(100.0)))
    assert schedule.gap <= 1e-9
    assert schedule.objective_gbp == pytest.approx(float(schedule.cash_gbp.sum()) - schedule.wear_gbp)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"price_gbp_mwh": [10.0, math.nan]}, "the price of period 1 is nan"),
        ({"price_gbp_mwh": [math.inf, 10.0]}, "the price of period 0 is inf"),
        ({"price_gbp_mwh": [1e9, 10.0]}, "the price of period 0 is 1000000000.0"),
        ({"price_gbp_mwh": []}, "at least one period"),
        ({"hours": [0.5, 0.0]}, "the duration of period 1 is 0.0"),
        ({"hours": [0.5, 0.5, 0.5]}, "not 2, 3 and 2"),
        ({"opening_energy_mwh": 2.5}, "opening state of energy 2.5 MWh lies outside the battery's limits 0 to 2 MWh"),
        ({"opening_energy_mwh": math.nan}, "opening state of energy nan"),
        ({"closing": ClosingState.fixed(-1.0)}, "closing state of energy -1 MWh lies outside"),
        ({"closing": ClosingState.free(math.nan)}, "terminal value nan"),
    ],
)
def test_impossible_input_is_refused_before_solving(change: dict[str, object], words: str) -> None:
    given: dict[str, object] = {
        "price_gbp_mwh": [10.0, 20.0],
        "hours": 0.5,
        "day_index": 0,
        "battery": ONE_MW,
        "opening_energy_mwh": 1.0,
        "closing": ClosingState.free(),
    }
    with pytest.raises(UserInputError, match=words) as caught:
        EnergyProblem(**(given | change))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_a_closing_state_out_of_reach_says_why() -> None:
    with pytest.raises(SolverError, match=r"closing state of 2 MWh .* opening 0 MWh within the power limit over 2"):
        optimise_energy(_problem([10.0, 20.0], ONE_MW, 0.0, ClosingState.fixed(2.0)))
    capped = Battery(2.0, 1.0, max_cycles_per_day=0.1)
    with pytest.raises(SolverError, match="within the daily cycle limit"):
        optimise_energy(_problem([10.0] * 4, capped, 2.0, ClosingState.fixed(0.5)))


def test_a_time_limit_gives_no_numbers() -> None:
    price = np.random.default_rng(1).uniform(0, 100, 3000)
    with pytest.raises(SolverError, match="time limit of 0 s on 3000 periods"):
        optimise_energy(_problem(price.tolist(), LOSSY, 1.0, ClosingState.free()), time_limit_s=0.0)


def test_a_wrong_answer_is_caught_by_the_recheck(monkeypatch: pytest.MonkeyPatch) -> None:
    """A path that is too good to be true, or that jumps, never becomes a schedule."""
    problem = _problem([-60.0, -90.0], LOSSY, 1.0, ClosingState.fixed(1.0))
    for answer in (PathOptimum(np.array([1.0, 1.0]), -5.0), PathOptimum(np.array([1.9, 1.0]), 0.0)):
        monkeypatch.setattr(energy, "optimise_path", lambda _problem, answer=answer: answer)
        with pytest.raises(SolverError, match="is not used"):
            optimise_energy(problem)


def test_errors_are_of_the_family_a_user_sees() -> None:
    assert issubclass(SolverError, BessError)
    assert SolveStatus.OPTIMAL.value == "optimal"
