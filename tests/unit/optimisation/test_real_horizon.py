"""Perfect foresight on 640 days of recorded prices: relaxed, shared cap and exact, printed and in that order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bess_pipeline.battery.parameters import Battery
from bess_pipeline.optimisation.compilation import compile_path
from bess_pipeline.optimisation.energy import optimise_energy
from bess_pipeline.optimisation.path_numbers import path_numbers
from bess_pipeline.optimisation.problem import ClosingState, EnergyProblem
from bess_pipeline.optimisation.session import HighsSession

TWO_HOURS = Battery(200.0, 100.0, 0.9381, 0.9381, 0.1, 0.9, 0.5, 0.5, 1.2)
KNOWN = {200.0: (21_489_424.79, 21_478_756.82, 21_473_576.69)}


def _problem(realdata: Path, battery: Battery, periods: int | None = None) -> EnergyProblem:
    table = pd.read_parquet(f"{realdata}/tables/system_price.parquet").iloc[:periods]
    day = pd.factorize(table["settlement_date"])[0]
    closing = ClosingState.fixed(battery.final_energy_mwh)
    price = table["system_price_gbp_mwh"].to_numpy()
    return EnergyProblem(price, 0.5, day, battery, battery.initial_energy_mwh, closing)


def _linear(problem: EnergyProblem, *, shared: bool) -> float:
    numbers = path_numbers(problem)
    if not shared:
        both = problem.charge_limit_mwh + problem.discharge_limit_mwh  # a row that never binds
        numbers = replace(numbers, right_hand_side={**numbers.right_hand_side, "shared_power": both})
    return -HighsSession(compile_path(problem), numbers, 300.0).solve().cost


@pytest.mark.slow
@pytest.mark.parametrize("energy_mwh", [100.0, 200.0, 400.0])
def test_relaxed_above_shared_cap_above_exact(realdata: Path, energy_mwh: float) -> None:
    problem = _problem(realdata, replace(TWO_HOURS, energy_mwh=energy_mwh))
    assert problem.periods == 30_720
    relaxed, shared = _linear(problem, shared=False), _linear(problem, shared=True)
    schedule = optimise_energy(problem, time_limit_s=300.0)
    exact = schedule.objective_gbp
    print(
        f"{energy_mwh:g} MWh: relaxed {relaxed:,.2f} >= shared cap {shared:,.2f} >= exact {exact:,.2f} GBP, "
        f"gap {schedule.gap:.1e}"
    )
    assert relaxed > shared > exact
    assert schedule.gap <= 1e-6
    assert np.minimum(schedule.charge_mw, schedule.discharge_mw).max() == 0.0
    if energy_mwh in KNOWN:
        assert (relaxed, shared, exact) == pytest.approx(KNOWN[energy_mwh], abs=0.01)


@pytest.mark.slow
def test_a_year_under_a_cycle_limit_with_little_wear_is_closed(realdata: Path) -> None:
    """Pricing the limit by its shadow price alone leaves 2.4e-5 here."""
    problem = _problem(realdata, replace(TWO_HOURS, max_cycles_per_day=3.0), 17_520)
    schedule = optimise_energy(problem, time_limit_s=300.0)
    assert schedule.method == "milp"
    assert schedule.gap <= 1e-6
    assert schedule.objective_gbp == pytest.approx(11_817_761.41, abs=0.01)
