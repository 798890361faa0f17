"""Shadow prices lie between the left and the right difference of the optimum itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bess_pipeline.battery.parameters import Battery
from bess_pipeline.optimisation.energy import optimise_energy
from bess_pipeline.optimisation.problem import ClosingState, EnergyProblem
from bess_pipeline.optimisation.shadow_prices import (
    Change,
    shadow_prices,
    with_more_cycles,
    with_more_efficiency,
    with_more_energy,
    with_more_power,
    with_more_warranty,
)

PLAIN = Battery(10.0, 4.0, 0.95, 0.92, 0.1, 0.9, 0.5, 0.5, 2.0)
BATTERIES = {
    "plain": PLAIN,
    "cycle limit": replace(PLAIN, max_cycles_per_day=1.0),
    "warranty": replace(PLAIN, warranty_cycles=2.5),
    "standby losses": replace(PLAIN, self_discharge_per_hour=0.002, auxiliary_mw=0.02),
    "grid limits": replace(PLAIN, import_limit_mw=3.0, export_limit_mw=5.0),
    "depth cost": replace(PLAIN, cycle_depth_cost_gbp_per_mwh=(0.0, 8.0, 20.0)),
    "everything": replace(
        PLAIN,
        max_cycles_per_day=1.2,
        warranty_cycles=3.0,
        self_discharge_per_hour=0.001,
        auxiliary_mw=0.01,
        import_limit_mw=3.5,
        max_throughput_mwh_per_day=22.0,
        cycle_depth_cost_gbp_per_mwh=(0.0, 5.0),
    ),
}


def _problem(battery: Battery, seed: int, *, negative: bool) -> EnergyProblem:
    rng = np.random.default_rng(seed)
    price = 60 + 45 * np.sin(np.arange(144) * 2 * np.pi / 48) + 25 * rng.standard_normal(144)
    if negative:
        price[rng.integers(0, 144, 12)] -= 220
    closing = ClosingState.fixed(battery.final_energy_mwh)
    return EnergyProblem(price, 0.5, np.arange(144) // 48, battery, battery.initial_energy_mwh, closing)


def _between_differences(value: float, problem: EnergyProblem, change: Change, size: float) -> None:
    """`value` is between what a little less costs and what a little more earns, from optima found anew."""
    step = 2e-4 * size
    here = optimise_energy(problem).objective_gbp
    left = (here - optimise_energy(change(-step)).objective_gbp) / step
    right = (optimise_energy(change(step)).objective_gbp - here) / step
    room = 2e-3 * max(abs(left), abs(right)) + 1e-4
    assert min(left, right) - room <= value <= max(left, right) + room, (left, value, right)


@pytest.mark.parametrize("negative", [False, True], ids=["positive prices", "negative prices"])
@pytest.mark.parametrize("name", BATTERIES)
def test_between_left_and_right_difference(name: str, negative: bool) -> None:
    battery = BATTERIES[name]
    problem = _problem(battery, 20260329 + len(name), negative=negative)
    schedule = optimise_energy(problem)
    values = shadow_prices(problem, schedule)
    assert values.power_gbp_per_mw is not None
    _between_differences(values.power_gbp_per_mw, problem, with_more_power(problem), battery.power_mw)
    _between_differences(values.energy_gbp_per_mwh, problem, with_more_energy(problem), battery.energy_mwh)
    _between_differences(100 * values.efficiency_gbp_per_point, problem, with_more_efficiency(problem), 1.0)
    assert (values.cycles_gbp_per_tenth_a_day is None) == (battery.max_cycles_per_day is None)
    if values.cycles_gbp_per_tenth_a_day is not None:
        _between_differences(10 * values.cycles_gbp_per_tenth_a_day, problem, with_more_cycles(problem), 1.0)
    assert (values.warranty_gbp_per_cycle is None) == (battery.warranty_cycles is None)
    if values.warranty_gbp_per_cycle is not None:
        _between_differences(values.warranty_gbp_per_cycle, problem, with_more_warranty(problem), 1.0)
        assert schedule.warranty_value_gbp_per_cycle == pytest.approx(values.warranty_gbp_per_cycle, rel=0.2, abs=0.5)


def test_by_hand() -> None:
    """Two half-hours at 20 and 120: 1 MW more charges 0.5 MWh at 20 and sells 0.45125 MWh at 120."""
    battery = Battery(2.0, 1.0, 0.95, 0.95)
    problem = EnergyProblem([20.0, 120.0], 0.5, 0, battery, 0.0, ClosingState.free())
    values = shadow_prices(problem, optimise_energy(problem))
    assert values.power_gbp_per_mw == pytest.approx(-0.5 * 20 + 0.45125 * 120)
    assert values.energy_gbp_per_mwh == pytest.approx(0.0, abs=1e-9)
    assert values.efficiency_gbp_per_point == pytest.approx(0.01 * 0.5 * 120, rel=1e-6)


def test_what_never_limits_is_worth_nothing_and_what_is_absent_has_no_value() -> None:
    battery = Battery(2.0, max_cycles_per_day=50.0)
    problem = EnergyProblem([20.0, 120.0], 0.5, 0, battery, 0.0, ClosingState.free())
    values = shadow_prices(problem, optimise_energy(problem))
    assert values.power_gbp_per_mw is None
    assert values.warranty_gbp_per_cycle is None
    assert values.cycles_gbp_per_tenth_a_day == pytest.approx(0.0, abs=1e-9)
    assert values.energy_gbp_per_mwh == pytest.approx(100.0)
